import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  build,
  expectCached,
  layers,
  project,
  prune,
  pullRequest,
  steps,
  unchangedSteps,
} from './cached.ts';
import { openWorld, whole, type World } from './kit.ts';

// The machine's build cache loses a project's layers between two runs: what is CACHED then comes from
// GitHub's cache service.

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const branch = (name: string) => ({ ref: `refs/heads/${name}` });
const keys = () => world.cache.entries().map(({ key }) => key);

test('every step from the cache: of the own branch, a base branch, the default branch', async () => {
  const app = project();
  const cold = await build(world, { files: app.files });
  expectCached(cold, 0);
  expect(keys().some((key) => key.startsWith('index-shop-main-'))).toBe(true);

  await prune(world, app);
  const warm = await build(world, { files: app.files });
  expectCached(warm, steps);
  expect(layers(world, warm)).toEqual(layers(world, cold));
  expect(warm.leaks).toEqual([]);

  // A new branch begins with the default branch's layers, and then has its own.
  const other = app.changed('two');
  await prune(world, app);
  expectCached(await build(world, { files: other, run: branch('feature') }), unchangedSteps);
  await prune(world, app);
  expectCached(await build(world, { files: other, run: branch('feature') }), steps);

  // A pull request begins with its base's; another branch sees main's alone.
  await prune(world, app);
  const request = pullRequest(7, { head: 'topic', base: 'feature' });
  expectCached(await build(world, { files: other, run: request }), steps);
  await prune(world, app);
  expectCached(await build(world, { files: other, run: branch('another') }), unchangedSteps);
});

test('two images of one workflow, built at the same time, keep a cache each', async () => {
  const [one, two] = [project(undefined, 'one/'), project(undefined, 'two/')];
  const files = { ...one.files, ...two.files };
  const both = () =>
    Promise.all(
      ['one', 'two'].map((context) =>
        build(world, { files, inputs: { context, 'moving-tags': '' }, run: { job: context } }),
      ),
    );
  for (const result of await both()) expectCached(result, 0);
  await prune(world, one, two);
  for (const result of await both()) expectCached(result, steps);
});

test('a broken cache costs time, not the build', async () => {
  const app = project();
  await build(world, { files: app.files });
  // What was stored of the layers is no longer what the index says; the index itself is whole.
  let downloads = 0;
  const on = (operation: string) => operation === 'download' && (downloads += 1) > 1;
  world.cache.faults.add({ on, status: 200, body: 'not what was stored' });
  await prune(world, app);
  const broken = await build(world, { files: app.changed('two') });
  expect(downloads, whole(broken)).toBeGreaterThan(1);
  expect(broken.main.summary).toContain('tried once more without reading');

  // Nothing can be stored: the image is built and shipped all the same.
  world.cache.faults.clear();
  world.cache.faults.add({ on: 'upload', status: 403 });
  const refused = await build(world, { files: app.changed('three') });
  expect(refused.main.summary, whole(refused)).toContain('was not written');
  expect(world.tag('latest')).toBe(refused.main.outputs['digest']);
});

test("without GitHub's cache the registry keeps the layers, and the run says so", async () => {
  const app = project();
  const run = () => build(world, { files: app.files, caches: false });
  const cold = await run();
  expectCached(cold, 0);
  expect(cold.main.annotations.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/GitHub's cache is not available.*kept in the registry/),
  );
  await prune(world, app);
  expectCached(await run(), steps);
});

test('a fork reads the cache and writes nothing anywhere', async () => {
  const app = project();
  await build(world, { files: app.files });
  await prune(world, app);
  const before = { entries: keys(), tags: [...world.aws.ecr.tags(world.repository).keys()] };
  const calls = world.aws.requests.length;
  const fork = await build(world, {
    files: app.files,
    run: pullRequest(8, { head: 'main', base: 'main', from: 'stranger/shop' }),
    oidc: false,
    awsKeys: false,
  });
  expectCached(fork, steps);
  expect(keys()).toEqual(before.entries);
  expect([...world.aws.ecr.tags(world.repository).keys()]).toEqual(before.tags);
  expect(world.aws.requests.slice(calls)).toEqual([]);
  expect(world.cache.requests.some((request) => request.startsWith('CreateCacheEntry'))).toBe(true);
  expect(fork.main.log).toMatch(/from a fork/);
});
