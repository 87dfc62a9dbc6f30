import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareKeys,
  functionRegister,
  highestKey,
  keyOfDigest,
  keyTag,
  keyTagPrefix,
  laneRegister,
  parseKeyTag,
  tagRegister,
  uselessKeyTags,
} from '../../src/turn/keys.ts';
import { FakeEcr, manifestOf, REPOSITORY } from './fakes.ts';

const key = (runId: number, runAttempt = 1) => ({ runId, runAttempt });
const R = tagRegister('https://github.com', 'latest');

test('a key tag is what ECR allows, and comes back as it went', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 50 }), fc.integer({ min: 1, max: 999 }), (id, n) => {
      const tag = keyTag(R, key(id, n), 'deadbeef');
      expect(tag).toMatch(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/);
      expect(tag.startsWith(keyTagPrefix(R))).toBe(true);
      expect(parseKeyTag(tag)).toEqual({ register: R, key: key(id, n), lane: 'deadbeef' });
    }),
  );
});

test.each([
  'latest',
  'lane-1234567.1.1-00000000',
  'lane-12345678.1-00000000',
  'lane-12345678.1.1',
  'lane-12345678.99999999999999999.1-00000000',
  'lane-12345678.1.1-00000000 ',
  'content-12345678',
])('%s is no key tag', (tag) => {
  expect(parseKeyTag(tag)).toBeUndefined();
});

test('a re-run is older than any later run, and newer than the attempt before', () => {
  expect(compareKeys(key(10, 9), key(11, 1))).toBeLessThan(0);
  expect(compareKeys(key(10, 2), key(10, 1))).toBeGreaterThan(0);
  expect(compareKeys(key(10, 2), key(10, 2))).toBe(0);
});

test('registers of different things differ', () => {
  const all = [
    R,
    tagRegister('https://github.com', 'v1'),
    tagRegister('https://ghe.example', 'latest'),
    laneRegister('https://github.com', 'latest'),
    functionRegister('latest'),
  ];
  expect(new Set(all).size).toBe(all.length);
  expect(all.every((id) => /^[0-9a-f]{8}$/.test(id))).toBe(true);
});

test('the highest key counts numbers, not characters', () => {
  const tags = [
    keyTag(R, key(99), 'aaaaaaaa'),
    keyTag(R, key(100, 2), 'aaaaaaaa'),
    keyTag(R, key(100, 10), 'aaaaaaaa'),
    keyTag('00000000', key(500), 'aaaaaaaa'),
    keyTag(R, key(101), 'bbbbbbbb'),
    'latest',
  ];
  expect(highestKey(tags, R)?.key).toEqual(key(101));
  expect(highestKey(tags, R, 'aaaaaaaa')?.key).toEqual(key(100, 10));
  expect(highestKey([], R)).toBeUndefined();
});

test('two jobs of one run on one tag: all agree which is on top', () => {
  const tags = [keyTag(R, key(5), 'aaaaaaaa'), keyTag(R, key(5), 'bbbbbbbb')];
  expect(highestKey(tags, R)?.lane).toBe('bbbbbbbb');
  expect(highestKey(tags.toReversed(), R)?.lane).toBe('bbbbbbbb');
});

test('only what a higher key of its lane covers is useless', () => {
  const old = keyTag(R, key(1), 'aaaaaaaa');
  const tags = [
    old,
    keyTag(R, key(2), 'aaaaaaaa'),
    keyTag(R, key(1), 'bbbbbbbb'),
    keyTag('00000000', key(1), 'aaaaaaaa'),
    'latest',
  ];
  expect(uselessKeyTags(tags, R)).toEqual([old]);
});

test('the key of a digest, for the deploy guard', async () => {
  const ecr = new FakeEcr();
  const image = ecr.push(
    manifestOf('a'),
    keyTag(R, key(3), 'aaaaaaaa'),
    keyTag(R, key(7), 'aaaaaaaa'),
  );
  const foreign = ecr.push(manifestOf('b'), 'latest');
  expect(await keyOfDigest(ecr, REPOSITORY.name, R, image.digest)).toEqual(key(7));
  expect(await keyOfDigest(ecr, REPOSITORY.name, R, foreign.digest)).toBeUndefined();
});
