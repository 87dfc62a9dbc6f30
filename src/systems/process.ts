import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { StringDecoder } from 'node:string_decoder';
import { ActionError } from '../errors.ts';

/** What a child process left behind. `code` null: ended by `signal`. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string | undefined;
  /** The whole environment of the child; default: this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly stdin?: string | undefined;
  /** SIGINT at abort, SIGKILL 5 s later; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onStdout?: ((line: string) => void) | undefined;
  readonly onStderr?: ((line: string) => void) | undefined;
  /** How much of each stream is kept, in characters from its end. Default 1,000,000. */
  readonly keep?: number | undefined;
}

/**
 * Starts programs without a shell. Rejects when the program can't be started ("never started");
 * resolves with its exit code otherwise ("exited non-zero" is for the caller to judge).
 */
export type Run = (
  command: string,
  args: readonly string[],
  options?: RunOptions,
) => Promise<Ended>;

/** From SIGINT to SIGKILL, ms: the runner itself kills 10 s after a cancel. */
const killAfter = 5_000;
/** How long a program's pipes may stay silent after its end, held open by something it started; ms. */
const silence = 2_000;

/**
 * Starts `command` as leader of a process group of its own, so that an abort reaches what it
 * started too, as Ctrl-C in a terminal does.
 *
 * @throws ActionError when it could not be started; the abort signal's reason when that came first.
 */
export const run: Run = (command, args, options = {}) => {
  const { signal, keep = 1_000_000 } = options;
  return new Promise<Ended>((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(reason(signal));
      return;
    }
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      shell: false,
    });
    const stdout = collect(keep, options.onStdout);
    const stderr = collect(keep, options.onStderr);
    let killer: NodeJS.Timeout | undefined;
    let silent: NodeJS.Timeout | undefined;

    const sendToGroup = (name: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch (error) {
        // Already gone (Linux: ESRCH, macOS: EPERM): what the signal was for.
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        if (code !== 'ESRCH' && code !== 'EPERM') throw error;
      }
    };
    const stop = () => {
      sendToGroup('SIGINT');
      killer = setTimeout(() => sendToGroup('SIGKILL'), killAfter);
    };
    const letGo = () => {
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const settle = () => {
      signal?.removeEventListener('abort', stop);
      clearTimeout(killer);
      clearTimeout(silent);
    };
    signal?.addEventListener('abort', stop, { once: true });

    child.stdout.on('data', (chunk: Buffer) => {
      silent?.refresh();
      stdout.add(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      silent?.refresh();
      stderr.add(chunk);
    });
    // A program that doesn't read its input may close it: EPIPE is its choice, not our failure.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');

    child.on('error', (error) => {
      if (child.pid !== undefined) return; // a signal that could not be sent; `close` still comes
      settle();
      reject(neverStarted(command, options.cwd, error));
    });
    child.on('exit', () => {
      silent = setTimeout(letGo, silence);
    });
    child.on('close', (code, endedBy) => {
      if (child.pid === undefined) return;
      settle();
      if (signal?.aborted === true) {
        // What it had started and left behind ends with it.
        sendToGroup('SIGKILL');
        reject(reason(signal));
      } else resolve({ code, signal: endedBy, stdout: stdout.end(), stderr: stderr.end() });
    });
  });
};

function reason(signal: AbortSignal): Error {
  const why: unknown = signal.reason;
  return why instanceof Error ? why : new DOMException('Aborted', 'AbortError');
}

function neverStarted(command: string, cwd: string | undefined, error: Error): ActionError {
  const code = 'code' in error ? String(error.code) : '';
  if (cwd !== undefined && !existsSync(cwd)) {
    return new ActionError(`\`${command}\` was not started: there is no folder ${cwd}.`, {
      cause: error,
    });
  }
  if (code === 'ENOENT') {
    return new ActionError(`\`${command}\` was not started: no such program on this runner.`, {
      cause: error,
      hint: `Install it on the runner, or put its folder on PATH.`,
    });
  }
  if (code === 'EACCES') {
    return new ActionError(`\`${command}\` was not started: the file may not be executed.`, {
      cause: error,
      hint: `Make it executable (chmod +x).`,
    });
  }
  if (code === 'E2BIG') {
    return new ActionError(`\`${command}\` was not started: its arguments are too long.`, {
      cause: error,
      hint: 'The system limits arguments and environment together: shorten build arguments or variables.',
    });
  }
  return new ActionError(`\`${command}\` was not started: ${error.message}`, { cause: error });
}

/** Keeps the end of a stream's text, and hands out its lines as they become whole. */
function collect(keep: number, onLine: ((line: string) => void) | undefined) {
  const decoder = new StringDecoder('utf8');
  let kept = '';
  let open = '';
  const take = (text: string) => {
    kept += text;
    // Cut in big steps only: cutting at every chunk would copy the whole text each time.
    if (kept.length > keep * 2) kept = kept.slice(-keep);
    if (onLine === undefined) return;
    const lines = (open + text).split('\n');
    open = lines.pop() ?? '';
    for (const line of lines) onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  };
  return {
    add: (chunk: Buffer) => take(decoder.write(chunk)),
    end: () => {
      take(decoder.end());
      if (open !== '') onLine?.(open);
      return kept.length > keep ? kept.slice(-keep) : kept;
    },
  };
}
