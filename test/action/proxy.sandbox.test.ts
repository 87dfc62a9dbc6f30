import { expect, test } from 'vitest';
import { startProxy } from '../sandbox/proxy.ts';
import { dockerfile, inWorld, ship, unique } from './kit.ts';

test('behind a proxy: AWS, GitHub and its caches are asked through it, the registry beside is not', async () => {
  await inWorld(async (world) => {
    await using proxy = await startProxy({
      'aws.example': new URL(world.aws.url).host,
      'api.example': new URL(world.github.url).host,
      'results.example': new URL(world.cache.url).host,
    });
    const folder = `/${unique()}`;
    const run = `RUN --mount=type=cache,target=${folder} date > ${folder}/now`;
    const result = await ship(world, {
      files: { Dockerfile: dockerfile(run) },
      inputs: { cache: 'off' },
      env: {
        http_proxy: proxy.url,
        https_proxy: proxy.url,
        AWS_ENDPOINT_URL: 'http://aws.example',
        GITHUB_API_URL: 'http://api.example',
        ACTIONS_RESULTS_URL: 'http://results.example/',
      },
    });
    expect(world.tag('latest')).toBe(result.main.outputs['digest']);
    expect(result.post.log).toContain(`Cache mount ${folder}: saved`);
    const asked = new Set(proxy.requests.map((line) => line.replace(/^\w+ |(\.example).*/g, '$1')));
    const blobs = `${world.cache.url.replace(/\/$/, '')}/devstoreaccount1/`;
    expect([...asked].filter((url) => !url.startsWith(blobs)).toSorted()).toEqual([
      'api.example',
      'http://aws.example',
      'results.example',
    ]);
  });
});
