import { rename, rm } from 'node:fs/promises';
import type { CachePlan } from '../image/plan.ts';
import type { Log } from '../systems/runner.ts';
import type { Cache } from '../systems/cache.ts';

/** What post stores of the `local` backend. */
export interface LocalCacheRecord {
  /** The folder that the build has written, and the one that the next run reads. */
  readonly written: string;
  readonly folder: string;
  readonly key: string;
  readonly base: string;
}

/** Brings the folder of the `local` backend to this machine; a miss or failure only costs time. */
export async function restoreLocalCache(
  { from, key, restoreKeys }: NonNullable<CachePlan['local']>,
  base: string,
  { cache, log, signal }: { cache: Cache; log: Log; signal: AbortSignal },
): Promise<void> {
  const found = await cache.restore([from], key, restoreKeys, { base, signal });
  log.info(
    found === undefined
      ? 'Layer cache (local): nothing was kept for this branch, its base or the default branch yet'
      : `Layer cache (local): ${(found.bytes / 1e6).toFixed(1)} MB from ${found.key}`,
  );
}

/** For post: stores what the build has exported. */
export async function saveLocalCache(
  record: LocalCacheRecord,
  { cache, log }: { cache: Cache; log: Log },
): Promise<void> {
  // The service finds an entry by its paths too: what was written goes where it will be read.
  await rm(record.folder, { recursive: true, force: true });
  await rename(record.written, record.folder);
  try {
    const saved = await cache.save([record.folder], record.key, { base: record.base });
    log.info(`Layer cache (local): ${saved} (${record.key})`);
  } finally {
    await rm(record.folder, { recursive: true, force: true });
  }
}
