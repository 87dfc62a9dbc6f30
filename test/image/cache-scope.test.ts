import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunContext } from '../../src/context.ts';
import { branches, cacheScopes } from '../../src/image/cache-scope.ts';
import { isTag } from '../../src/image/reference.ts';
import { read, sampleContext } from '../inputs/kit.ts';

const cases: readonly [string, Partial<RunContext>, readonly string[]][] = [
  ['a push to the default branch', {}, ['main']],
  [
    'a push to another',
    { ref: 'refs/heads/feature/x', refName: 'feature/x' },
    ['feature/x', 'main'],
  ],
  [
    'a pull request',
    { ref: 'refs/pull/7/merge', refName: '7/merge', headRef: 'feature', baseRef: 'release' },
    ['feature', 'release', 'main'],
  ],
  [
    "a fork's pull request from its main",
    { ref: 'refs/pull/7/merge', refName: '7/merge', headRef: 'main', baseRef: 'main', fork: true },
    ['fork-main', 'main'],
  ],
  ['a tag', { ref: 'refs/tags/v1', refName: 'v1' }, ['tags', 'main']],
  [
    'a merge queue',
    {
      ref: 'refs/heads/gh-readonly-queue/release/2/pr-7-abc',
      refName: 'gh-readonly-queue/release/2/pr-7-abc',
    },
    ['merge-queue-release/2', 'release/2', 'main'],
  ],
  ['no default branch known', { defaultBranch: '' }, ['main']],
];

test.each(cases)('branches of %s', (_, changes, wanted) => {
  expect(branches(sampleContext(changes))).toEqual(wanted);
});

const scopes = (values: Record<string, string>, context: Partial<RunContext> = {}) =>
  cacheScopes(read(values), sampleContext(context), 'linux/amd64');

test('a scope is for reading too', () => {
  expect(scopes({}).own).toMatch(/^app-main-[0-9a-f]{12}$/);
  expect(scopes({})).toEqual(scopes({ platforms: 'linux/amd64', 'build-args': 'A=1' }));
});

test('each image has its own; the order of platforms is none', () => {
  const images: Record<string, string>[] = [
    {},
    { repository: 'other/app' },
    { target: 'test' },
    { platforms: 'linux/arm64' },
    { platforms: 'linux/amd64,linux/arm64' },
    { context: 'app' },
    { file: 'app/Dockerfile' },
  ];
  expect(new Set(images.map((image) => scopes(image).own)).size).toBe(images.length);
  expect(scopes({ platforms: 'linux/arm64,linux/amd64' })).toEqual(
    scopes({ platforms: 'linux/amd64,linux/arm64' }),
  );
});

test('a branch reads what the default branch writes', () => {
  const branch = scopes({}, { ref: 'refs/heads/x', refName: 'x' });
  expect(branch.others).toEqual([scopes({}).own]);
  expect(scopes({}).others).toEqual([]);
});

test('a scope that is asked for is taken as it is', () => {
  expect(scopes({ 'cache-scope': 'shop' }, { refName: 'x' })).toEqual({ own: 'shop', others: [] });
});

test('any branch makes a valid tag, and none is the beginning of another', () => {
  const name = fc.string({ minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(name, name, (one, two) => {
      fc.pre(one !== two);
      const inputs = { ...read({ repository: `t/${'x'.repeat(80)}` }) };
      const [a, b] = [one, two].map(
        (refName) =>
          cacheScopes(
            inputs,
            sampleContext({ ref: `refs/heads/${refName}`, refName }),
            'linux/amd64',
          ).own,
      );
      expect(isTag(`cache-${a}`)).toBe(true);
      expect(a?.length).toBeLessThanOrEqual(100);
      expect(a?.startsWith(b ?? '')).toBe(false);
      expect(b?.startsWith(a ?? '')).toBe(false);
    }),
    { numRuns: 40 },
  );
});
