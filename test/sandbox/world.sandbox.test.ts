import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lambdaApp, openWorld, unique, whole, type World } from '../action/kit.ts';

// An action in shell words: builds, pushes to the ECR front, uses BuildKit's gha cache.
const script = `
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
const { env } = process;
const host = env.TEST_HOST;
const docker = (...args) => execFileSync('docker', args, { stdio: ['ignore', 'inherit', 'inherit'] });
const config = mkdtempSync(env.RUNNER_TEMP + '/docker-');
execFileSync('cp', ['-rL', env.DOCKER_CONFIG + '/.', config]);
writeFileSync(config + '/config.json', JSON.stringify({ auths: { [host]: { auth: env.TEST_LOGIN } } }));
env.DOCKER_CONFIG = config;
docker('buildx', 'build', '--progress=plain', '--provenance=false', '-t', host + '/shop:latest', '--push',
  '--cache-to', 'type=gha,mode=max,scope=' + env.INPUT_SCOPE, '--cache-from', 'type=gha,scope=' + env.INPUT_SCOPE, '.');
`;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test('one run: real build, push through the ECR front, gha cache, function invoked', async () => {
  const main = join(world.folder, 'main.mjs');
  const post = join(world.folder, 'post.mjs');
  await writeFile(main, script);
  await writeFile(post, 'console.log("post of", process.env.GITHUB_RUN_NUMBER)');
  const scope = unique();
  const ecr = new ECRClient({
    endpoint: world.aws.url,
    region: world.aws.region,
    credentials: {
      accessKeyId: world.aws.credentials.accessKeyId,
      secretAccessKey: world.aws.credentials.secretAccessKey,
    },
  });
  const login = await ecr.send(new GetAuthorizationTokenCommand({}));
  const result = await world.run({
    files: lambdaApp(scope),
    inputs: { scope },
    env: {
      TEST_HOST: world.aws.registryHost,
      TEST_LOGIN: login.authorizationData?.[0]?.authorizationToken,
    },
    action: { main, post, file: join(world.folder, 'action.yml') },
  });
  if (result.main.code !== 0) throw new Error(whole(result));
  expect(result.post.log).toBe('post of 1');
  expect(result.leaks).toEqual([]);
  expect(world.tag('latest')).toMatch(/^sha256:/);
  expect(world.cache.entries().map((entry) => entry.key.replace(/-.*/, ''))).toContain('index');
  expect(world.github.findRun(result.runId)).toMatchObject({ conclusion: 'success' });

  const uri = `${world.aws.registryHost}/shop@${world.tag('latest')}`;
  const fn = await world.lambda.create(`fn-${scope}`, { image: uri });
  const answer = await world.lambda.invoker?.({
    fn,
    version: '$LATEST',
    pullReference: (await world.aws.image(uri))?.pullReference ?? '',
    payload: '{"hello":1}',
  });
  expect(answer).toMatchObject({ payload: `{"app":"${scope}","event":{"hello":1}}` });
});
