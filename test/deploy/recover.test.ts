import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAbort } from '../../src/errors.ts';
import { readDeployRecord, recoverDeploy, type DeployRecord } from '../../src/steps/deploy.ts';
import type { PushedImage } from '../../src/image/plan.ts';
import { openLambdaWorld, type LambdaWorld, type ShipOptions } from './kit.ts';

let world: LambdaWorld;
let old: PushedImage;
beforeEach(async () => {
  world = await openLambdaWorld();
  old = await world.push();
  for (const name of ['one', 'two']) await world.standIn.create(name, { image: world.uri(old) });
  await world.ship(old, 'one:live\ntwo:live');
  world.records.length = 0;
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const lines = 'one:live\ntwo:live';

/** Ships and is cancelled when `action` arrives for the `nth` time; returns what state then holds. */
async function cutOff(
  image: PushedImage,
  action: string,
  nth: number,
  options: ShipOptions & { lines?: string } = {},
): Promise<DeployRecord | undefined> {
  const stop = new AbortController();
  for (let before = 1; before < nth; before += 1) world.standIn.before(action, () => undefined);
  world.standIn.before(action, () => {
    stop.abort();
  });
  const error = await world
    .ship(image, options.lines ?? lines, { ...options, signal: stop.signal })
    .catch((error: unknown) => error);
  expect(isAbort(error)).toBe(true);
  // What the runner hands to the post step: JSON.
  return readDeployRecord(JSON.parse(JSON.stringify(world.records.at(-1) ?? null)));
}

async function recover(record: DeployRecord | undefined) {
  if (record === undefined) throw new Error('no record was left');
  return recoverDeploy(record, { lambda: world.lambda, log: world.log, clock: world.clock });
}

const code = (name: string) => world.standIn.functions.get(name)?.latest.code?.codeSha256;
const alias = (name: string) => world.standIn.functions.get(name)?.aliases.get('live');
const hex = (image: PushedImage) => image.digest.replace('sha256:', '');

test('cut off while the code is updated: taken back', async () => {
  const record = await cutOff(await world.push(), 'lambda:UpdateFunctionCode', 4);
  const { result, running } = await recover(record);
  expect(result).toBe('rolled back');
  expect([code('one'), code('two')]).toEqual([hex(old), hex(old)]);
  expect([alias('one')?.version, alias('two')?.version]).toEqual(['1', '1']);
  expect(running.join('\n')).toMatch(/one:live: serves version 1 \(sha256:\w+\); \$LATEST runs/);
});

test('cut off while versions are published: taken back', async () => {
  const record = await cutOff(await world.push(), 'lambda:PublishVersion', 1);
  expect((await recover(record)).result).toBe('rolled back');
  expect([code('one'), code('two')]).toEqual([hex(old), hex(old)]);
});

test('cut off while aliases are moved: finished', async () => {
  const next = await world.push();
  const record = await cutOff(next, 'lambda:UpdateAlias', 1);
  expect(record?.stage).toBe('flip');
  expect((await recover(record)).result).toBe('finished');
  expect([alias('one')?.version, alias('two')?.version]).toEqual(['2', '2']);
  expect([code('one'), code('two')]).toEqual([hex(next), hex(next)]);
});

test('cut off while aliases are moved, and somebody newer came: left to them', async () => {
  const record = await cutOff(await world.push(), 'lambda:UpdateAlias', 1);
  const newer = await world.push();
  await world.ship(newer, lines);
  expect((await recover(record)).result).toBe('finished');
  expect([code('one'), code('two')]).toEqual([hex(newer), hex(newer)]);
  expect([alias('one')?.version, alias('two')?.version]).toEqual(['3', '3']);
});

test('cut off earlier, and somebody newer came: their code stays', async () => {
  const record = await cutOff(await world.push(), 'lambda:PublishVersion', 1);
  const newer = await world.push();
  await world.ship(newer, lines);
  await recover(record);
  expect([code('one'), code('two')]).toEqual([hex(newer), hex(newer)]);
});

test('cut off within a canary: back to the old version', async () => {
  const canary = 'one:live canary=25%,1m';
  const record = await cutOff(await world.push(), 'lambda:UpdateAlias', 2, { lines: canary });
  // The first step's weights are in force.
  expect(Object.keys(alias('one')?.weights ?? {})).toEqual(['2']);
  expect((await recover(record)).result).toBe('rolled back');
  expect(alias('one')).toMatchObject({ version: '1', weights: {} });
});

test('lambda-rollback: false: left, and said', async () => {
  const next = await world.push();
  const record = await cutOff(next, 'lambda:PublishVersion', 1, { rollback: false });
  expect((await recover(record)).result).toBe('left');
  expect(code('one')).toBe(hex(next));
  expect(world.log.lines.join('\n')).toContain('What runs now:\none:live: serves version 1');
});

test('cut off before anything changed: nothing to do', async () => {
  const record = await cutOff(await world.push(), 'lambda:UpdateFunctionCode', 1);
  expect(record).toBeUndefined();
});

test('done: nothing to do', async () => {
  await world.ship(await world.push(), lines);
  expect((await recover(world.records.at(-1))).result).toBe('nothing to do');
});

test('state that is no record is refused', () => {
  expect(() => readDeployRecord({ stage: 'else' })).toThrow("can't be read");
  expect(readDeployRecord(undefined)).toBeUndefined();
});
