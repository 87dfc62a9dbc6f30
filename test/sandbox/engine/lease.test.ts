import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serveLeases, takeLease } from './lease.ts';

let folder: string;
let socket: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lease-'));
  socket = join(folder, 'keeper.sock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

test('who takes a lease is told the record', async () => {
  const record = { dockerHost: 'unix:///x.sock' };
  const keeper = await serveLeases({ socket, record, idle: 60_000, onIdle: () => {} });
  const lease = await takeLease<typeof record>(socket, 10_000);
  expect(lease?.record).toEqual(record);
  expect(keeper.leases).toBe(1);
  lease?.release();
  await until(() => keeper.leases === 0);
  keeper.close();
});

test('the keeper is idle only when the last lease has gone', async () => {
  let idle = 0;
  const keeper = await serveLeases({ socket, record: 1, idle: 40, onIdle: () => (idle += 1) });
  const first = await takeLease(socket, 10_000);
  const second = await takeLease(socket, 10_000);
  first?.release();
  await sleep(120);
  expect(idle).toBe(0);
  second?.release();
  await until(() => idle === 1);
  keeper.close();
});

test('a keeper nobody comes to is idle too', async () => {
  let idle = false;
  const keeper = await serveLeases({ socket, record: 1, idle: 10, onIdle: () => (idle = true) });
  await until(() => idle);
  keeper.close();
});

test('a lease knows when its keeper has ended, and there is none to take then', async () => {
  const keeper = await serveLeases({ socket, record: 1, idle: 60_000, onIdle: () => {} });
  const lease = await takeLease(socket, 10_000);
  expect(lease?.alive).toBe(true);
  keeper.close();
  await until(() => lease?.alive === false);
  expect(await takeLease(socket, 10_000)).toBeUndefined();
});

test('a socket nobody listens on any more is no keeper, and no obstacle to the next', async () => {
  expect(await takeLease(socket, 10_000)).toBeUndefined();
  const first = await serveLeases({ socket, record: 1, idle: 60_000, onIdle: () => {} });
  const second = await serveLeases({ socket, record: 2, idle: 60_000, onIdle: () => {} });
  const lease = await takeLease<number>(socket, 10_000);
  expect(lease?.record).toBe(2);
  lease?.release();
  first.close();
  second.close();
});
