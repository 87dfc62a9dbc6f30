import { expect, test } from 'vitest';
import type { RunContext } from '../../src/context.ts';
import { type CacheRequest, mayWriteCache, planCache } from '../../src/image/cache-plan.ts';
import { cacheScopes } from '../../src/image/cache-scope.ts';
import { read, sampleContext } from '../inputs/kit.ts';
import { containerBuilder, dockerBuilder, plainDockerBuilder } from './sample.ts';

const repository = 'host.test/team/app';
const branch: Partial<RunContext> = { ref: 'refs/heads/x', refName: 'x' };

function plan(
  values: Record<string, string>,
  changes: Partial<CacheRequest> = {},
  where: Partial<RunContext> = {},
) {
  const context = sampleContext(where);
  const inputs = read(values);
  const { own, others } = cacheScopes(inputs, context, 'linux/amd64');
  const found = planCache({
    inputs,
    context,
    repository,
    builder: dockerBuilder,
    gha: { available: true },
    mayWrite: mayWriteCache(inputs, context),
    pushes: true,
    ...changes,
  });
  // Scopes are shown as what they are.
  const shown = (text: string) => {
    let line = text.replaceAll(own, 'OWN');
    for (const other of others) line = line.replaceAll(other, 'MAIN');
    return line;
  };
  return { ...found, from: found.from.map(shown), to: found.to.map(shown), own };
}

test('gha: own branch, then the default branch', () => {
  expect(plan({}, {}, branch)).toMatchObject({
    from: ['type=gha,scope=OWN', 'type=gha,scope=MAIN'],
    to: ['type=gha,scope=OWN,mode=max,ignore-error=true,timeout=5m'],
    local: undefined,
    notices: [],
    backends: ['gha'],
  });
});

test("registry: in the image's repository, by tags", () => {
  expect(plan({ cache: 'registry', 'cache-mode': 'min' }, {}, branch)).toMatchObject({
    from: [
      `type=registry,ref=${repository}:cache-OWN`,
      `type=registry,ref=${repository}:cache-MAIN`,
    ],
    to: [
      `type=registry,ref=${repository}:cache-OWN,mode=min,image-manifest=true,oci-mediatypes=true,ignore-error=true`,
    ],
    notices: [],
  });
});

test.each([
  ['team/cache', 'host.test/team/cache'],
  ['ghcr.io/team/cache', 'ghcr.io/team/cache'],
])('registry: in the repository %s', (asked, wanted) => {
  expect(plan({ cache: 'registry', 'cache-repository': asked }).from).toEqual([
    `type=registry,ref=${wanted}:cache-OWN`,
  ]);
});

const s3 = { cache: 's3', 'cache-bucket': 'layers' };

test('s3: without credentials', () => {
  const found = plan(s3, { builder: containerBuilder }, branch);
  const place = 'type=s3,region=eu-west-1,bucket=layers,prefix=buildkit-cache/';
  expect(found.from).toEqual([`${place},name=OWN`, `${place},name=MAIN`]);
  expect(found.to).toEqual([`${place},name=OWN,mode=max,ignore-error=true`]);
});

test('s3: in another Region, under another prefix, at another endpoint', () => {
  const more = { 'cache-region': 'us-east-1', 'cache-prefix': 'a/b' };
  const found = plan(
    { ...s3, ...more },
    { builder: containerBuilder, s3Endpoint: 'http://s3:9000' },
  );
  expect(found.from).toEqual([
    'type=s3,region=us-east-1,bucket=layers,prefix=a/b/,endpoint_url=http://s3:9000,use_path_style=true,name=OWN',
  ]);
});

test('local: into a new folder, kept under a key of this run', () => {
  const { from, to, local, own } = plan({ cache: 'local' }, {}, branch);
  const folder = `/tmp/runner/ship-to-ecr-layers/OWN`;
  expect(from).toEqual([`type=local,src=${folder}/from`]);
  expect(to).toEqual([`type=local,dest=${folder}/to,mode=max,ignore-error=true`]);
  expect(local?.key).toBe(`ship-to-ecr-layers-${own}-7001-1`);
  expect(local?.restoreKeys).toHaveLength(2);
  expect(local?.restoreKeys[0]).toBe(`ship-to-ecr-layers-${own}-`);
});

test('inline: from the moving tags, and only with an image that is pushed', () => {
  expect(plan({ cache: 'inline', 'moving-tags': 'latest,edge' })).toMatchObject({
    from: [`type=registry,ref=${repository}:latest`, `type=registry,ref=${repository}:edge`],
    to: ['type=inline'],
  });
  expect(plan({ cache: 'inline' }, { pushes: false }).to).toEqual([]);
  expect(plan({ cache: 'inline', 'moving-tags': '' }).notices).toEqual([
    expect.stringContaining('read by nobody'),
  ]);
});

test('several at once, then what was given raw', () => {
  const found = plan({
    cache: 'gha\ninline',
    'cache-from': 'type=gha,scope=old\nghcr.io/a/b:c',
    'cache-to':
      'type=registry,ref=ghcr.io/a/b:c,mode=max\ntype=inline\nghcr.io/a/b:d\ntype=gha,ignore-error=false',
  });
  expect(found.from).toEqual([
    'type=gha,scope=OWN',
    `type=registry,ref=${repository}:latest`,
    'type=gha,scope=old',
    'ghcr.io/a/b:c',
  ]);
  expect(found.to).toEqual([
    'type=gha,scope=OWN,mode=max,ignore-error=true,timeout=5m',
    'type=inline',
    'type=registry,ref=ghcr.io/a/b:c,mode=max,ignore-error=true',
    'type=registry,ref=ghcr.io/a/b:d,ignore-error=true',
    'type=gha,ignore-error=false',
  ]);
  expect(found.backends).toEqual(['gha', 'inline']);
});

test('off is off, and a call needs none', () => {
  expect(plan({ cache: 'off' })).toMatchObject({ from: [], to: [], backends: [], notices: [] });
  expect(plan({ call: 'check' })).toMatchObject({ from: [], to: [], backends: [] });
});

test('no-cache reads nothing and stores all the same', () => {
  expect(plan({ 'no-cache': 'true' })).toMatchObject({
    from: [],
    to: ['type=gha,scope=OWN,mode=max,ignore-error=true,timeout=5m'],
  });
});

const away = { available: false, why: 'ACTIONS_RESULTS_URL is not set' } as const;

test('gha that is not there becomes the registry, and says so', () => {
  const found = plan({}, { gha: away });
  expect(found.backends).toEqual(['registry']);
  expect(found.notices).toEqual([
    "GitHub's cache is not available (ACTIONS_RESULTS_URL is not set): layers are kept in the registry instead.",
  ]);
});

test('gha that is not there, beside a registry that was asked for', () => {
  const found = plan({ cache: 'gha\nregistry' }, { gha: away });
  expect(found.backends).toEqual(['registry']);
  expect(found.notices.join()).toContain('kept in the registry alone');
});

test('gha that is not there, and nothing in its place', () => {
  for (const changes of [{ account: false }, { movable: () => false }]) {
    const found = plan({}, { gha: away, ...changes });
    expect(found).toMatchObject({ backends: [], from: [], to: [] });
    expect(found.notices.join()).toContain('this backend is left out');
  }
});

test('a registry whose tags are immutable is refused before the build, with the way out', () => {
  const movable = (name: string, tag: string) => name !== repository || !tag.startsWith('cache-');
  const attempt = (values: Record<string, string>) =>
    plan({ cache: 'registry', ...values }, { movable });
  expect(() => attempt({})).toThrow(
    expect.objectContaining({
      message: expect.stringContaining("that repository's tags can't be moved (immutable)"),
      hint: expect.stringContaining('cache-repository: team/app-cache'),
    }),
  );
  expect(attempt({ 'cache-repository': 'team/cache' }).to).toHaveLength(1);
  expect(attempt({ 'cache-write': 'never' }).from).toHaveLength(1);
});

test('forks only read, and only what needs no account', () => {
  const fork = { ...branch, fork: true, headRef: 'x', baseRef: 'main' };
  const found = plan({ cache: 'gha\nregistry' }, { account: false, pushes: false }, fork);
  expect(found.from).toEqual(['type=gha,scope=OWN', 'type=gha,scope=MAIN']);
  expect(found.to).toEqual([]);
  expect(found.notices).toEqual([
    'The registry cache is left out: this run has no AWS credentials.',
    'Caches are only read: pull requests from forks and Dependabot write none.',
  ]);
});

test.each([
  ['auto', false, true],
  ['auto', true, false],
  ['always', true, true],
  ['never', false, false],
])('cache-write %s, fork %s: %s', (write, fork, wanted) => {
  expect(mayWriteCache(read({ 'cache-write': write }), sampleContext({ fork }))).toBe(wanted);
});

test('never writes raw ones either', () => {
  const found = plan({ 'cache-write': 'never', 'cache-to': 'type=gha' });
  expect(found.to).toEqual([]);
  expect(found.notices).toEqual(['Caches are only read, as cache-write says.']);
});

test('a run that GitHub lets read only writes the other caches all the same', () => {
  const gha = { available: true, writable: false } as const;
  const found = plan({ cache: 'gha\ninline' }, { gha });
  expect(found.to).toEqual(['type=inline']);
  expect(found.notices).toEqual([
    "GitHub's cache is only read: this run's cache-mode lets it write none.",
  ]);
});

test("the docker driver without the store: inline only, and it's said", () => {
  const found = plan(
    { cache: 'gha\ninline', 'cache-to': 'type=local,dest=a' },
    { builder: plainDockerBuilder },
  );
  expect(found.to).toEqual(['type=inline']);
  expect(found.notices.join()).toContain(
    "the docker driver can't without the containerd image store",
  );
});

test('s3 on a builder that does not know it is left out with a notice', () => {
  const found = plan(s3);
  expect(found).toMatchObject({ from: [], to: [], backends: [] });
  expect(found.notices.join()).toContain('The s3 cache is left out');
});
