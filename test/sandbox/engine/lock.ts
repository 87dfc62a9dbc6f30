import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ActionError } from '../../../src/errors.ts';
import { runFolder } from './places.ts';

/**
 * Runs `work` while no other process of this machine holds the lock `name`.
 *
 * The lock is the kernel's (flock): held by a child that ends when its input closes, so a process
 * that dies in whatever way gives it back.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(runFolder, { recursive: true });
  const holder = spawn(
    'flock',
    [join(runFolder, `${name}.lock`), 'sh', '-c', 'echo held; exec cat'],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
      // A group of its own: Ctrl-C in a terminal must not take the lock from under the work.
      detached: true,
    },
  );
  const ended = new Promise<void>((resolve) => holder.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject);
    holder.stdout.once('data', () => resolve());
    holder.once('close', (code) =>
      reject(new ActionError(`flock ended with ${code ?? 'a signal'} before it held "${name}".`)),
    );
  });
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
