import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { systemClock } from '../../../src/wait.ts';
import { execute } from './execute.ts';
import { runFolder, type Say } from './places.ts';

const programs = ['dockerd', 'containerd', 'containerd-shim-runc-v2', 'docker-registry'] as const;
type Role = 'keeper' | (typeof programs)[number];

interface Running {
  readonly pid: number;
  readonly role: Role;
}

/**
 * Waits until nothing is left of an engine that ends or has lost its keeper, and ends what does
 * not go by itself. Call it under the engine's lock, when no keeper answers.
 */
export async function clearStale(say: Say, folder = runFolder): Promise<void> {
  const from = Date.now();
  const asked = new Set<number>();
  for (let left = engineProcesses(folder); left.length > 0; left = engineProcesses(folder)) {
    if (asked.size === 0) say('Clearing away an engine that has ended or was killed');
    // The keeper ends its children in order, dockerd its own: they are asked first, alone.
    const leading =
      ofRole(left, 'keeper').length > 0 ? ofRole(left, 'keeper') : ofRole(left, 'dockerd');
    const hard = Date.now() - from > (leading.length > 0 ? 30_000 : 5000);
    if (leading.length === 0) {
      // A shim that ends by itself would leave its container running.
      for (const pid of withChildren(ofRole(left, 'containerd-shim-runc-v2'))) end(pid, 'SIGKILL');
    }
    for (const { pid } of leading.length > 0 ? leading : left) {
      if (hard || !asked.has(pid)) end(pid, hard ? 'SIGKILL' : 'SIGTERM');
      asked.add(pid);
    }
    await systemClock.sleep(200);
  }
  await clearFolders(folder);
}

/** Unmounts and removes the folders of earlier lives. */
async function clearFolders(folder: string): Promise<void> {
  const lives = `${folder}/life-`;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(lives));
  // Containers that were killed leave their root and network namespace mounted; the last is inmost.
  for (const path of mounts.toReversed()) await execute('umount', ['-l', path]);
  for (const name of readdirSync(folder).filter((name) => name.startsWith('life-'))) {
    try {
      rmSync(join(folder, name), { recursive: true, force: true });
    } catch {
      // Something still uses it. It is in nobody's way: each life has a folder of its own.
    }
  }
}

/**
 * Processes of an engine of the sandbox's: told by their command line (one of the engine's own
 * programs, started on the sandbox's run folder), never by a recorded id alone, which may belong to
 * somebody else by now.
 */
function engineProcesses(folder: string): Running[] {
  return processIds().flatMap((pid): Running[] => {
    const words = read(`/proc/${pid}/cmdline`).split('\0');
    if (!words.some((word) => word.startsWith(`${folder}/`))) return [];
    if (words.some((word) => word.endsWith(join('engine', 'keeper.ts')))) {
      return [{ pid, role: 'keeper' }];
    }
    const program = basename(words[0] ?? '');
    const role = programs.find((name) => name === program);
    return role === undefined ? [] : [{ pid, role }];
  });
}

function ofRole(running: readonly Running[], role: Role): Running[] {
  return running.filter((one) => one.role === role);
}

/** The processes and what they started: a container's own processes are children of its shim. */
function withChildren(running: readonly Running[]): Set<number> {
  const parents = new Map(
    // `pid (name, which may hold anything) state ppid …`
    processIds().map((pid) => [pid, Number(/\) \S (\d+) /.exec(read(`/proc/${pid}/stat`))?.[1])]),
  );
  const found = new Set(running.map(({ pid }) => pid));
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return found;
}

function processIds(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended since the folder was listed.
    return '';
  }
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile, which is what was wanted.
  }
}
