import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectGitHub, GitHubError, GitHubForbidden } from '../../src/systems/github.ts';
import { fakeClock } from '../fake-clock.ts';
import { startGitHub, type GitHubStandIn } from '../sandbox/github/index.ts';

let github: GitHubStandIn;
let clock: ReturnType<typeof fakeClock>;

beforeEach(async () => {
  github = await startGitHub();
  clock = fakeClock(Date.now());
});
afterEach(() => github.close());

const connect = (
  more: { token?: string; apiUrl?: string; signal?: AbortSignal; timeout?: number } = {},
) =>
  connectGitHub({
    apiUrl: github.url,
    token: github.token,
    repository: github.repository,
    clock,
    ...more,
  });

test('a run, the runs of a workflow by file name and by id, and all attempts of its jobs', async () => {
  const first = github.addRun({ sha: 'a'.repeat(40) });
  const second = github.addRun({ attempt: 2, status: 'completed', conclusion: 'success' });
  github.addRun({ workflow: 'other.yml' });
  github.setJob(second.id, 'build (a, b)', {
    attempt: 1,
    status: 'completed',
    conclusion: 'failure',
  });
  github.setJob(second.id, 'build (a, b)', { status: 'queued', runnerName: null });
  const api = connect();
  const run = await api.run(first.id);
  expect(run).toEqual({
    id: first.id,
    number: 1,
    attempt: 1,
    workflowId: run?.workflowId,
    branch: 'main',
    event: 'push',
    sha: 'a'.repeat(40),
    status: 'in_progress',
    conclusion: null,
    url: `https://github.com/octo/shop/actions/runs/${first.id}`,
    createdAt: first.createdAt,
  });
  const byFile = await api.runs('ship.yml', 1);
  expect(byFile.map((run) => run.id)).toEqual([second.id, first.id]);
  expect(await api.runs(run?.workflowId ?? 0, 1)).toEqual(byFile);
  expect(await api.runs('ship.yml', 2)).toEqual([]);
  expect(await api.jobs(second.id)).toMatchObject([
    { name: 'build (a, b)', runAttempt: 1, status: 'completed', conclusion: 'failure' },
    { name: 'build (a, b)', runAttempt: 2, status: 'queued', runnerName: null },
  ]);
  // No filter but the page: a filtered list is search-backed and stale.
  expect(
    github.requests.filter(({ operation }) => operation === 'runs').map(({ url }) => url),
  ).toEqual(expect.arrayContaining([expect.stringMatching(/\/runs\?per_page=100&page=1$/)]));
});

test('what is gone: no run, no jobs; an unknown workflow is an error', async () => {
  const run = github.addRun();
  github.deleteRun(run.id);
  const api = connect();
  expect(await api.run(run.id)).toBeUndefined();
  expect(await api.jobs(run.id)).toEqual([]);
  await expect(api.runs('gone.yml', 1)).rejects.toMatchObject({
    status: 404,
    message: 'GitHub knows no workflow "gone.yml" in octo/shop.',
  });
});

test('more jobs than one page holds', async () => {
  const run = github.addRun();
  for (let index = 1; index <= 230; index += 1) github.setJob(run.id, `job ${index}`);
  expect(await connect().jobs(run.id)).toHaveLength(230);
});

test('an unchanged answer is free, a changed one is seen', async () => {
  const run = github.addRun();
  const api = connect();
  await api.run(run.id);
  const left = github.quota.remaining;
  for (let look = 1; look <= 20; look += 1) await api.run(run.id);
  expect(github.quota.remaining).toBe(left);
  expect(api.requests()).toEqual({ sent: 21, free: 20 });
  github.setRun(run.id, { status: 'completed', conclusion: 'success' });
  expect(await api.run(run.id)).toMatchObject({ status: 'completed', conclusion: 'success' });
  expect(github.quota.remaining).toBe(left - 1);
});

test('without actions: read', async () => {
  const run = github.addRun();
  github.forbid();
  const error: unknown = await connect()
    .run(run.id)
    .catch((error: unknown) => error);
  expect(error).toBeInstanceOf(GitHubForbidden);
  expect(error).toMatchObject({ status: 403, retryAfterMs: undefined });
  expect((error as GitHubForbidden).hint).toContain('actions: read');
  expect(github.requests).toHaveLength(1);
});

test('a bad token', async () => {
  const error = await connect({ token: 'wrong' })
    .run(1)
    .catch((error: unknown) => error);
  expect(error).toMatchObject({ status: 401, hint: expect.stringContaining('github-token') });
});

test('5xx and broken connections are tried again, with growing waits', async () => {
  const run = github.addRun();
  github.faults.add({ on: 'run', times: 2, status: 502, body: '<html>' });
  github.faults.add({ on: 'run', times: 1, reset: true });
  expect(await connect().run(run.id)).toMatchObject({ id: run.id });
  expect(clock.slept).toEqual([1000, 2000, 4000]);
});

test('a service that stays down is reported with its status', async () => {
  github.faults.add({ status: 503 });
  await expect(connect().run(1)).rejects.toMatchObject({ status: 503 });
  expect(clock.slept).toHaveLength(3);
});

test('nobody answers at all', async () => {
  const { url } = github;
  await github.close();
  await expect(connect({ apiUrl: url }).run(1)).rejects.toMatchObject({
    status: 0,
    message: expect.stringContaining("GitHub's API did not answer"),
  });
});

test('an answer that never comes ends by the timeout', async () => {
  const run = github.addRun();
  github.faults.add({ times: 1, hang: true });
  expect(await connect({ timeout: 300 }).run(run.id)).toMatchObject({ id: run.id });
});

test.each([
  ['a short secondary limit is waited for', { 'retry-after': '3' }, 403, undefined],
  ['a long one is for the caller', { 'retry-after': '45' }, 403, 45_000],
  ['429 without a time: a minute', {}, 429, 60_000],
])('%s', async (_, headers, status, retryAfterMs) => {
  const run = github.addRun();
  github.faults.add({
    times: 1,
    status,
    headers,
    body: '{"message":"You have exceeded a secondary rate limit"}',
  });
  if (retryAfterMs === undefined) {
    expect(await connect().run(run.id)).toMatchObject({ id: run.id });
    expect(clock.slept).toEqual([3_000]);
  } else {
    await expect(connect().run(run.id)).rejects.toMatchObject({ status, retryAfterMs });
    expect(github.requests).toHaveLength(1);
  }
});

test('an exhausted quota: the time until its reset', async () => {
  const run = github.addRun();
  github.quota.remaining = 0;
  github.quota.reset = Math.floor(Date.now() / 1000) + 600;
  const error: unknown = await connect()
    .run(run.id)
    .catch((error: unknown) => error);
  expect(error).toBeInstanceOf(GitHubError);
  expect(error).not.toBeInstanceOf(GitHubForbidden);
  expect((error as GitHubError).retryAfterMs).toBeGreaterThan(590_000);
  expect((error as GitHubError).retryAfterMs).toBeLessThan(602_000);
});

test("an abort is passed on as it is, the caller's reason", async () => {
  const stopping = new AbortController();
  github.faults.add({ hang: true });
  const asked = connect({ signal: stopping.signal }).run(1);
  setTimeout(() => stopping.abort(new Error('the run was cancelled')), 50);
  await expect(asked).rejects.toThrow('the run was cancelled');
});

test('an answer that is not what GitHub sends', async () => {
  github.faults.add({ status: 200, body: '{"login": "proxy"}' });
  await expect(connect().run(1)).rejects.toThrow('GitHub\'s answer has no usable "id".');
});
