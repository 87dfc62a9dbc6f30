import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execute } from './engine/execute.ts';
import { cacheFolder } from './engine/places.ts';

/** Python of the sandbox's base image. */
const imagePython = '3.11';

/**
 * Wheels of an example's requirements, for the base image's Python and for this machine's, fetched
 * once by this machine's pip, which knows its index.
 *
 * @param requirements the file whose packages both need (`-r` inside is followed).
 * @returns the folder, or why there is none: then the example can't be built here.
 */
export async function ensureWheelhouse(
  requirements: string,
  texts: readonly string[],
): Promise<{ folder: string } | { why: string }> {
  const hash = createHash('sha256');
  for (const path of texts) hash.update(await readFile(path));
  const folder = join(cacheFolder, 'wheelhouse', hash.digest('hex').slice(0, 16));
  if (existsSync(folder)) return { folder };
  await mkdir(join(cacheFolder, 'wheelhouse'), { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  const download = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check'];
  const both = [
    [
      '--only-binary=:all:',
      '--python-version',
      imagePython,
      ...['manylinux2014_x86_64', 'manylinux_2_28_x86_64'].flatMap((name) => ['--platform', name]),
    ],
    [],
  ];
  for (const options of both) {
    const args = [...download, ...options, '-r', requirements, '-d', draft];
    const { code, stderr } = await execute('python3', args).catch((error: unknown) => ({
      code: 1,
      stderr: String(error),
    }));
    if (code !== 0) {
      await rm(draft, { recursive: true, force: true });
      return { why: stderr.trim().split('\n').at(-1) ?? 'pip failed' };
    }
  }
  await rename(draft, folder).catch(async (error: unknown) => {
    // Another process was first.
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  });
  return { folder };
}
