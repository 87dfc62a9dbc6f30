import { describe, expect, test } from 'vitest';
import { duration, graceAfter, poll, retry, systemClock } from '../src/wait.ts';
import { fakeClock } from './fake-clock.ts';

describe('retry', () => {
  test('tries again with doubling waits until it succeeds', async () => {
    const clock = fakeClock();
    const value = await retry(
      (attempt) => (attempt < 4 ? Promise.reject(new Error('no')) : Promise.resolve(attempt)),
      { tries: 5, firstDelay: 100, clock },
    );
    expect(value).toBe(4);
    expect(clock.slept).toEqual([100, 200, 400]);
  });

  test('gives the last error when the tries are used up', async () => {
    let tries = 0;
    const work = () => Promise.reject(new Error(`try ${(tries += 1)}`));
    await expect(retry(work, { tries: 3, clock: fakeClock() })).rejects.toThrow('try 3');
  });

  test('does not repeat what repeating cannot help', async () => {
    const clock = fakeClock();
    const work = () => Promise.reject(new Error('denied'));
    await expect(retry(work, { tries: 5, clock, retryable: () => false })).rejects.toThrow(
      'denied',
    );
    expect(clock.slept).toEqual([]);
  });

  test('ends at an abort', async () => {
    const clock = fakeClock();
    const signal = AbortSignal.abort(new DOMException('cancelled', 'AbortError'));
    const work = () => Promise.reject(new Error('no'));
    await expect(retry(work, { tries: 5, clock, signal })).rejects.toThrow('no');
    expect(clock.slept).toEqual([]);
  });

  test('never waits longer than the longest delay', async () => {
    const clock = fakeClock();
    const work = () => Promise.reject(new Error('no'));
    const options = { tries: 5, firstDelay: 100, longestDelay: 250, clock };
    await expect(retry(work, options)).rejects.toThrow();
    expect(clock.slept).toEqual([100, 200, 250, 250]);
  });
});

describe('poll', () => {
  const options = { what: 'the light to turn green', interval: 100, longestInterval: 200 };

  test('looks until there is something', async () => {
    const clock = fakeClock();
    const look = (looks: number) => Promise.resolve(looks === 4 ? 'green' : undefined);
    expect(await poll(look, { ...options, timeout: 10_000, clock })).toBe('green');
    expect(clock.slept).toEqual([100, 150, 200]);
  });

  test('says what it waited for, how long, and what to do', async () => {
    const look = () => Promise.resolve(undefined);
    const waiting = poll(look, { ...options, timeout: 1000, hint: 'Look.', clock: fakeClock() });
    await expect(waiting).rejects.toMatchObject({
      message: 'Waited 1.0 s for the light to turn green, in vain.',
      hint: 'Look.',
    });
  });
});

describe('the system clock', () => {
  test('sleeps no longer than until the abort', async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(60_000, controller.signal);
    controller.abort(new DOMException('cancelled', 'AbortError'));
    await expect(sleeping).rejects.toThrow('cancelled');
    await expect(systemClock.sleep(1, controller.signal)).rejects.toThrow('cancelled');
  });
});

test('grace: aborts some time after the signal, with its reason', async () => {
  const cancel = new AbortController();
  const late = graceAfter(cancel.signal, 20);
  const aborted = new Promise((resolve) => late.addEventListener('abort', resolve));
  cancel.abort(new DOMException('cancelled', 'AbortError'));
  expect(late.aborted).toBe(false);
  await Promise.all([aborted, systemClock.sleep(40)]);
  expect(late.reason).toBe(cancel.signal.reason);
  expect(graceAfter(new AbortController().signal, 1).aborted).toBe(false);
});

test.each([
  [850, '850 ms'],
  [8400, '8.4 s'],
  [59_999, '1 min 00 s'],
  [125_000, '2 min 05 s'],
  [11_400_000, '3 h 10 min'],
])('%d ms is %s', (ms, shown) => {
  expect(duration(ms)).toBe(shown);
});
