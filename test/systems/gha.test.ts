import { afterEach, beforeEach, expect, test } from 'vitest';
import { ghaAvailability, probeGha } from '../../src/systems/gha.ts';
import { startCacheService, type CacheService } from '../sandbox/cache/index.ts';

const v2 = {
  ACTIONS_RUNTIME_TOKEN: 'token',
  ACTIONS_RESULTS_URL: 'https://results.example/',
  ACTIONS_CACHE_SERVICE_V2: 'True',
};

test('what buildx needs is handed on', () => {
  expect(ghaAvailability({ ...v2, OTHER: 'x' })).toEqual({
    available: true,
    version: 2,
    writable: true,
    variables: v2,
  });
});

test.each([
  ['no token', { ...v2, ACTIONS_RUNTIME_TOKEN: '' }, /no ACTIONS_RUNTIME_TOKEN/],
  ['no address', { ...v2, ACTIONS_RESULTS_URL: undefined }, /no ACTIONS_RESULTS_URL/],
  ['an old runner', { ...v2, ACTIONS_CACHE_SERVICE_V2: undefined }, /too old/],
  ['switched off', { ...v2, ACTIONS_CACHE_MODE: 'none' }, /cache-mode is none/],
  [
    'a server without caches',
    { ...v2, GITHUB_SERVER_URL: 'https://git.example.com' },
    /GitHub Enterprise Server/,
  ],
])('%s: not available, and why', (_, env, why) => {
  const found = ghaAvailability(env);
  expect(found).toMatchObject({ available: false, why: expect.stringMatching(why) });
});

test('GitHub Enterprise Server has the old service, ghe.com the new one', () => {
  expect(
    ghaAvailability({
      ...v2,
      GITHUB_SERVER_URL: 'https://git.example.com',
      ACTIONS_CACHE_URL: 'https://cache.example/',
    }),
  ).toMatchObject({
    version: 1,
    variables: { ACTIONS_RUNTIME_TOKEN: 'token', ACTIONS_CACHE_URL: 'https://cache.example/' },
  });
  expect(ghaAvailability({ ...v2, GITHUB_SERVER_URL: 'https://octo.ghe.com' })).toMatchObject({
    version: 2,
  });
});

test('a read-only run', () => {
  expect(ghaAvailability({ ...v2, ACTIONS_CACHE_MODE: 'read' })).toMatchObject({ writable: false });
});

let service: CacheService;
beforeEach(async () => {
  service = await startCacheService();
});
afterEach(() => service.close());

test('a service that answers', async () => {
  const env = service.environment({ ref: 'refs/heads/main' });
  expect(await probeGha(env)).toMatchObject({ available: true });
  expect(service.requests).toEqual(['GetCacheEntryDownloadURL ship-to-ecr-probe']);
});

test.each([
  ['throttled', { status: 429, headers: { 'retry-after': '60' } }, /throttles it .*429/],
  ['down', { status: 503 }, /answered 503/],
  ['refusing', { status: 403 }, /refused this run's token/],
  ['silent', { hang: true }, /did not answer in time/],
  ['breaking off', { reset: true }, /can't be reached/],
])('a service that is %s', async (_, fault, why) => {
  service.faults.add(fault);
  const env = service.environment({ ref: 'refs/heads/main' });
  const found = await probeGha(env, { timeout: 500 });
  expect(found).toMatchObject({ available: false, why: expect.stringMatching(why) });
});

test('without the variables nothing is asked', async () => {
  expect(await probeGha({})).toMatchObject({ available: false });
  expect(service.requests).toEqual([]);
});
