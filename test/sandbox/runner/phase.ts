import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { LogReader } from './commands.ts';

/** GitHub's times between the signals of a cancel, ms. */
const toTerm = 7_500;
const toKill = 2_500;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export interface PhaseEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ms: number;
  readonly raw: string;
  /** From the cancel to the end, ms; undefined: not cancelled. */
  readonly cancelMs: number | undefined;
}

/** Runs one script of an action as the runner does, with its cancel by three signals. */
export async function runPhase(options: {
  script: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  log: LogReader;
  cancel: AbortSignal;
  onLine: (line: string) => void;
}): Promise<PhaseEnd> {
  const started = performance.now();
  const child = spawn(process.execPath, [options.script], {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  const raw: string[] = [];
  const read = async (stream: NodeJS.ReadableStream) => {
    for await (const line of createInterface({
      input: stream,
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      raw.push(line);
      const shown = options.log.take(line);
      if (shown !== undefined) options.onLine(shown);
    }
  };
  let cancelled: number | undefined;
  const timers: NodeJS.Timeout[] = [];
  const stop = () => {
    cancelled = performance.now();
    child.kill('SIGINT');
    timers.push(
      setTimeout(() => child.kill('SIGTERM'), toTerm),
      setTimeout(() => child.kill('SIGKILL'), toTerm + toKill),
    );
  };
  if (options.cancel.aborted) stop();
  else options.cancel.addEventListener('abort', stop, { once: true });
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
  try {
    const reading = Promise.all([read(child.stdout), read(child.stderr)]);
    const [code, signal] = await ended;
    const end = performance.now();
    // Something it left behind may hold the pipes: the runner doesn't wait for that either.
    const patience = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, 3_000);
    await reading.catch(() => undefined);
    clearTimeout(patience);
    return {
      code,
      signal,
      ms: end - started,
      raw: raw.join('\n'),
      cancelMs: cancelled === undefined ? undefined : end - cancelled,
    };
  } finally {
    options.cancel.removeEventListener('abort', stop);
    for (const timer of timers) clearTimeout(timer);
    alive.delete(child);
  }
}

/** Processes that carry `RUNNER_TRACKING_ID=<id>`: pid and command line. Linux only; else none. */
export async function tracked(id: string): Promise<{ pid: number; command: string }[]> {
  const folders = await readdir('/proc').catch(() => []);
  const found: { pid: number; command: string }[] = [];
  for (const name of folders.filter((name) => /^\d+$/.test(name))) {
    // A process may end between the two looks, and other users' can't be read: not ours then.
    const variables = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (!variables.split('\0').includes(`RUNNER_TRACKING_ID=${id}`)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (command !== '')
      found.push({ pid: Number(name), command: command.replaceAll('\0', ' ').trim() });
  }
  return found;
}

/** Ends what a job left behind, as the runner does; returns the command lines. */
export async function endOrphans(id: string): Promise<string[]> {
  const left = await tracked(id);
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
  return left.map(({ command }) => command);
}
