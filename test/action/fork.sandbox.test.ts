import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { justBuild, running, said, tiny } from './facts.ts';
import { openWorld, ship, unique, whole, type World } from './kit.ts';

let world: World;
let before = '';
beforeAll(async () => {
  world = await openWorld();
  const { main } = await ship(world, {
    files: tiny(),
    inputs: { ...justBuild, cache: 'off', provenance: 'false' },
  });
  before = main.outputs['digest'] ?? '';
  await world.lambda.create('api', { image: `${world.aws.registryHost}/shop@${before}` });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
let since = 0;
beforeEach(() => {
  since = world.aws.requests.length;
});

const pullRequest = (from: string) => ({
  eventName: 'pull_request',
  ref: 'refs/pull/7/merge',
  baseRef: 'main',
  headRef: 'change',
  event: { pull_request: { head: { repo: { full_name: from } } } },
});
const everything = {
  ...justBuild,
  cache: 'gha\nregistry',
  'lambda-functions': 'api:live',
  verify: 'echo "checked $((6 * 7))"',
};

test.each([
  ['a pull request from a fork', pullRequest('stranger/shop')],
  ["Dependabot's pull request", { ...pullRequest('octo/shop'), actor: 'dependabot[bot]' }],
])('%s: built and checked, and nothing else happens anywhere', async (_what, run) => {
  const version = unique();
  const entries = world.cache.entries().length;
  // GitHub gives such a run no secrets and no OIDC; its own keys would not be used either.
  const result = await ship(world, { files: tiny(version), run, oidc: false, inputs: everything });
  expect(result.main.log, whole(result)).toContain('checked 42');
  expect(result.main.log).toMatch(/COPY version/);
  expect(world.aws.requests.slice(since)).toEqual([]);
  expect(world.cache.entries()).toHaveLength(entries);
  expect(world.cache.requests.filter((each) => /Create|upload/.test(each))).toEqual([]);
  expect(said(result, 'notice')).toEqual([
    'A pull request from a fork or of Dependabot: the image is built with a read-only cache; nothing is pushed, tagged or deployed.',
  ]);
  expect(said(result, 'warning')).toEqual([]);
  expect(result.main.outputs).toMatchObject({ built: 'true' });
  expect(result.main.outputs).not.toHaveProperty('image');
  expect(result.main.summary).toMatch(/^## Built, not published\n/);
  expect(result).toMatchObject({ left: [], orphans: [], leaks: [] });
});

test('a pull request of the repository itself: its own tags, and nothing that others use', async () => {
  const result = await ship(world, {
    files: tiny(),
    run: pullRequest('octo/shop'),
    inputs: everything,
  });
  const { outputs } = result.main;
  for (const tag of (outputs['tags'] ?? '').split('\n')) {
    expect(world.tag(tag)).toBe(outputs['digest']);
  }
  expect(world.tag('latest')).toBe(before);
  expect(running(world, 'api')).toBe(before);
  expect(running(world, 'api:live')).toBeUndefined();
  const asked = world.aws.requests.slice(since).map(({ action }) => action);
  expect(asked.filter((action) => action.startsWith('lambda:'))).toEqual([]);
  const put = world.aws.requests
    .slice(since)
    .filter(({ action }) => action === 'ecr:PutImage')
    .map(({ body }) => (JSON.parse(body) as { imageTag: string }).imageTag);
  for (const tag of put) expect(tag).toMatch(/^(run-\d+|content-[0-9a-f]{40})$/);
  expect(result.main.log).toContain('A pull request: the image is pushed under its own tags');
  expect(outputs).toMatchObject({ 'order-result': 'off' });
  expect(said(result, 'warning')).toEqual([]);
});
