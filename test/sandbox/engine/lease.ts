import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

/**
 * The keeper's side: whoever connects holds a lease and is told `record` as one line of JSON.
 * `onIdle` is called once no lease has been held for `idle` ms (also when nobody ever comes).
 * A process that dies closes its socket: no lease can be left behind.
 */
export async function serveLeases(options: {
  socket: string;
  record: unknown;
  /** ms */
  idle: number;
  onIdle: () => void;
}): Promise<{ close(): void; readonly leases: number }> {
  const leases = new Set<Socket>();
  let timer = setTimeout(options.onIdle, options.idle);
  const server = createServer((lease) => {
    leases.add(lease);
    clearTimeout(timer);
    lease.on('close', () => {
      leases.delete(lease);
      clearTimeout(timer);
      if (leases.size === 0 && server.listening) timer = setTimeout(options.onIdle, options.idle);
    });
    // A user that died: its lease ends by the close that follows.
    lease.on('error', () => {});
    lease.resume();
    lease.write(`${JSON.stringify(options.record)}\n`);
  });
  rmSync(options.socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.socket, resolve);
  });
  chmodSync(options.socket, 0o600);
  return {
    close() {
      clearTimeout(timer);
      server.close();
      for (const lease of leases) lease.destroy();
    },
    get leases() {
      return leases.size;
    },
  };
}

export interface Lease<Record> {
  readonly record: Record;
  /** Whether the keeper is still there. */
  readonly alive: boolean;
  release(): void;
}

/**
 * Takes a lease. It lasts until `release` or the end of this process, and keeps no process alive.
 *
 * @returns undefined when no keeper answers within `patience` ms.
 */
export function takeLease<Record>(
  socket: string,
  patience: number,
): Promise<Lease<Record> | undefined> {
  return new Promise((resolve) => {
    const lease = connect(socket);
    let text = '';
    let alive = true;
    const giveUp = () => {
      alive = false;
      clearTimeout(timer);
      lease.destroy();
      resolve(undefined);
    };
    const timer = setTimeout(giveUp, patience);
    lease.setEncoding('utf8');
    // No keeper, or one that is just ending: both mean "none".
    lease.on('error', giveUp);
    lease.on('close', giveUp);
    lease.on('data', (part: string) => {
      text += part;
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      lease.removeAllListeners('data').resume().unref();
      resolve({
        record: JSON.parse(text.slice(0, end)) as Record,
        get alive() {
          return alive;
        },
        release: () => lease.destroy(),
      });
    });
  });
}
