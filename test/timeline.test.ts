import { expect, test } from 'vitest';
import { startTimeline } from '../src/timeline.ts';
import { fakeClock } from './fake-clock.ts';

test('phases are told in ms since the start, with how they ended', async () => {
  const clock = fakeClock(5000);
  const timeline = startTimeline(clock);
  await clock.sleep(10);
  expect(await timeline.phase('one', () => clock.sleep(30).then(() => 'value'))).toBe('value');
  await expect(
    timeline.phase('two', () => clock.sleep(5).then(() => Promise.reject(new Error('no')))),
  ).rejects.toThrow('no');
  timeline.skipped('three');
  expect(timeline.phases).toEqual([
    { name: 'one', start: 10, end: 40, result: 'done' },
    { name: 'two', start: 40, end: 45, result: 'failed' },
    { name: 'three', start: 45, end: 45, result: 'skipped' },
  ]);
  expect(timeline.elapsed()).toBe(45);
});
