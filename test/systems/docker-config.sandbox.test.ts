import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeDockerConfig } from '../../src/systems/docker-config.ts';
import { busyboxImage, ensureBusybox } from '../sandbox/base-image/images.ts';
import { startAws, type AwsSandbox } from '../sandbox/aws/index.ts';
import { ensureEngine, type Engine } from '../sandbox/engine/engine.ts';
import { ecrOf } from './aws-kit.ts';

let engine: Engine;
let aws: AwsSandbox;
let root = '';

beforeAll(async () => {
  engine = await ensureEngine();
  await ensureBusybox(engine);
  aws = await startAws({ registryHost: engine.registryHost });
  Object.assign(process.env, aws.env);
  root = await mkdtemp(join(tmpdir(), 'docker-config-'));
});
afterAll(async () => {
  await aws.close();
  engine.release();
  await rm(root, { recursive: true, force: true });
});

test('buildx pushes an index with our login beside a credsStore that knows nothing of it', async () => {
  aws.ecr.createRepository('shop');
  // The user's helper notes what it is asked for, and has no login for anything.
  const asked = join(root, 'asked');
  const helper = join(root, 'docker-credential-noting');
  await writeFile(
    helper,
    `#!/bin/sh\nread host; echo "$host" >> ${asked}\necho "credentials not found in native keychain"; exit 1\n`,
  );
  await chmod(helper, 0o755);
  const userFolder = join(root, 'user');
  await mkdir(userFolder);
  await writeFile(join(userFolder, 'config.json'), '{"credsStore":"noting"}');
  const plugins = join(engine.env['DOCKER_CONFIG'] ?? '', 'cli-plugins');
  const folder = join(root, 'ours');
  const ecr = ecrOf(aws);
  await writeDockerConfig({
    folder,
    userFolder,
    logins: [await ecr.login()],
    notice: (message) => expect.fail(message),
  });
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({ ...config, cliPluginsExtraDirs: [plugins] }),
  );

  const name = `${aws.registryHost}/shop:run-1`;
  const env = {
    ...engine.env,
    DOCKER_CONFIG: folder,
    PATH: `${root}:${engine.env['PATH']}`,
  };
  await engine.must(['buildx', 'build', '--provenance=mode=max', '--push', '-t', name, '-'], {
    env,
    input: `FROM ${busyboxImage}\nLABEL what=config\n`,
  });

  const digest = (await ecr.tagDigests('shop', ['run-1'])).get('run-1') ?? '';
  const index = await ecr.manifest('shop', digest);
  expect(index?.mediaType).toBe('application/vnd.oci.image.index.v1+json');
  if (index === undefined) return;
  await ecr.putTag('shop', 'latest', index);
  expect(await ecr.tagsOf('shop', digest)).toEqual(['run-1', 'latest']);
  const { manifests } = JSON.parse(index.body) as { manifests: { digest: string }[] };
  expect(manifests.length).toBe(2);
  for (const child of manifests) {
    expect((await ecr.manifest('shop', child.digest))?.digest).toBe(child.digest);
  }

  const hosts = await readFile(asked, 'utf8').catch(() => '');
  expect(hosts).not.toContain(aws.registryHost);
});
