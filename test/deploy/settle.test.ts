import { expect, test } from 'vitest';
import { settle } from '../../src/deploy/code.ts';
import type { Deployment } from '../../src/deploy/context.ts';
import type { FunctionView, Lambda } from '../../src/systems/lambda.ts';
import { fastClock, testLog } from './kit.ts';

/** GetFunction answers these one after the other, the last one for ever. */
function deployment(...answers: readonly (Partial<FunctionView> | Error)[]) {
  const clock = fastClock();
  let calls = 0;
  const getFunction = () => {
    const answer = answers[Math.min(calls, answers.length - 1)];
    calls += 1;
    return answer instanceof Error
      ? Promise.reject(answer)
      : Promise.resolve({ lastUpdateStatus: 'Successful', state: 'Active', ...answer });
  };
  const d: Deployment = {
    lambda: { getFunction } as Partial<Lambda> as Lambda,
    metrics: undefined,
    ecr: undefined,
    guard: () => Promise.resolve('go'),
    log: testLog(),
    clock,
    signal: undefined,
    timeout: 300_000,
  };
  return { d, clock, calls: () => calls };
}

const at = { action: 'GetFunction', label: 'app' };
const busy = { lastUpdateStatus: 'InProgress' };
const refusal = (name: string, httpStatusCode: number) =>
  Object.assign(new Error('no'), { name, $metadata: { httpStatusCode } });

test('looks after 1 s, then less and less often, at most every 5 s', async () => {
  const { d, clock, calls } = deployment(busy, busy, busy, busy, busy, busy, {});
  await settle(d, 'app', at, 'ours');
  expect(calls()).toBe(7);
  expect(clock.slept()).toBe(1000 + 1500 + 2250 + 3375 + 5000 + 5000);
});

test('throttled looks are looks in vain, no failure', async () => {
  const { d, calls } = deployment(
    busy,
    refusal('TooManyRequestsException', 429),
    refusal('TooManyRequestsException', 429),
    {},
  );
  await settle(d, 'app', at, 'ours');
  expect(calls()).toBe(4);
});

test.each([
  ['AccessDeniedException', 403],
  ['ResourceNotFoundException', 404],
])('%s ends it at once', async (name, status) => {
  const { d, calls } = deployment(busy, refusal(name, status));
  await expect(settle(d, 'app', at, 'ours')).rejects.toThrow('app: ');
  expect(calls()).toBe(2);
});

test.each([
  [{ state: 'Failed' }],
  [{ state: 'Inactive' }],
  [{ lastUpdateStatus: 'Failed' }],
  [{ state: 'ActiveNonInvocable' }],
])('%j is settled: an update may cure it', async (view) => {
  const { d, calls } = deployment(view);
  await settle(d, 'app', at, 'somebody else');
  expect(calls()).toBe(1);
});

test('Pending is waited for as well, up to the timeout', async () => {
  const { d } = deployment({ state: 'Pending', stateReason: 'being created' });
  await expect(settle(d, 'app', at, 'somebody else')).rejects.toThrow(
    'Waited 5 min 00 s for function app to settle',
  );
});
