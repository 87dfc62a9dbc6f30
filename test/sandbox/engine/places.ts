import { tmpdir, homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** Whether this process may start a Docker daemon and install Debian's packages. */
export const isRoot = process.getuid?.() === 0;

/** What is expensive to make and outlives clones: unpacked packages, base images, BuildKit. */
export const cacheFolder =
  process.env['SHIP_TO_ECR_SANDBOX'] ?? join(homedir(), '.cache', 'ship-to-ecr-sandbox');

/**
 * What belongs to the machine's one running engine: sockets, locks, logs.
 * Short, because the path of a Unix socket holds 107 characters at most.
 */
export const runFolder = isRoot
  ? '/run/ship-to-ecr-sandbox'
  : join(tmpdir(), `ship-to-ecr-sandbox-${process.getuid?.() ?? 0}`);

/** The keeper's socket: whoever is connected holds a lease on the engine. */
export const keeperSocket = join(runFolder, 'keeper.sock');

/** Progress for the person who waits. To stderr, so that outputs of scripts stay clean. */
export type Say = (line: string) => void;
export const sayToStderr: Say = (line) => {
  process.stderr.write(`${line}\n`);
};
