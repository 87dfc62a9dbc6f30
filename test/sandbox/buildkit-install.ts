import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { execute, onPath } from './engine/execute.ts';
import { withLock } from './engine/lock.ts';
import { cacheFolder, sayToStderr, type Say } from './engine/places.ts';

const version = 'v0.32.2';

export interface BuildkitPrograms {
  readonly buildkitd: string;
  readonly buildctl: string;
}

/** Leaves the processor to others, and ends when this process does. */
const politely = ['--pdeathsig', 'KILL', '--', 'nice', '-n', '15'];

let told = false;

/**
 * BuildKit's programs, built with Go once a machine (minutes), found at once later.
 *
 * @returns undefined, with the reason printed once, where there is no Go or no Go modules.
 */
export async function installBuildkit(say: Say): Promise<BuildkitPrograms | undefined> {
  const home = join(cacheFolder, 'buildkit', `${version}-1`);
  const programs = { buildkitd: join(home, 'buildkitd'), buildctl: join(home, 'buildctl') };
  if (existsSync(home)) return programs;
  const why = await withLock('buildkit', async () =>
    existsSync(home) ? undefined : build(home, say),
  );
  if (why === undefined) return programs;
  if (!told) say(`Without a BuildKit of its own (${why})`);
  told = true;
  return undefined;
}

/** Builds into `home`; returns why it can't be done. */
async function build(home: string, say: Say): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it runs on Linux only';
  if (!(await onPath('go'))) return 'no Go on this machine';
  say(`Building BuildKit ${version} with Go (some minutes, once a machine)`);
  // Under the lock: what is there is of a build that was broken off.
  const work = join(cacheFolder, 'buildkit', 'part');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod -buildvcs=false' };
    // BuildKit's go.mod has an `exclude`, for which `go install …@version` is refused: its
    // commands are built from a module of ours that requires it.
    writeFileSync(join(work, 'go.mod'), 'module sandbox\n\ngo 1.26\n');
    const module = 'github.com/moby/buildkit';
    const flags = `-s -w -X ${module}/version.Version=${version} -X ${module}/version.Package=${module}`;
    const steps = [
      ['get', `${module}@${version}`],
      ...['buildkitd', 'buildctl'].map((program) => [
        'build',
        '-trimpath',
        '-ldflags',
        flags,
        '-o',
        join(work, 'bin', program),
        `${module}/cmd/${program}`,
      ]),
    ];
    for (const step of steps) {
      const { code, stderr } = await execute('setpriv', [...politely, 'go', ...step], {
        cwd: work,
        env,
      });
      if (code !== 0) return `go ${step[0]}: ${stderr.trim().split('\n').at(-1)}`;
    }
    renameSync(join(work, 'bin'), home);
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

// Run by itself (setup.ts does, in the background): build, so that tests find it ready.
if (process.argv[1] === import.meta.filename) await installBuildkit(sayToStderr);
