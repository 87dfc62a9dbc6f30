import { expect, onTestFinished, test } from 'vitest';
import { build, expectCached, layers, project, steps } from './cached.ts';
import { openWorld, whole } from './kit.ts';
import { startBuildkitd } from '../sandbox/buildkit.ts';
import { startS3 } from '../sandbox/s3/s3.ts';

// Docker's own BuildKit doesn't know S3: a BuildKit service does.

test('s3: every step from the bucket, and nothing of the AWS keys gets out', async ({ skip }) => {
  const buildkitd = await startBuildkitd();
  if (buildkitd === undefined) return skip('BuildKit could not be built here');
  onTestFinished(() => buildkitd[Symbol.asyncDispose]());
  const s3 = await startS3();
  if (s3 === undefined) return skip('no S3 here: moto could not be installed');
  onTestFinished(() => s3[Symbol.asyncDispose]());
  await using world = await openWorld();
  await s3.createBucket('layers');
  const app = project(`${world.engine.registryHost}/sandbox/busybox:1`);
  const run = () =>
    build(world, {
      files: app.files,
      env: { AWS_ENDPOINT_URL_S3: s3.endpoint },
      inputs: {
        endpoint: buildkitd.address,
        cache: 's3',
        'cache-bucket': 'layers',
        'cache-region': 'us-east-1',
        'cache-prefix': 'ci',
      },
    });

  const cold = await run();
  expectCached(cold, 0);
  expect(cold.main.log, whole(cold)).toContain('Builder: the BuildKit service');
  const keys = (await s3.list('layers')).map(({ key }) => key);
  expect(keys).toContainEqual(expect.stringMatching(/^ci\/manifests\/shop-main-/));
  expect(keys).toContainEqual(expect.stringMatching(/^ci\/blobs\/sha256:/));

  expect(await buildkitd.buildctl(['prune', '--all'])).toMatchObject({ code: 0 });
  const warm = await run();
  expectCached(warm, steps);
  expect(layers(world, warm)).toEqual(layers(world, cold));
  expect([...cold.leaks, ...warm.leaks]).toEqual([]);
  return undefined;
});
