import { expect, test } from 'vitest';
import type { Interpreter } from '../../src/python/interpreter.ts';
import { pythonKeys } from '../../src/python/keys.ts';

const interpreter: Interpreter = {
  executable: '/opt/hostedtoolcache/Python/3.13.1/x64/bin/python3.13',
  version: '3.13.1',
  implementation: 'cpython',
  platform: 'linux-x86_64',
  system: 'ubuntu 24.04',
  active: undefined,
  installed: [],
};
const options = {
  prefix: 'pip',
  base: '/home/runner/_temp/ship-to-ecr-python',
  interpreter,
  requirementsDigest: 'd'.repeat(64),
  installer: 'pip' as const,
};
const keys = pythonKeys(options);

test('keys say what they are for', () => {
  expect(keys.environment).toMatch(/^pip-env-linux-x86_64-py3\.13\.1-[0-9a-f]{64}$/);
  expect(keys.environmentFolder).toMatch(/^env-[0-9a-f]{12}$/);
  expect(keys.downloads).toBe(`pip-pip-linux-x86_64-py3.13-${'d'.repeat(64)}`);
  expect(keys.downloadsFallback).toEqual([
    'pip-pip-linux-x86_64-py3.13-',
    'pip-pip-linux-x86_64-py',
  ]);
});

test.each<[string, Partial<typeof options>]>([
  ['requirements', { requirementsDigest: 'e'.repeat(64) }],
  ['folder', { base: '/other' }],
  ['version', { interpreter: { ...interpreter, version: '3.13.2' } }],
  ['path', { interpreter: { ...interpreter, executable: '/usr/bin/python3.13' } }],
  ['system', { interpreter: { ...interpreter, system: 'ubuntu 22.04' } }],
  ['platform', { interpreter: { ...interpreter, platform: 'linux-aarch64' } }],
  ['what is installed already', { interpreter: { ...interpreter, installed: ['ruff-1'] } }],
  ['prefix', { prefix: 'v2' }],
])('another %s: another environment', (_, change) => {
  expect(pythonKeys({ ...options, ...change }).environment).not.toBe(keys.environment);
});

test('every fallback finds the download caches of the same family, and no environment', () => {
  for (const fallback of keys.downloadsFallback) {
    expect(keys.downloads.startsWith(fallback)).toBe(true);
    expect(keys.environment.startsWith(fallback)).toBe(false);
  }
  const uv = pythonKeys({ ...options, installer: 'uv' });
  expect(keys.downloadsFallback.some((fallback) => uv.downloads.startsWith(fallback))).toBe(false);
});
