import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureBaseImages } from '../base-image/images.ts';
import { ensureEngine, type Engine } from './engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await ensureEngine();
});
afterAll(() => engine.release());

test('whoever asks at the same time gets the same engine', async () => {
  const others = await Promise.all([ensureEngine(), ensureEngine(), ensureEngine()]);
  for (const other of others) {
    expect(other.dockerHost).toBe(engine.dockerHost);
    expect(other.registryHost).toBe(engine.registryHost);
    other.release();
  }
});

test('the engine is there for others when one gives its lease back', async () => {
  const other = await ensureEngine();
  other.release();
  expect(await engine.must(['info', '--format', '{{.ServerVersion}}'])).toMatch(/^\d+\./);
});

test('an image is built on a base image, pushed, and run', async () => {
  const { busybox } = await ensureBaseImages(engine);
  const image = `${engine.registryHost}/engine-test/${process.pid}:1`;
  const dockerfile = `FROM ${busybox}\nRUN echo made > /made\nCMD ["cat", "/made"]\n`;
  const build = await engine.docker(['buildx', 'build', '--push', '-t', image, '-'], {
    input: dockerfile,
  });
  expect(build.stderr).toContain(image);
  expect(build.code).toBe(0);
  await engine.must(['rmi', image]);
  expect(await engine.must(['run', '--rm', image])).toBe('made\n');
  await engine.must(['rmi', '-f', image]);
});

test('python, pip and venv are in the Python base image', async () => {
  const { python } = await ensureBaseImages(engine);
  const code = 'import pip, venv, sys; print(sys.version_info[:2])';
  expect(await engine.must(['run', '--rm', python, 'python', '-c', code])).toBe('(3, 11)\n');
});
