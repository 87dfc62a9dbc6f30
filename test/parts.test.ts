import { expect, test } from 'vitest';
import type { Job } from '../src/job.ts';
import { openParts } from '../src/parts.ts';
import { startTimeline } from '../src/timeline.ts';

const open = (signal = new AbortController().signal) => {
  const timeline = startTimeline();
  // Parts use the timeline and the signal alone.
  return { timeline, ...openParts({ timeline, signal } as Job) };
};

test('a failed part stops the others', async () => {
  const { part, job, timeline } = open();
  await expect(part('account', () => Promise.reject(new Error('denied')))).rejects.toThrow(
    'denied',
  );
  expect(job.signal.reason).toMatchObject({ name: 'AbortError', message: 'account failed.' });
  expect(timeline.phases).toMatchObject([{ name: 'account', result: 'failed' }]);
});

test('a failed build lets the checks come to their end', async () => {
  const { part, job } = open();
  await expect(part('build', () => Promise.reject(new Error('no')), false)).rejects.toThrow('no');
  expect(job.signal.aborted).toBe(false);
});

test('a cancel of the run stops all parts', () => {
  const cancel = new AbortController();
  const { job } = open(cancel.signal);
  cancel.abort();
  expect(job.signal.aborted).toBe(true);
});

test('what was not asked for is shown as skipped', async () => {
  const { optional, timeline } = open();
  expect(await optional(false, 'verify', 'nothing', () => Promise.resolve('something'))).toBe(
    'nothing',
  );
  expect(await optional(true, 'python', 'nothing', () => Promise.resolve('something'))).toBe(
    'something',
  );
  expect(timeline.phases).toMatchObject([
    { name: 'verify', result: 'skipped' },
    { name: 'python', result: 'done' },
  ]);
});
