import { expect, test } from 'vitest';
import {
  isRegion,
  isRepositoryName,
  isTag,
  parseEcrHost,
  parseReference,
} from '../../src/image/reference.ts';
import { defaultTags, isMachineTag, runTag } from '../../src/image/tags.ts';

test.each([
  ['123456789012.dkr.ecr.eu-west-1.amazonaws.com', 'eu-west-1', false],
  ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', 'cn-north-1', false],
  ['123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu', 'eusc-de-east-1', false],
  ['123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov', 'us-iso-east-1', false],
  ['123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov', 'us-isob-east-1', false],
  ['123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1', true],
  ['123456789012.dkr-ecr.us-east-1.on.aws', 'us-east-1', false],
  ['123456789012.dkr-ecr-fips.us-east-1.on.aws', 'us-east-1', true],
  ['123456789012.dkr.ecr.us-east-1.localhost.localstack.cloud:4566', 'us-east-1', false],
])('%s is an ECR host', (host, region, fips) => {
  expect(parseEcrHost(host)).toEqual({ accountId: '123456789012', region, fips });
});

test.each(['public.ecr.aws', 'docker.io', '127.0.0.1:5000', '12.dkr.ecr.eu-west-1.amazonaws.com'])(
  '%s is none',
  (host) => {
    expect(parseEcrHost(host)).toBeUndefined();
  },
);

const digest = `sha256:${'0a'.repeat(32)}`;

test.each([
  ['127.0.0.1:5000/app', { host: '127.0.0.1:5000', name: 'app' }],
  ['localhost/app:v1', { host: 'localhost', name: 'app', tag: 'v1' }],
  ['[::1]:5000/a/b', { host: '[::1]:5000', name: 'a/b' }],
  [
    `123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1@${digest}`,
    { host: '123456789012.dkr.ecr.eu-west-1.amazonaws.com', name: 'team/app', tag: 'v1', digest },
  ],
  ['ghcr.io/o/my__app-x.y', { host: 'ghcr.io', name: 'o/my__app-x.y' }],
])('the parts of %s', (text, wanted) => {
  expect(parseReference(text)).toEqual({ tag: undefined, digest: undefined, ...wanted });
});

test.each([
  'app',
  'team/app',
  'alpine:3',
  'ghcr.io/',
  'ghcr.io/App',
  'ghcr.io/app:v 1',
  'ghcr.io/app@sha256:1',
  'http://a.b/c',
])('%s has no host, or is no reference', (text) => {
  expect(parseReference(text)).toBeUndefined();
});

test('names and tags', () => {
  expect(['app', 'a-b.c_d/e', 'x'.repeat(256)].every(isRepositoryName)).toBe(true);
  expect(['a', '/a', 'a/', 'a//b', 'A', 'a--b', 'x'.repeat(257)].some(isRepositoryName)).toBe(
    false,
  );
  expect(['v1', '_x', 'A.b-c', 'x'.repeat(128)].every(isTag)).toBe(true);
  expect(['', '.a', '-a', 'a b', 'a:b', 'x'.repeat(129)].some(isTag)).toBe(false);
  expect(['eu-west-1', 'us-gov-east-1', 'us-isob-east-1'].every(isRegion)).toBe(true);
  expect(['eu-west', 'eu-west-1a', 'EU-WEST-1', ''].some(isRegion)).toBe(false);
});

test('the tags of a run', () => {
  expect(runTag({ runNumber: 7, runAttempt: 1 })).toBe('run-7');
  expect(defaultTags({ sha: 'abc', runNumber: 7, runAttempt: 2 })).toEqual(['abc', 'run-7.2']);
  expect(['content-0a', 'lane-x.1.1', 'live-api'].every(isMachineTag)).toBe(true);
  expect(['content-management', 'lanes', 'v1'].some(isMachineTag)).toBe(false);
});
