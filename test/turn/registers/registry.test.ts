import { expect, test } from 'vitest';
import { keyTag } from '../../../src/turn/keys.ts';
import { registryRegister } from '../../../src/turn/registers/registry.ts';
import { FakeEcr, manifestOf, REPOSITORY } from '../fakes.ts';

const R = '12345678';
const LANE = 'aaaaaaaa';
const key = (runId: number) => ({ runId, runAttempt: 1 });

function open(newer: number[] = []) {
  const ecr = new FakeEcr();
  const hints = () => newer.map((runId) => ({ key: key(runId), lane: LANE }));
  const register = registryRegister(ecr, REPOSITORY.name, R, hints);
  const announce = async (runId: number, text = `run ${runId}`) => {
    const { digest } = ecr.push(manifestOf(text));
    await register.announce({ key: key(runId), lane: LANE, digest });
    return digest;
  };
  return { ecr, register, announce };
}

test('the highest key tag that exists is its value', async () => {
  const { register, announce } = open();
  expect(await register.read(LANE)).toEqual({ top: undefined, own: undefined });
  const digest = await announce(12);
  await announce(9);
  expect((await register.read(LANE)).top).toEqual({ key: key(12), lane: LANE, digest });
  expect((await register.read('bbbbbbbb')).own).toBeUndefined();
});

test('announcing again is fine, also where tags are immutable', async () => {
  const { ecr, announce } = open();
  ecr.immutable.add(keyTag(R, key(1), LANE));
  await announce(1);
  await announce(1);
  expect(ecr.puts).toHaveLength(1);
});

test('a run that a lagging listing hides is found by name when GitHub told of it', async () => {
  const { ecr, register, announce } = open([11, 12, 13]);
  await announce(10);
  const digest = await announce(12);
  ecr.unlisted.add(keyTag(R, key(12), LANE));
  expect((await register.read(LANE)).top).toEqual({ key: key(12), lane: LANE, digest });
});

test('an image that never changes keeps one key tag, and the image', async () => {
  const { ecr, register, announce } = open();
  for (let runId = 1; runId <= 5; runId += 1) {
    const digest = await announce(runId, 'same');
    await register.prune({ key: key(runId), lane: LANE, digest });
  }
  expect([...ecr.tags.keys()]).toEqual([keyTag(R, key(5), LANE)]);
  expect(ecr.images.size).toBe(1);
});

test("at ECR's limit of tags on one image, room is made first", async () => {
  const { ecr, announce, register } = open();
  ecr.tagLimit = 3;
  for (let runId = 1; runId <= 3; runId += 1) await announce(runId, 'same');
  await announce(4, 'same');
  expect((await register.read(LANE)).top?.key).toEqual(key(4));
});

test('a limit reached by tags of others comes through', async () => {
  const { ecr, announce } = open();
  ecr.tagLimit = 2;
  ecr.push(manifestOf('same'), 'a', 'b');
  await expect(announce(1, 'same')).rejects.toThrow('PutImage was refused');
});

test("an image that is gone can't be announced", async () => {
  const { register } = open();
  await expect(
    register.announce({ key: key(1), lane: LANE, digest: 'sha256:gone' }),
  ).rejects.toThrow(/no longer in the repository/);
});
