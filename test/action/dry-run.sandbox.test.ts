import { afterAll, beforeAll, expect, test } from 'vitest';
import { justBuild, running, tiny } from './facts.ts';
import { openWorld, ship, whole, type World } from './kit.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test('a dry run builds, pushes its own tags, shows the plan, and moves nothing', async () => {
  const inputs = { ...justBuild, cache: 'off', provenance: 'false' };
  const { main } = await ship(world, { files: tiny(), inputs });
  const before = main.outputs['digest'] ?? '';
  const fn = await world.lambda.create('api', {
    image: `${world.aws.registryHost}/shop@${before}`,
  });
  const revision = fn.latest.revisionId;
  const since = world.aws.requests.length;

  const result = await ship(world, {
    files: tiny(),
    inputs: {
      ...inputs,
      'dry-run': 'true',
      'moving-tags': 'latest,stable',
      'lambda-functions': 'api:live',
      'lambda-invoke': '{}',
    },
  });
  const { outputs, summary, log } = result.main;
  const digest = outputs['digest'] ?? '';
  expect(digest).not.toBe(before);
  expect(log, whole(result)).toContain('A dry run: ');
  expect(log).toContain(`latest would be at ${digest} (was at ${before})`);
  expect(log).toContain(`stable would be at ${digest} (was at nothing)`);
  expect(summary).toMatch(/^## Dry run\n/);
  expect(summary).toContain('Would be at');
  expect(summary).toContain(
    `| \`latest\` | \`${before.slice(0, 19)}\` | \`${digest.slice(0, 19)}\` |`,
  );
  expect(summary).toMatch(/\| `api:live` \| nothing \| `sha256:\w{12}` \|  \| planned \|/);
  expect(outputs['order-result']).toBe('off');

  expect(world.tag('latest')).toBe(before);
  expect(world.tag('stable')).toBeUndefined();
  expect(running(world, 'api')).toBe(before);
  expect(fn).toMatchObject({ versions: [], latest: { revisionId: revision } });
  expect(fn.aliases.size).toBe(0);
  // Its own tags are all that was put: no moving tag, nothing announced.
  const put = world.aws.requests
    .slice(since)
    .filter(({ action }) => action === 'ecr:PutImage')
    .map(({ body }) => (JSON.parse(body) as { imageTag?: string }).imageTag);
  const own = (outputs['tags'] ?? '').split('\n');
  expect(put.filter((tag) => tag === undefined || !own.includes(tag))).toEqual([]);
  // AWS's own dry run is asked whether the function would take the image.
  const updates = world.aws.requests
    .slice(since)
    .filter(({ action }) => action === 'lambda:UpdateFunctionCode');
  expect(updates.map(({ body }) => (JSON.parse(body) as { DryRun?: boolean }).DryRun)).toEqual([
    true,
  ]);
});
