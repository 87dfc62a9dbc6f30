import { describe, expect, it } from 'vitest';
import type { BuildFailure } from '../../src/image/build-failure.ts';
import {
  cacheEntryType,
  mergeAttempts,
  nextTry,
  startTries,
} from '../../src/image/build-retries.ts';
import { cacheNotices } from '../../src/image/cache-outcome.ts';
import { countSteps, kindOf, type Vertex } from '../../src/image/progress.ts';
import { planOf } from '../build-plan.ts';

const vertex = (name: string, rest: Partial<Vertex> = {}): Vertex => ({
  digest: name,
  number: 1,
  name,
  kind: kindOf(name),
  cached: false,
  ms: 1,
  error: '',
  begun: true,
  completed: true,
  output: [],
  ...rest,
});
const interrupted: BuildFailure = { kind: 'push', reason: 'interrupted', text: 'unexpected EOF' };
const denied: BuildFailure = { kind: 'push', reason: 'denied', text: '403' };

describe('nextTry', () => {
  it('pushes an interrupted push again, later each time, five times', () => {
    const plan = planOf();
    const delays: number[] = [];
    let tries = startTries;
    for (;;) {
      const next = nextTry(interrupted, plan, tries, { login: true });
      if (next === undefined) break;
      delays.push(next.delay);
      expect(next).toMatchObject({ login: false, notice: false, plan });
      tries = next.tries;
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000]);
  });

  it('does not run the steps of a no-cache build again to push it, nor take them from elsewhere', () => {
    const plan = planOf({ noCache: true, noCacheFilters: ['build'], cacheFrom: ['type=gha'] });
    expect(nextTry(interrupted, plan, startTries, { login: false })?.plan).toMatchObject({
      noCache: false,
      noCacheFilters: [],
      cacheFrom: [],
    });
  });

  it('asks for a fresh login once where it can', () => {
    const plan = planOf();
    const next = nextTry(denied, plan, startTries, { login: true });
    expect(next).toMatchObject({ login: true, delay: 0 });
    expect(nextTry(denied, plan, next?.tries ?? startTries, { login: true })).toBeUndefined();
    expect(nextTry(denied, plan, startTries, { login: false })).toBeUndefined();
  });

  it('asks for none where IAM says that a permission is missing', () => {
    const text = 'denied: User: arn:aws:iam::1:role/x is not authorized to perform: ecr:PutImage';
    const missing = { ...denied, text };
    expect(nextTry(missing, planOf(), startTries, { login: true })).toBeUndefined();
  });

  it('leaves out the cache that broke the build, and says so', () => {
    const plan = planOf({
      cacheFrom: ['h/a:cache', 'type=gha,scope=x'],
      cacheTo: ['type=gha,mode=max', 'type=registry,ref=h/a:cache'],
    });
    const failure: BuildFailure = { kind: 'cache', direction: 'export', type: 'gha', text: '503' };
    const next = nextTry(failure, plan, startTries, { login: false });
    expect(next).toMatchObject({
      notice: true,
      plan: { cacheTo: ['type=registry,ref=h/a:cache'], cacheFrom: plan.cacheFrom },
    });
    const unknown: BuildFailure = {
      kind: 'cache',
      direction: 'import',
      type: undefined,
      text: 'gone',
    };
    const without = nextTry(unknown, plan, startTries, { login: false })?.plan ?? plan;
    expect(without).toMatchObject({ cacheFrom: [], cacheTo: plan.cacheTo });
    expect(nextTry(unknown, without, startTries, { login: false })).toBeUndefined();
  });

  it('tries a passing failure of a base image again, and nothing that is the Dockerfile’s fault', () => {
    const base = (transient: boolean): BuildFailure => ({
      kind: 'base',
      transient,
      name: 'x',
      text: '503',
    });
    expect(nextTry(base(true), planOf(), startTries, { login: true })?.delay).toBe(2000);
    expect(
      nextTry(base(true), planOf(), { ...startTries, base: 3 }, { login: true }),
    ).toBeUndefined();
    expect(nextTry(base(false), planOf(), startTries, { login: true })).toBeUndefined();
    const step: BuildFailure = {
      kind: 'step',
      name: '[2/2] RUN x',
      exitCode: 1,
      text: 'exit code: 1',
    };
    expect(nextTry(step, planOf(), startTries, { login: true })).toBeUndefined();
  });
});

describe('mergeAttempts', () => {
  it('counts a step as run when the first attempt ran it', () => {
    const merged = mergeAttempts([
      [
        vertex('[1/2] RUN a', { cached: true }),
        vertex('[2/2] RUN b'),
        vertex('exporting to image', { error: 'EOF' }),
      ],
      [
        vertex('[1/2] RUN a', { cached: true }),
        vertex('[2/2] RUN b', { cached: true }),
        vertex('exporting to image', { ms: 7 }),
      ],
    ]);
    expect(countSteps(merged)).toEqual({ cached: 1, run: 1 });
    expect(merged.find(({ name }) => name === 'exporting to image')).toMatchObject({
      error: '',
      ms: 7,
    });
  });
});

describe('cacheNotices', () => {
  const plan = { cacheFrom: ['type=registry,ref=h/a:c'], cacheTo: ['type=registry,ref=h/a:c'] };

  it('says nothing when the cache was written and confirmed, or is not there yet', () => {
    const vertexes = [
      vertex('importing cache manifest from h/a:c', {
        error: 'failed to configure registry cache importer: h/a:c: not found',
      }),
      vertex('exporting cache to registry'),
    ];
    expect(cacheNotices(plan, vertexes, true)).toEqual([]);
  });

  it.each([
    [
      'an ignored export error',
      [vertex('exporting cache to registry', { error: '403 Forbidden' })],
      'was not written',
    ],
    ['no export at all', [], 'did not write it'],
    ['no confirmation', [vertex('exporting cache to registry')], 'may not have been written'],
  ])('tells of %s', (_what, vertexes, words) => {
    expect(cacheNotices(plan, vertexes, false)).toEqual([expect.stringContaining(words)]);
  });

  it('tells of a cache that is there but could not be read', () => {
    const vertexes = [
      vertex('importing cache manifest from h/a:c', { error: 'connection refused' }),
    ];
    expect(cacheNotices({ ...plan, cacheTo: [] }, vertexes, false)).toEqual([
      'The cache h/a:c could not be read, so the build did without it: connection refused',
    ]);
  });

  it.each([
    ['type=gha,mode=max', 'gha'],
    ['mode=max,type=s3,bucket=b', 's3'],
    ['"type=local","src=/a,b"', 'local'],
    ['h/a:cache', 'registry'],
  ])('%s is of type %s', (entry, type) => {
    expect(cacheEntryType(entry)).toBe(type);
  });
});
