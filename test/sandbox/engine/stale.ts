import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { systemClock } from '../../../src/wait.ts';
import { runFolder } from './places.ts';

const ours = new Set(['dockerd', 'containerd', 'containerd-shim-runc-v2', 'docker-registry']);

interface Running {
  readonly pid: number;
  readonly keeper: boolean;
}

/**
 * Processes of an engine of the sandbox's: told by their command line (one of the engine's own
 * programs, started on the sandbox's run folder), never by a recorded id alone, which may belong to
 * somebody else by now.
 */
export function engineProcesses(folder = runFolder): Running[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name): Running[] => {
      const words = commandLine(name);
      if (!words.some((word) => word.startsWith(`${folder}/`))) return [];
      const keeper = words.some((word) => word.endsWith(join('engine', 'keeper.ts')));
      const program = basename(words[0] ?? '');
      return keeper || ours.has(program) ? [{ pid: Number(name), keeper }] : [];
    });
}

/**
 * Waits until nothing is left of an engine that ends or has lost its keeper, and ends what does
 * not go by itself. Call it under the engine's lock.
 */
export async function clearStale(folder = runFolder): Promise<void> {
  const from = Date.now();
  let asked = false;
  for (let left = engineProcesses(folder); left.length > 0; left = engineProcesses(folder)) {
    const waited = Date.now() - from;
    if (waited > 40_000) left.forEach(({ pid }) => end(pid, 'SIGKILL'));
    else if (!asked) {
      asked = true;
      // The keeper ends its children in order; without it they are asked themselves.
      const keepers = left.filter(({ keeper }) => keeper);
      (keepers.length > 0 ? keepers : left).forEach(({ pid }) => end(pid, 'SIGTERM'));
    } else if (waited > 20_000) left.forEach(({ pid }) => end(pid, 'SIGTERM'));
    await systemClock.sleep(200);
  }
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has ended since the folder was listed.
    return [];
  }
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile, which is what was wanted.
  }
}
