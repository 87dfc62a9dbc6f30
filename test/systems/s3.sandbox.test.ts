import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectObjectStore } from '../../src/systems/s3.ts';
import { startS3, type S3 } from '../sandbox/s3/s3.ts';

// The same adapter over somebody else's S3, as a check on our own strict one.
let s3: S3 | undefined;

beforeAll(async () => {
  s3 = await startS3();
  if (s3 !== undefined) process.env['AWS_ENDPOINT_URL_S3'] = s3.endpoint;
  await s3?.createBucket('orders');
});
afterAll(async () => {
  await s3?.[Symbol.asyncDispose]();
});

test('compare-and-set over moto', async ({ skip }) => {
  skip(s3 === undefined, 'moto can’t be installed here');
  const { accessKeyId = '', secretAccessKey = '' } = s3 ?? {};
  const store = connectObjectStore({
    region: 'us-east-1',
    bucket: 'orders',
    prefix: 'ship/',
    credentials: () => Promise.resolve({ accessKeyId, secretAccessKey }),
  });
  await store.probe();
  await store.probe();
  expect(await store.get('r')).toBeUndefined();
  expect(await store.put('r', 'one', undefined)).toBe('written');
  expect(await store.put('r', 'two', undefined)).toBe('changed');
  const one = await store.get('r');
  expect(await store.put('r', 'two', one?.etag)).toBe('written');
  expect(await store.put('r', 'three', one?.etag)).toBe('changed');
  expect((await store.get('r'))?.body).toBe('two');
  await store.delete('r');
  expect(await store.get('r')).toBeUndefined();
});
