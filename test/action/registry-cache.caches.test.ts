import { afterEach, beforeEach, expect, test } from 'vitest';
import { build, expectCached, layers, project, prune, steps, type Project } from './cached.ts';
import { openWorld, whole, type World } from './kit.ts';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const cacheTags = (name: string) =>
  [...world.aws.ecr.tags(name).keys()].filter((tag) => tag.startsWith('cache-'));

/** Builds on a machine without local layers, reading one cache alone and writing none. */
async function readAlone(app: Project, cache: string, more: Record<string, string> = {}) {
  await prune(world, app);
  return build(world, {
    files: app.files,
    // A new run id: the local cache is found by the beginning of its key.
    inputs: { cache, 'cache-write': 'never', 'moving-tags': 'other', ...more },
  });
}

test('several at once; each alone gives back what it keeps', async () => {
  const app = project();
  world.aws.ecr.createRepository('layers');
  const repository = { 'cache-repository': 'layers' };
  const first = await build(world, {
    files: app.files,
    inputs: { cache: 'registry\ninline\nlocal', ...repository },
  });
  expectCached(first, 0);
  expect(first.main.summary).not.toContain('was not written');
  expect(cacheTags('shop')).toEqual([]);
  const [tag = ''] = cacheTags('layers');
  // Amazon ECR takes a cache as an image, not as an index.
  expect(world.aws.ecr.image('layers', tag)?.mediaType).toBe(
    'application/vnd.oci.image.manifest.v1+json',
  );

  const registry = await readAlone(app, 'registry', repository);
  expectCached(registry, steps);
  expect(layers(world, registry)).toEqual(layers(world, first));
  const local = await readAlone(app, 'local');
  expectCached(local, steps);
  expect(layers(world, local)).toEqual(layers(world, first));
  // The first stage isn't in the image, and an inline cache is.
  const inline = await readAlone(app, 'inline', { 'moving-tags': 'latest' });
  expect(Number(inline.main.outputs['cache-hit-ratio']), whole(inline)).toBeGreaterThanOrEqual(0.6);
  expect(layers(world, inline)).toEqual(layers(world, first));
  expect(cacheTags('layers')).toEqual([tag]);
});

test('the registry cache has a tag of its own beside the image, which must be movable', async () => {
  const app = project();
  const run = () => world.run({ files: app.files, inputs: { cache: 'registry' } });
  const first = await run();
  expect(first.ok, whole(first)).toBe(true);
  expect(cacheTags('shop')).toHaveLength(1);

  // The tags of the run are new each time, so they may be immutable; the cache's tag may not.
  world.aws.ecr.setMutability('shop', 'IMMUTABLE_WITH_EXCLUSION', ['latest']);
  await prune(world, app);
  const calls = world.aws.requests.length;
  const refused = await world.run({
    files: app.changed('two'),
    inputs: { cache: 'registry' },
  });
  expect(refused.main.code).toBe(1);
  expect(refused.main.log).toMatch(/cache: registry would write the tag .*immutable/);
  expect(refused.main.log).toMatch(/cache-repository: .*exclude cache-\*/);
  expect(
    world.aws.requests.slice(calls).filter(({ action }) => action === 'registry:PutImage'),
  ).toEqual([]);

  world.aws.ecr.setMutability('shop', 'IMMUTABLE_WITH_EXCLUSION', ['latest', 'cache-*']);
  const again = await build(world, { files: app.files, inputs: { cache: 'registry' } });
  expectCached(again, steps);
});
