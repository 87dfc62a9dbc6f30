import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readContext } from '../src/context.ts';

const folder = mkdtempSync(join(tmpdir(), 'context-'));
afterAll(() => rmSync(folder, { recursive: true }));

const repository = { full_name: 'o/r', default_branch: 'trunk', private: false };
let files = 0;

function environment(event: unknown, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  files += 1;
  const file = join(folder, `${files}.json`);
  writeFileSync(file, typeof event === 'string' ? event : JSON.stringify(event));
  return {
    GITHUB_REPOSITORY: 'o/r',
    GITHUB_RUN_ID: '16500000001',
    GITHUB_RUN_NUMBER: '7',
    GITHUB_RUN_ATTEMPT: '2',
    GITHUB_SHA: 'a'.repeat(40),
    GITHUB_REF: 'refs/heads/trunk',
    GITHUB_REF_NAME: 'trunk',
    GITHUB_EVENT_NAME: 'push',
    GITHUB_EVENT_PATH: file,
    GITHUB_ACTOR: 'octocat',
    GITHUB_JOB: 'ship',
    GITHUB_WORKFLOW: 'Ship',
    GITHUB_WORKFLOW_REF: 'o/r/.github/workflows/ship.yml@refs/heads/trunk',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_WORKSPACE: '/w',
    RUNNER_TEMP: '/t',
    RUNNER_NAME: 'one',
    ...more,
  };
}

test('a push', () => {
  expect(readContext(environment({ repository }))).toEqual({
    repository: 'o/r',
    runId: 16_500_000_001,
    runNumber: 7,
    runAttempt: 2,
    sha: 'a'.repeat(40),
    ref: 'refs/heads/trunk',
    refName: 'trunk',
    baseRef: '',
    headRef: '',
    eventName: 'push',
    actor: 'octocat',
    job: 'ship',
    workflowRef: 'o/r/.github/workflows/ship.yml@refs/heads/trunk',
    workflow: 'Ship',
    runnerName: 'one',
    serverUrl: 'https://github.com',
    apiUrl: 'https://api.github.com',
    defaultBranch: 'trunk',
    privateRepository: false,
    fork: false,
    workspace: '/w',
    temp: '/t',
  });
});

const pull = (head: unknown) => ({ repository, pull_request: { head: { repo: head } } });
const workflowRun = (event: string, head: string) => ({
  repository,
  workflow_run: { event, head_repository: { full_name: head } },
});

test.each([
  ['own pull request', 'pull_request', pull({ full_name: 'o/r' }), {}, false],
  ['own pull request, other case', 'pull_request', pull({ full_name: 'O/R' }), {}, false],
  ['pull request of a fork', 'pull_request', pull({ full_name: 'x/r' }), {}, true],
  ['pull request of a deleted fork', 'pull_request', pull(null), {}, true],
  ['pull_request_target of a fork', 'pull_request_target', pull({ full_name: 'x/r' }), {}, true],
  [
    'Dependabot',
    'pull_request',
    pull({ full_name: 'o/r' }),
    { GITHUB_ACTOR: 'dependabot[bot]' },
    true,
  ],
  ['a merge by Dependabot', 'push', { repository }, { GITHUB_ACTOR: 'dependabot[bot]' }, false],
  ['after a push', 'workflow_run', workflowRun('push', 'o/r'), {}, false],
  ["after a fork's pull request", 'workflow_run', workflowRun('pull_request', 'x/r'), {}, true],
  ['after an own pull request', 'workflow_run', workflowRun('pull_request', 'o/r'), {}, false],
])('%s: fork or not', (_, name, event, more, fork) => {
  expect(readContext(environment(event, { GITHUB_EVENT_NAME: name, ...more })).fork).toBe(fork);
});

test('an event without a repository: private, and the default branch of a schedule is its own', () => {
  const context = readContext(environment({}, { GITHUB_EVENT_NAME: 'schedule' }));
  expect(context).toMatchObject({ privateRepository: true, defaultBranch: 'trunk' });
});

test('outside a runner: every missing variable in one error', () => {
  expect(() => readContext({ GITHUB_REPOSITORY: 'o/r', GITHUB_RUN_ID: 'x' })).toThrow(
    /incomplete: GITHUB_SHA, GITHUB_WORKSPACE, GITHUB_EVENT_NAME, GITHUB_REF, GITHUB_RUN_ID, GITHUB_RUN_NUMBER, GITHUB_RUN_ATTEMPT\./,
  );
});

test('a broken event file', () => {
  expect(() => readContext(environment('{'))).toThrow('is not JSON');
});
