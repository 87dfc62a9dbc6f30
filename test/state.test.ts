import { expect, test } from 'vitest';
import { loadState, openState } from '../src/state.ts';
import { collectLog } from './fake-log.ts';

test('each change is saved at once, as one versioned value', () => {
  const saved: string[] = [];
  const store = openState({ saveState: (name, value) => saved.push(`${name}=${value}`) });
  store.set('temp', '/t');
  store.set('builder', { name: 'b' });
  store.set('builder', undefined);
  expect(saved).toEqual([
    'ship-to-ecr={"version":1,"temp":"/t"}',
    'ship-to-ecr={"version":1,"temp":"/t","builder":{"name":"b"}}',
    'ship-to-ecr={"version":1,"temp":"/t"}',
  ]);
});

test('what was saved is loaded again', () => {
  const { log } = collectLog();
  expect(loadState({ getState: () => '{"version":1,"temp":"/t"}' }, log)).toEqual({
    version: 1,
    temp: '/t',
  });
  expect(loadState({ getState: () => '' }, log)).toBeUndefined();
});

test('state of another version is left alone, with a warning', () => {
  const { log, lines } = collectLog();
  expect(loadState({ getState: () => '{"version":2}' }, log)).toBeUndefined();
  expect(lines.join()).toContain(
    'warning: The state that the main step left is of another version',
  );
});
