import { readdir } from 'node:fs/promises';

/** Names of the emulators that the kernel knows (`qemu-aarch64`); none where it has no binfmt_misc. */
export async function emulators(): Promise<readonly string[]> {
  try {
    return await readdir('/proc/sys/fs/binfmt_misc');
  } catch {
    // Not Linux, or not mounted: then no other platform's programs run here.
    return [];
  }
}
