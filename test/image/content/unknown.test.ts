import { expect, test } from 'vitest';
import { contentTag } from '../../../src/image/content/content-digest.ts';
import { ask, type Case } from './kit.ts';

const images = { base: {} };

test.each<[string, Case, RegExp]>([
  [
    'a Git context',
    { settings: { context: 'https://github.com/a/b.git#main' } },
    /is not a folder/,
  ],
  ['a Git context by SSH', { settings: { context: 'git@github.com:a/b.git' } }, /is not a folder/],
  ['the standard input', { settings: { context: '-' } }, /is not a folder/],
  [
    'a remote ADD',
    { dockerfile: 'FROM scratch\nADD https://example.com/x /x\n' },
    /ADD https:\/\/example.com\/x fetches what can change/,
  ],
  [
    'ADD of a Git repository',
    { dockerfile: 'FROM scratch\nADD git@github.com:a/b.git /x\n' },
    /fetches what can change/,
  ],
  [
    'a remote ADD by a variable',
    { dockerfile: 'FROM scratch\nARG U=https://x\nADD $U/y /x\n' },
    /https:\/\/x\/y/,
  ],
  [
    'an SSH mount',
    { dockerfile: 'FROM base\nRUN --mount=type=ssh git fetch\n', images },
    /type=ssh/,
  ],
  ['a base image that is not found', { dockerfile: 'FROM gone:1\n' }, /no image gone:1/],
  ['an OCI layout', { settings: { buildContexts: [['x', 'oci-layout:///x']] } }, /named context x/],
  [
    'a Git repository as named context',
    { settings: { buildContexts: [['x', 'https://github.com/a/b.git']] } },
    /named context x/,
  ],
  [
    'a foreign frontend',
    { dockerfile: '# syntax=example.com/own:1\nFROM scratch\n' },
    /in its own way/,
  ],
  ['a foreign frontend by argument', { buildArgs: { BUILDKIT_SYNTAX: 'own:1' } }, /in its own way/],
  ['a Windows image', { settings: { platforms: ['windows/amd64'] } }, /Windows/],
  ['no platform', { builderPlatform: undefined }, /platform is not known/],
  [
    "the builder's platform in use",
    {
      builderPlatform: undefined,
      settings: { platforms: ['linux/arm64'] },
      dockerfile: 'FROM --platform=$BUILDPLATFORM base\n',
      images,
    },
    /BUILDPLATFORM/,
  ],
  ['no Dockerfile', { settings: { file: 'none/Dockerfile' } }, /there is no Dockerfile/],
  ['a Dockerfile from the standard input', { settings: { file: '-' } }, /is not a file/],
  ['an empty Dockerfile', { dockerfile: '# nothing\n' }, /no instructions/],
  ['an unknown instruction', { dockerfile: 'FROM scratch\nCOPPY a b\n' }, /COPPY is not known/],
  ['an unknown target', { settings: { target: 'no' } }, /no stage no/],
  ['a variable that must be set', { dockerfile: 'FROM ${B:?name it}\n' }, /name it/],
  [
    'a circle of stages',
    { dockerfile: 'FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /\n' },
    /in a circle/,
  ],
  [
    'proxy settings that an ARG takes in',
    { dockerfile: 'FROM scratch\nARG HTTPS_PROXY\n' },
    /proxy settings/,
  ],
  ['a malformed ignore file', { files: { '.dockerignore': '[a' } }, /malformed/],
])('%s leaves it to BuildKit', async (_, given, why) => {
  expect(await ask(given)).toEqual({ kind: 'unknown', why: expect.stringMatching(why) });
});

test('an SBOM of more than the image leaves it to BuildKit', async () => {
  const dockerfile = 'ARG BUILDKIT_SBOM_SCAN_CONTEXT=true\nFROM scratch\n';
  expect(await ask({ dockerfile })).toMatchObject({
    kind: 'unknown',
    why: expect.stringMatching(/SBOM/),
  });
});

test('a checksum makes a remote ADD known', async () => {
  const dockerfile = `FROM scratch\nADD --checksum=sha256:${'0'.repeat(64)} https://example.com/x /x\n`;
  expect(await ask({ dockerfile })).toMatchObject({ kind: 'known', files: 0 });
});

test('what was looked at is told', async () => {
  const dockerfile = 'FROM base\nCOPY a /a\n';
  expect(await ask({ dockerfile, images, files: { a: '12345', b: '' } })).toEqual({
    kind: 'known',
    digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    files: 1,
    bytes: 5,
    bases: [{ reference: 'base', digest: 'sha256:base' }],
  });
});

test('the tag is short enough to read, and says what it is', () => {
  const hex = 'ab'.repeat(32);
  expect(contentTag(`sha256:${hex}`)).toBe(`content-${hex.slice(0, 40)}`);
});
