import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from './engine/execute.ts';
import { withLock } from './engine/lock.ts';
import { cacheFolder, sayToStderr, type Say } from './engine/places.ts';

const version = '0.13.9';

/** A folder with `uv` alone, for a PATH. @returns undefined, with a printed reason, where there is none. */
export async function ensureUv(options: { say?: Say } = {}): Promise<string | undefined> {
  const say = options.say ?? sayToStderr;
  const home = join(cacheFolder, `uv-${version}`);
  const why = await withLock('uv', async () => {
    if (existsSync(join(home, 'bin', 'uv'))) return undefined;
    say('Installing uv from PyPI');
    mkdirSync(cacheFolder, { recursive: true });
    const args = ['-m', 'pip', 'install', '--quiet', '--target', home, `uv==${version}`];
    const { code, stderr } = await execute('python3', args);
    if (code === 0) return undefined;
    rmSync(home, { recursive: true, force: true });
    return stderr.trim().split('\n').at(-1) ?? 'pip failed';
  });
  if (why === undefined) return join(home, 'bin');
  say(`Without uv (${why})`);
  return undefined;
}
