import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { explain } from '../../src/errors.ts';
import { connectObjectStore } from '../../src/systems/s3.ts';
import type { AwsSandbox } from '../sandbox/aws/index.ts';
import { openAws } from './aws-kit.ts';

let aws: AwsSandbox;
let bucket = '';
let count = 0;

beforeAll(async () => {
  aws = await openAws();
});
afterAll(() => aws.close());
beforeEach(() => {
  aws.faults.clear();
  aws.s3.ignoreConditions(false);
  count += 1;
  bucket = `orders-${count}`;
  aws.s3.createBucket(bucket);
});

const store = (overrides: { region?: string; bucket?: string } = {}) =>
  connectObjectStore({
    region: 'eu-west-1',
    bucket,
    prefix: 'ship/',
    credentials: () => Promise.resolve({ ...aws.credentials, sessionToken: undefined }),
    ...overrides,
  });

test('get, create, replace, delete', async () => {
  const s3 = store();
  expect(await s3.get('r')).toBeUndefined();
  expect(await s3.put('r', 'one', undefined)).toBe('written');
  const one = await s3.get('r');
  expect(one?.body).toBe('one');
  expect(await s3.put('r', 'two', one?.etag)).toBe('written');
  expect(aws.s3.object(bucket, 'ship/r')).toBe('two');
  await s3.delete('r');
  expect(await s3.get('r')).toBeUndefined();
});

test('who is late finds it changed', async () => {
  const s3 = store();
  await s3.put('r', 'one', undefined);
  const before = await s3.get('r');
  expect(await s3.put('r', 'other', undefined)).toBe('changed');
  await s3.put('r', 'two', before?.etag);
  expect(await s3.put('r', 'three', before?.etag)).toBe('changed');
  await s3.delete('r');
  expect(await s3.put('r', 'four', before?.etag)).toBe('changed');
});

test('a 409 is tried again', async () => {
  aws.faults.next('s3:PutObject', {
    status: 409,
    code: 'ConditionalRequestConflict',
    message: 'The conditional request cannot succeed due to a conflicting operation.',
  });
  expect(await store().put('r', 'one', undefined)).toBe('written');
});

test('an answer lost after the write is no change of somebody else’s', async () => {
  const s3 = store();
  aws.faults.next('s3:PutObject', { lostAnswer: true });
  expect(await s3.put('r', 'one', undefined)).toBe('written');
  const one = await s3.get('r');
  aws.faults.next('s3:PutObject', { lostAnswer: true });
  expect(await s3.put('r', 'two', one?.etag)).toBe('written');
});

test('a server error is tried again', async () => {
  aws.faults.next('s3:PutObject', {
    status: 503,
    code: 'SlowDown',
    message: 'Please reduce your request rate.',
  });
  expect(await store().put('r', 'one', undefined)).toBe('written');
});

test('probe: content with a store that minds conditions, the first time and later', async () => {
  await store().probe();
  await store().probe();
  expect(aws.s3.keys(bucket)).toEqual(['ship/compare-and-set-probe']);
});

test('probe refuses a store that ignores conditions', async () => {
  aws.s3.ignoreConditions(true);
  const error = await store()
    .probe()
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('ignores If-None-Match');
});

test('probe refuses a store that ignores If-Match alone', async () => {
  await store().probe();
  aws.s3.ignoreConditions(true);
  aws.faults.next('s3:PutObject', { status: 412, code: 'PreconditionFailed', message: 'x' });
  const error = await store()
    .probe()
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('ignores If-Match');
});

test('no such bucket', async () => {
  const error = await store({ bucket: 'nowhere' })
    .get('r')
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('There is no S3 bucket "nowhere" (Region eu-west-1).');
});

test('the wrong Region says the right one', async () => {
  aws.s3.createBucket('far', 'us-east-2');
  const error = await store({ bucket: 'far' })
    .put('r', 'x', undefined)
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('the Region is wrong (eu-west-1)');
  expect(explain(error)).toContain('It is in us-east-2');
});

test('denied: the quoted resource of S3’s text becomes a statement', async () => {
  aws.faults.deny('s3:PutObject');
  const error = await store()
    .put('r', 'x', undefined)
    .catch((e: unknown) => e);
  expect(explain(error)).toContain(`"Resource": "arn:aws:s3:::${bucket}/ship/r"`);
});

test('a read denied for want of s3:ListBucket says so', async () => {
  aws.faults.next('s3:GetObject', { status: 403, code: 'AccessDenied', message: 'Access Denied' });
  const error = await store()
    .get('r')
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('s3:ListBucket');
});
