import { copyFile, mkdir, stat } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { ActionError } from '../errors.ts';
import type { Run } from './process.ts';

const programs = ['sh', 'tar', 'ls'] as const;

/**
 * Makes a file tree in which `/bin/sh`, `/bin/tar` and `/bin/ls` run: the runner's own programs with
 * the libraries they need, some 4 MB. A build FROM scratch with it can look into cache mounts without
 * pulling an image, and whatever the user's base image lacks (Lambda's has no tar).
 *
 * @throws ActionError where the runner isn't Linux, or a program is missing.
 */
export async function collectTools(
  folder: string,
  run: Run,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (process.platform !== 'linux') {
    throw new ActionError(
      `Cache mounts are kept on Linux runners only; this one is ${process.platform}.`,
    );
  }
  const copied = new Set<string>();
  const copy = async (from: string, to: string) => {
    if (copied.has(to)) return;
    copied.add(to);
    await mkdir(dirname(join(folder, to)), { recursive: true });
    // Follows links: the tree needs no names but these.
    await copyFile(from, join(folder, to));
  };
  for (const name of programs) {
    const path = await find(name, env['PATH'] ?? '');
    await copy(path, `/bin/${name}`);
    // A static program is "not a dynamic executable", with an exit code: it needs nothing then.
    const { stdout } = await run('ldd', [path], { env: { ...env, LC_ALL: 'C' } });
    const missing = /^\s*(\S+) => not found/m.exec(stdout);
    if (missing !== null) throw new ActionError(`${path} needs ${missing[1]}, which is not there.`);
    for (const [, library = ''] of stdout.matchAll(/(?:^|=>)\s*(\/\S+) \(0x/gm)) {
      await copy(library, library);
    }
  }
}

async function find(name: string, path: string): Promise<string> {
  for (const folder of ['/bin', '/usr/bin', ...path.split(delimiter)]) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile() === true && (found.mode & 0o111) !== 0) return join(folder, name);
  }
  throw new ActionError(`There is no program \`${name}\` on this runner.`);
}
