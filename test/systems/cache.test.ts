import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectCache } from '../../src/systems/cache.ts';
import { collectLog } from '../fake-log.ts';
import { startCacheService, type CacheService, type Grant } from '../sandbox/cache/index.ts';

// The real @actions/cache in its child process, against the cache service stand-in.
let service: CacheService;
let folder: string;
beforeEach(async () => {
  service = await startCacheService();
  folder = await mkdtemp(join(tmpdir(), 'cache-test-'));
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true });
});

/** The cache as a run on a fresh runner sees it: a base folder, workspace and temp of its own. */
async function runner(grant: Partial<Grant> = {}) {
  const own = await mkdtemp(join(folder, 'runner-'));
  const base = join(own, 'base');
  await mkdir(join(base, 'stuff'), { recursive: true });
  const { log: to, lines } = collectLog();
  const log = { lines, text: () => lines.filter((line) => !line.startsWith('debug')).join('\n') };
  const cache = connectCache({
    env: {
      PATH: process.env['PATH'],
      RUNNER_TEMP: own,
      GITHUB_WORKSPACE: own,
      ...service.environment({ ref: 'refs/heads/main', ...grant }),
    },
    log: to,
  });
  return { base, cache, log, options: { base } };
}

async function fill(base: string, text = 'hello') {
  await writeFile(join(base, 'stuff', 'a.txt'), text);
  await symlink('a.txt', join(base, 'stuff', 'link'));
}

test('what one runner saves another restores, elsewhere; by exact key, then by restore key', async () => {
  const first = await runner();
  expect(await first.cache.restore(['stuff'], 'k-1', ['k-'], first.options)).toBeUndefined();
  await fill(first.base);
  expect(await first.cache.save(['stuff'], 'k-1', first.options)).toBe('saved');
  expect(await first.cache.save(['stuff'], 'k-1', first.options)).toBe('exists');

  const second = await runner();
  await rm(join(second.base, 'stuff'), { recursive: true });
  const found = await second.cache.restore(['stuff'], 'k-2', ['k-'], second.options);
  expect(found).toEqual({ key: 'k-1', bytes: service.entries()[0]?.size });
  expect(await readFile(join(second.base, 'stuff', 'link'), 'utf8')).toBe('hello');

  // A branch reads the default branch's entries and writes its own; a read-only run writes none.
  const branch = await runner({ ref: 'refs/heads/feature' });
  const whole = join(branch.base, 'stuff');
  expect(await branch.cache.restore([whole], 'k-1', [], branch.options)).toMatchObject({
    key: 'k-1',
  });
  const fork = await runner({ ref: 'refs/pull/7/merge', write: false });
  await fill(fork.base);
  expect(await fork.cache.save(['stuff'], 'k-9', fork.options)).toBe('failed');
  expect(fork.log.text()).toContain('may only read caches');
  expect(service.entries().map(({ key, scope }) => [key, scope])).toEqual([
    ['k-1', 'refs/heads/main'],
  ]);
  for (const { log } of [first, second, branch]) expect(log.text()).toBe('');
});

test('an empty cache is never stored', async () => {
  const { cache, log, base, options } = await runner();
  await mkdir(join(base, 'stuff', 'deep', 'er'), { recursive: true });
  expect(await cache.save(['stuff', 'not-there'], 'k', options)).toBe('empty');
  expect(log.text()).toContain('it would be empty');
  expect(service.requests).toEqual([]);
});

test('a service that is down costs one question, in all', async () => {
  service.faults.add({ status: 503 });
  const { cache, log, base, options } = await runner();
  await fill(base);
  expect(await cache.restore(['stuff'], 'k', [], options)).toBeUndefined();
  expect(await cache.save(['stuff'], 'k', options)).toBe('failed');
  expect(service.requests).toHaveLength(1);
  expect(log.text()).toBe(
    "notice: GitHub's cache is not available (it answered 503): this run does without.",
  );
});

test('trouble after the probe: two tries, then no more of it', async () => {
  const { cache, log, base, options } = await runner();
  await fill(base);
  service.faults.add({
    on: 'CreateCacheEntry',
    status: 502,
    body: '{"msg":"bad gateway"}',
  });
  expect(await cache.save(['stuff'], 'k', options)).toBe('failed');
  expect(log.text()).toContain('The cache "k" was not stored: Failed request: (502)');
  expect(service.requests.filter((line) => line.startsWith('CreateCacheEntry'))).toHaveLength(2);
  const asked = service.requests.length;
  expect(await cache.restore(['stuff'], 'k', [], options)).toBeUndefined();
  expect(service.requests).toHaveLength(asked);
});

test('an archive that breaks off leaves nothing half behind', async () => {
  const { cache, log, base, options } = await runner();
  await fill(base, 'x'.repeat(100_000));
  expect(await cache.save(['stuff'], 'k', options)).toBe('saved');
  await rm(join(base, 'stuff'), { recursive: true });
  service.faults.add({ on: 'download', status: 200, body: 'not an archive' });
  expect(await cache.restore(['stuff'], 'k', [], options)).toBeUndefined();
  expect(log.text()).toMatch(/^notice: The cache "k" was not restored: Failed to restore: .*tar/i);
  expect(await readdir(base)).toEqual([]);
});

test('a transfer that hangs is ended by its time', async () => {
  const { cache, log, base, options } = await runner();
  await fill(base);
  expect(await cache.save(['stuff'], 'k', options)).toBe('saved');
  service.faults.add({ on: 'download', hang: true });
  expect(await cache.restore(['stuff'], 'k', [], { ...options, timeout: 3_000 })).toBeUndefined();
  expect(log.text()).toContain('not done after 3 s');
});

test('a cancelled run is not held, and an abort is no cache failure', async () => {
  const { cache, base, options } = await runner();
  await fill(base);
  service.faults.add({ on: 'CreateCacheEntry', hang: true });
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(new Error('cancelled')), 1_500);
  await expect(cache.save(['stuff'], 'k', { ...options, signal: stopping.signal })).rejects.toThrow(
    'cancelled',
  );
});

test('no signed address and no token gets into any log', async () => {
  const { cache, log, base, options } = await runner();
  await fill(base);
  await cache.save(['stuff'], 'k', options);
  await cache.restore(['stuff'], 'k', [], options);
  const token = service.environment({ ref: 'refs/heads/main' })['ACTIONS_RUNTIME_TOKEN'] ?? '';
  const all = log.lines.join('\n');
  expect(all).not.toContain(token.split('.')[2]);
  expect(all).not.toMatch(/sig=[^*]/);
});
