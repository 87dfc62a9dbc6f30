import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { baseImages } from '../../src/image/content/base-images.ts';
import { connectLocalImages } from '../../src/systems/local-images.ts';
import type { Run } from '../../src/systems/process.ts';
import { connectRegistry } from '../../src/systems/registry.ts';
import { busyboxImage, ensureBusybox } from '../sandbox/base-image/images.ts';
import { ensureEngine, type Engine } from '../sandbox/engine/engine.ts';

let engine: Engine;
let image: string;
beforeAll(async () => {
  engine = await ensureEngine();
  await ensureBusybox(engine);
  image = `${engine.registryHost}/registry-test/${process.pid}`;
});
afterAll(async () => {
  await engine.docker(['rmi', '-f', `${image}:index`, `${image}:plain`]);
  engine.release();
});

const amd64 = { os: 'linux', architecture: 'amd64', variant: '' };

test('a real registry: an index with attestations, its image for a platform, its settings', async () => {
  await engine.must(
    ['buildx', 'build', '--provenance=mode=max', '--push', '-t', `${image}:index`, '-'],
    { input: `FROM ${busyboxImage}\nENV A=1\nONBUILD COPY . /app\n` },
  );
  const registry = connectRegistry();
  const index = await registry.manifest(image, 'index');
  expect(index?.mediaType).toBe('application/vnd.oci.image.index.v1+json');
  expect(await registry.digest(image, 'index')).toBe(index?.digest);
  expect(await registry.digest(image, 'none')).toBeUndefined();

  const { manifests } = JSON.parse(index?.body ?? '') as {
    manifests: { digest: string; platform: { architecture: string } }[];
  };
  const child = manifests.find(({ platform }) => platform.architecture === 'amd64');
  const found = await baseImages(registry)(`${image}:index`, amd64);
  expect(found).toMatchObject({ digest: child?.digest, onbuild: ['COPY . /app'] });
  expect(found.env).toContain('A=1');
  await expect(
    baseImages(registry)(`${image}:index`, { ...amd64, architecture: 'riscv64' }),
  ).rejects.toThrow(/no manifest of exactly linux\/riscv64/);
});

test('an image of this Docker wins over the registry', async () => {
  await engine.must(['buildx', 'build', '--provenance=false', '-t', `${image}:plain`, '-'], {
    input: `FROM ${busyboxImage}\nENV B=2\n`,
  });
  const run: Run = async (_command, args) => {
    const { code, stdout, stderr } = await engine.docker(args);
    return { code, signal: null, stdout, stderr };
  };
  const find = baseImages(connectRegistry(), connectLocalImages(run, undefined));
  const id = await engine.must(['image', 'inspect', '--format', '{{.Id}}', `${image}:plain`]);
  const found = await find(`${image}:plain`, amd64);
  expect(found.digest).toBe(`local:${id.trim()}`);
  expect(found.env).toContain('B=2');
  await expect(find(`${image}:none`, amd64)).rejects.toThrow(/is not in its registry/);
});
