import { expect, test } from 'vitest';
import { orderGuard } from '../../src/steps/functions.ts';
import type { Superseded } from '../../src/steps/publish.ts';
import { functionRegister, keyTag } from '../../src/turn/keys.ts';
import { FakeEcr, manifestOf, REPOSITORY } from '../turn/fakes.ts';

const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:api';
const register = functionRegister(arn);
const lane = '0123abcd';
const key = (runId: number) => ({ runId, runAttempt: 1 });

function guarded(runId: number, newer?: Superseded) {
  const ecr = new FakeEcr();
  const [old, mine] = [ecr.push(manifestOf('old')), ecr.push(manifestOf('mine'))];
  const check = () => Promise.resolve(newer);
  const guard = orderGuard({ check, key: key(runId), lane }, ecr, REPOSITORY.name);
  const goal = { plan: { view: { arn } }, child: { digest: mine.digest } };
  return { ecr, old, mine, ask: (deployed: string | undefined) => guard(deployed, goal) };
}

test('an image that came from outside the order may be replaced, and ours is marked first', async () => {
  const { ecr, old, mine, ask } = guarded(7);
  expect(await ask(old.digest)).toBe('go');
  expect(ecr.tags.get(keyTag(register, key(7), lane))).toBe(mine.digest);
});

test('a function that runs a newer run’s image is left alone, and nothing is marked', async () => {
  const { ecr, old, ask } = guarded(7);
  ecr.push(old, keyTag(register, key(8), lane));
  expect(await ask(old.digest)).toEqual({ supersededBy: 'run 8, attempt 1' });
  expect(ecr.puts).toEqual([]);
});

test('an older run’s image may be replaced', async () => {
  const { ecr, old, ask } = guarded(7);
  ecr.push(old, keyTag(register, key(6), lane));
  expect(await ask(old.digest)).toBe('go');
});

test('a newer run that has announced goes first, whatever the function runs', async () => {
  const { ecr, ask } = guarded(7, { key: key(9), url: 'https://host/runs/9' });
  expect(await ask(undefined)).toEqual({ supersededBy: 'https://host/runs/9' });
  expect(ecr.puts).toEqual([]);
});

test('a key of another function says nothing about this one', async () => {
  const { ecr, old, ask } = guarded(7);
  ecr.push(old, keyTag(functionRegister(`${arn}-other`), key(8), lane));
  expect(await ask(old.digest)).toBe('go');
});

test('on an image that stays the same, marks do not pile up', async () => {
  const { ecr, mine, ask } = guarded(7);
  ecr.push(mine, keyTag(register, key(5), lane), keyTag(register, key(6), lane));
  expect(await ask(mine.digest)).toBe('go');
  expect([...ecr.tags.keys()]).toEqual([keyTag(register, key(7), lane)]);
});
