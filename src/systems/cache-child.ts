/**
 * A process of its own around @actions/cache. The library hides its failures in log lines, tries
 * again for half a minute without a way to stop it, and prints whatever it does: the parent reads
 * the lines, judges them, and can end it. Request: JSON on stdin. Answer: one line after `mark`.
 */
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { restoreCache, saveCache } from '@actions/cache';
import type { CacheAnswer, CacheRequest } from './cache.ts';

const { mark, verb, paths, key, restoreKeys } = JSON.parse(
  await text(process.stdin),
) as CacheRequest;

async function work(): Promise<CacheAnswer> {
  try {
    if (verb === 'save') return { id: await saveCache([...paths], key) };
    const found = await restoreCache([...paths], key, [...restoreKeys], {
      lookupOnly: verb === 'lookup',
    });
    return { key: found };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const answer = await work();
process.stdout.write(`\n${mark}${JSON.stringify(answer)}\n`, () => {
  // Keep-alive connections of the library would hold the process for a while.
  process.exit(0);
});
