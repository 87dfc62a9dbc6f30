import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Inputs } from '../../src/inputs/inputs.ts';
import { decideUnchanged, type UnchangedDecision } from '../../src/steps/unchanged.ts';

const workspace = mkdtempSync(join(tmpdir(), 'unchanged-'));
writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nARG SOURCE_DATE_EPOCH\nCOPY a /a\n');
writeFileSync(join(workspace, 'a'), 'a');
afterAll(() => rmSync(workspace, { recursive: true, force: true }));

interface Asked {
  readonly build?: Partial<Inputs['build']>;
  readonly image?: Partial<Inputs['image']>;
  readonly cache?: Partial<Inputs['cache']>;
  readonly builder?: Partial<Inputs['builder']>;
  readonly env?: NodeJS.ProcessEnv;
  readonly there?: ReadonlyMap<string, string> | Error;
}

function inputs({ build, image, cache, builder }: Asked): Inputs {
  return {
    build: {
      context: '.',
      file: '',
      target: '',
      platforms: [],
      buildArgs: [],
      buildContexts: [],
      ssh: [],
      network: '',
      shmSize: '',
      ulimit: [],
      addHosts: [],
      cgroupParent: '',
      pull: false,
      noCache: false,
      noCacheFilters: [],
      load: false,
      outputs: [],
      provenance: undefined,
      sbom: undefined,
      attests: [],
      call: 'build',
      skipUnchanged: true,
      secrets: [],
      ...build,
    },
    image: { labels: [], annotations: [], ...image },
    cache: { backends: ['gha'], to: [], from: [], ...cache },
    builder: { buildkitdConfig: '', buildkitdConfigInline: '', ...builder },
  } as unknown as Inputs;
}

function decide(asked: Asked = {}): Promise<UnchangedDecision> {
  return decideUnchanged(
    {
      inputs: inputs(asked),
      workspace,
      env: asked.env ?? {},
      repository: 'app',
      builderPlatform: 'linux/amd64',
    },
    {
      registry: {
        manifest: () => Promise.resolve(undefined),
        digest: () => Promise.resolve(undefined),
        blob: () => Promise.reject(new Error('not asked')),
      },
      ecr: {
        tagDigests: () =>
          asked.there instanceof Error
            ? Promise.reject(asked.there)
            : Promise.resolve(new Map(asked.there)),
      },
    },
  );
}

async function tagOf(asked: Asked = {}): Promise<string> {
  const { contentTag } = await decide(asked);
  if (contentTag === undefined) throw new Error('no tag');
  return contentTag;
}

test('nothing is built when an image with this content is there', async () => {
  const tag = await tagOf();
  const there = new Map([[tag, 'sha256:1']]);
  expect(await decide({ there })).toEqual({
    kind: 'unchanged',
    digest: 'sha256:1',
    contentTag: tag,
    why: `Unchanged: app has an image with this content (${tag}).`,
  });
});

test('what is built gets the tag by which it is found next time', async () => {
  expect(await decide()).toEqual({
    kind: 'build',
    why: 'Building, because app has no image with this content yet.',
    contentTag: expect.stringMatching(/^content-[0-9a-f]{40}$/),
  });
});

test('no-cache builds, and its image stands for this content from then on', async () => {
  const tag = await tagOf();
  const there = new Map([[tag, 'sha256:1']]);
  expect(await decide({ there, build: { noCache: true } })).toEqual({
    kind: 'build',
    why: 'Building, because no-cache asks for a build from scratch.',
    contentTag: tag,
  });
  const filtered = await decide({ there, build: { noCacheFilters: ['app'] } });
  expect(filtered).toMatchObject({ kind: 'build', contentTag: tag });
});

test.each<[string, Asked, RegExp]>([
  ['skip-unchanged: false', { build: { skipUnchanged: false } }, /skip-unchanged is off/],
  ['load', { build: { load: true } }, /load asks for/],
  ['call', { build: { call: 'check' } }, /call: check/],
  ['ssh', { build: { ssh: ['default'] } }, /with ssh/],
  ['other outputs', { build: { outputs: ['type=local,dest=out'] } }, /more than the image/],
  [
    'a second registry',
    { build: { outputs: ['type=image,name=x,push=true'] } },
    /more than the image/,
  ],
  [
    'a mirror',
    { builder: { buildkitdConfigInline: '[registry."docker.io"]\n  mirrors = ["m"]' } },
    /mirror/,
  ],
  [
    'a Git context',
    { build: { context: 'https://github.com/a/b.git' } },
    /can't be known: the context/,
  ],
])('%s: built without a tag', async (_, asked, why) => {
  const decision = await decide(asked);
  expect(decision).toEqual({ kind: 'build', why: expect.stringMatching(why) });
});

test('a repository that gives no answer is no reason to fail', async () => {
  const decision = await decide({ there: new Error('denied by ECR') });
  expect(decision).toMatchObject({
    kind: 'build',
    why: expect.stringContaining('denied by ECR'),
    contentTag: expect.any(String),
  });
});

test.each<[string, Asked]>([
  ['labels', { image: { labels: ['a=b'] } }],
  ['annotations', { image: { annotations: ['a=b'] } }],
  ['network', { build: { network: 'host' } }],
  ['names of add-hosts', { build: { addHosts: ['a:1.1.1.1'] } }],
  ['shm-size', { build: { shmSize: '1g' } }],
  ['ulimit', { build: { ulimit: ['nofile=1:1'] } }],
  ['cgroup-parent', { build: { cgroupParent: 'x' } }],
  ['provenance', { build: { provenance: 'false' } }],
  ['sbom', { build: { sbom: 'true' } }],
  ['attests', { build: { attests: ['type=sbom'] } }],
  ['compression', { build: { outputs: ['type=image,compression=zstd'] } }],
  ['an inline cache', { cache: { backends: ['inline'] } }],
  ['an inline cache, raw', { cache: { to: ['type=inline'] } }],
  ["BuildKit's own arguments", { build: { buildArgs: ['BUILDKIT_SANDBOX_HOSTNAME=x'] } }],
  ['SOURCE_DATE_EPOCH of the environment', { env: { SOURCE_DATE_EPOCH: '1' } }],
  ['a platform', { build: { platforms: ['linux/arm64'] } }],
])('%s: another content', async (_, asked) => {
  expect(await tagOf(asked)).not.toBe(await tagOf());
});

test.each<[string, Asked, Asked]>([
  ['secrets', {}, { build: { secrets: ['a=b'] } }],
  ['pull', {}, { build: { pull: true } }],
  ['caches', {}, { cache: { backends: ['s3'], to: ['type=registry,ref=x'] } }],
  [
    'an address of add-hosts',
    { build: { addHosts: ['a:1.1.1.1'] } },
    { build: { addHosts: ['a=2.2.2.2'] } },
  ],
  ['an argument that is not declared', {}, { build: { buildArgs: ['OTHER=1'] } }],
  [
    'an argument without a value that the environment lacks',
    {},
    { build: { buildArgs: ['OTHER'] } },
  ],
])('%s: the same content', async (_, before, after) => {
  expect(await tagOf(after)).toBe(await tagOf(before));
});
