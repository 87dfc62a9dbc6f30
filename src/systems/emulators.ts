import { readdir } from 'node:fs/promises';
import { emulatedPlatforms } from '../image/builder-choice.ts';

/**
 * Platforms other than the machine's own whose programs its kernel runs by an emulator. A daemon on
 * another machine isn't asked: a builder that brings its emulators is right for it in any case.
 */
export async function listEmulated(folder = '/proc/sys/fs/binfmt_misc'): Promise<readonly string[]> {
  try {
    return emulatedPlatforms(await readdir(folder));
  } catch {
    // Not Linux, or binfmt_misc isn't mounted: nothing is emulated.
    return [];
  }
}
