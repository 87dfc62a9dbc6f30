import { createHash } from 'node:crypto';
import { closeSync, openSync, read } from 'node:fs';
import { Undecidable } from '../dockerfile/undecidable.ts';
import type { Selected } from './select.ts';
import type { Entry } from './tree.ts';

// More than libuv's four threads never read at once; a few more keep the queue filled.
const readers = 6;
const chunk = 1 << 20;

/**
 * SHA-256 of the content of files, several read at a time.
 *
 * @returns digest by real path, and the bytes read.
 * @throws Undecidable when a file can't be read; the signal's reason when it aborts.
 */
export async function hashFiles(
  files: Iterable<Entry>,
  signal?: AbortSignal,
): Promise<{ readonly digests: ReadonlyMap<string, string>; readonly bytes: number }> {
  const digests = new Map<string, string>();
  const queue = new Map([...files].map((file) => [file.real, file]));
  const next = queue.keys();
  let bytes = 0;
  const reader = async () => {
    const buffer = Buffer.allocUnsafe(chunk);
    for (let path = next.next(); !path.done; path = next.next()) {
      signal?.throwIfAborted();
      const hashed = await hashFile(path.value, buffer);
      digests.set(path.value, hashed.digest);
      bytes += hashed.bytes;
    }
  };
  await Promise.all(Array.from({ length: Math.min(readers, queue.size) }, reader));
  return { digests, bytes };
}

async function hashFile(path: string, buffer: Buffer): Promise<{ digest: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    const file = openSync(path, 'r');
    try {
      for (;;) {
        const count = await readChunk(file, buffer);
        if (count === 0) break;
        hash.update(buffer.subarray(0, count));
        bytes += count;
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new Undecidable(`${path} can't be read`, { cause: error });
  }
  return { digest: hash.digest('hex'), bytes };
}

function readChunk(file: number, buffer: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, buffer, 0, buffer.length, null, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

/** One digest of a selection: names, kinds, modes, link targets, contents. */
export function selectionDigest(
  selection: readonly Selected[],
  digests: ReadonlyMap<string, string>,
): string {
  const hash = createHash('sha256');
  for (const { name, entry } of selection) {
    const content = entry.kind === 'file' ? digests.get(entry.real) : entry.target;
    hash.update(`${JSON.stringify([name, entry.kind, entry.mode, content])}\n`);
  }
  return hash.digest('hex');
}
