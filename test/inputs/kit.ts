import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RunContext } from '../../src/context.ts';
import { ActionError, Problems } from '../../src/errors.ts';
import { variable } from '../../src/inputs/names.ts';
import { readInputs, type ReadInputs } from '../../src/inputs/read.ts';

/** A push to main of a public repository. */
export function sampleContext(changes: Partial<RunContext> = {}): RunContext {
  return {
    repository: 'octo/Shop',
    runId: 7001,
    runNumber: 7,
    runAttempt: 1,
    sha: '0123456789abcdef0123456789abcdef01234567',
    ref: 'refs/heads/main',
    refName: 'main',
    baseRef: '',
    headRef: '',
    eventName: 'push',
    actor: 'octocat',
    job: 'ship',
    workflowRef: 'octo/Shop/.github/workflows/ship.yml@refs/heads/main',
    workflow: 'ship',
    runnerName: 'runner-1',
    serverUrl: 'https://github.com',
    apiUrl: 'https://api.github.com',
    defaultBranch: 'main',
    privateRepository: false,
    fork: false,
    workspace: '/nowhere',
    temp: '/tmp/runner',
    ...changes,
  };
}

/** A folder with `files`, removed after the test. */
export function workspace(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ship-inputs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

export interface Given {
  readonly env?: NodeJS.ProcessEnv;
  readonly context?: Partial<RunContext>;
  readonly files?: Readonly<Record<string, string>>;
  /** Leaves out the Region and the repository, which every other case has. */
  readonly bare?: boolean;
  readonly mask?: (secret: string) => void;
}

const files = {
  Dockerfile: 'FROM scratch\n',
  'requirements.txt': 'idna==3.10\n',
  'app/Dockerfile': 'FROM scratch\n',
  'conf/buildkitd.toml': '',
  'conf/ca.pem': '',
  'conf/token': 'secret',
};

/** Reads inputs as the runner would hand them over, in a workspace with some files. */
export function read(values: Readonly<Record<string, string>>, given: Given = {}): ReadInputs {
  const basics = given.bare ? {} : { 'aws-region': 'eu-west-1', repository: 'team/app' };
  const inputs = Object.entries({ ...basics, ...values }).map(([name, value]) => [
    variable(name),
    value,
  ]);
  const context = sampleContext({
    workspace: workspace(given.files ?? files),
    ...given.context,
  });
  const env: NodeJS.ProcessEnv = { ...given.env, ...Object.fromEntries(inputs) };
  return readInputs(env, context, given.mask === undefined ? {} : { mask: given.mask });
}

/** What is wrong with them, `name: what` each with its hint in a second line. */
export function problemsOf(
  values: Readonly<Record<string, string>>,
  given: Given = {},
): readonly string[] {
  try {
    read(values, given);
  } catch (error) {
    if (!(error instanceof Problems)) throw error;
    return error.problems.map((problem) => {
      const hint = problem instanceof ActionError ? problem.hint : undefined;
      return hint === undefined ? problem.message : `${problem.message}\n${hint}`;
    });
  }
  return [];
}
