import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { ActionError, asError } from './errors.ts';

/** The run this process belongs to, from the runner's variables. Read once; nothing else reads them. */
export interface RunContext {
  /** `owner/name`. */
  readonly repository: string;
  readonly runId: number;
  readonly runNumber: number;
  readonly runAttempt: number;
  readonly sha: string;
  /** `refs/heads/main`, `refs/pull/7/merge`, … */
  readonly ref: string;
  readonly refName: string;
  /** Base branch of a pull request, or empty. */
  readonly baseRef: string;
  readonly headRef: string;
  readonly eventName: string;
  readonly actor: string;
  /** Key of the job in the workflow file. */
  readonly job: string;
  /** `owner/repo/.github/workflows/ship.yml@refs/heads/main`. */
  readonly workflowRef: string;
  readonly workflow: string;
  readonly runnerName: string;
  readonly serverUrl: string;
  readonly apiUrl: string;
  readonly defaultBranch: string;
  readonly privateRepository: boolean;
  /** A pull request from another repository, or Dependabot's: no secrets, read-only cache. */
  readonly fork: boolean;
  readonly workspace: string;
  readonly temp: string;
}

/** Link to this run's attempt, for provenance and messages. */
export function runUrl(context: RunContext): string {
  return `${context.serverUrl}/${context.repository}/actions/runs/${context.runId}/attempts/${context.runAttempt}`;
}

/**
 * Reads the run from the runner's variables and its event file.
 *
 * Forks: GitHub gives a pull request of another repository, and Dependabot's, neither secrets nor a
 * token that may write. `pull_request_target` and `workflow_run` do have them, which is how code of
 * strangers gets published by mistake: what they build for a fork counts as a fork's too.
 *
 * @throws ActionError naming every variable that is missing or malformed.
 */
export function readContext(env: NodeJS.ProcessEnv): RunContext {
  const text = (name: string) => env[name] ?? '';
  const number = (name: string) => (/^\d+$/.test(text(name)) ? Number(text(name)) : Number.NaN);
  const needed = [
    'GITHUB_REPOSITORY',
    'GITHUB_SHA',
    'GITHUB_WORKSPACE',
    'GITHUB_EVENT_NAME',
    'GITHUB_REF',
  ].filter((name) => text(name) === '');
  const numbers = ['GITHUB_RUN_ID', 'GITHUB_RUN_NUMBER', 'GITHUB_RUN_ATTEMPT'].filter((name) =>
    Number.isNaN(number(name)),
  );
  if (needed.length + numbers.length > 0) {
    throw new ActionError(
      `The runner's variables are incomplete: ${[...needed, ...numbers].join(', ')}.`,
      { hint: 'This action runs as a step of a GitHub Actions job, where the runner sets them.' },
    );
  }
  const event = readEvent(text('GITHUB_EVENT_PATH'));
  const repository = text('GITHUB_REPOSITORY');
  const eventName = text('GITHUB_EVENT_NAME');
  const actor = text('GITHUB_ACTOR');
  const refName = text('GITHUB_REF_NAME');
  const told = at(event, 'repository', 'default_branch');
  return {
    repository,
    runId: number('GITHUB_RUN_ID'),
    runNumber: number('GITHUB_RUN_NUMBER'),
    runAttempt: number('GITHUB_RUN_ATTEMPT'),
    sha: text('GITHUB_SHA'),
    ref: text('GITHUB_REF'),
    refName,
    baseRef: text('GITHUB_BASE_REF'),
    headRef: text('GITHUB_HEAD_REF'),
    eventName,
    actor,
    job: text('GITHUB_JOB'),
    workflowRef: text('GITHUB_WORKFLOW_REF'),
    workflow: text('GITHUB_WORKFLOW'),
    runnerName: text('RUNNER_NAME'),
    serverUrl: text('GITHUB_SERVER_URL') || 'https://github.com',
    apiUrl: text('GITHUB_API_URL') || 'https://api.github.com',
    // A schedule runs on the default branch only, and old servers' schedule events name none.
    defaultBranch:
      typeof told === 'string' && told !== '' ? told : eventName === 'schedule' ? refName : 'main',
    // Unknown counts as private: the defaults that depend on it then tell less.
    privateRepository: at(event, 'repository', 'private') !== false,
    fork: isFork(eventName, actor, repository, event),
    workspace: text('GITHUB_WORKSPACE'),
    temp: text('RUNNER_TEMP') || tmpdir(),
  };
}

function isFork(eventName: string, actor: string, repository: string, event: unknown): boolean {
  if (eventName.startsWith('pull_request')) {
    if (actor === 'dependabot[bot]') return true;
    // `head.repo` is null when the fork has been deleted since.
    return differs(at(event, 'pull_request', 'head', 'repo', 'full_name'), repository);
  }
  if (eventName === 'workflow_run') {
    const cause = at(event, 'workflow_run', 'event');
    return (
      typeof cause === 'string' &&
      cause.startsWith('pull_request') &&
      differs(at(event, 'workflow_run', 'head_repository', 'full_name'), repository)
    );
  }
  return false;
}

/** GitHub's names of owners and repositories don't differ by case. */
function differs(name: unknown, repository: string): boolean {
  return typeof name !== 'string' || name.toLowerCase() !== repository.toLowerCase();
}

function readEvent(file: string): unknown {
  if (file === '' || !existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ActionError(`The event file ${file} is not JSON.`, { cause: asError(error) });
  }
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const name of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Readonly<Record<string, unknown>>)[name];
  }
  return here;
}
