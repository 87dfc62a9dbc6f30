import { afterAll, describe, expect, test } from 'vitest';
import { explore, NO_WINDOWS, type Explored, type Window } from './explore.ts';
import type { Setup } from './setup.ts';

const TWO = [{}, {}];
const THREE = [{}, {}, {}];

/** Every world, how many states it must have at least, and the windows that may be seen in it. */
const worlds: readonly [string, Setup, number, readonly Window[]][] = [
  ['two, newest', { runs: TWO, inTurn: false }, 1_000, ['steps back for a moment']],
  ['two, in turn', { runs: TWO, inTurn: true }, 100, []],
  ['two, in turn, builds that fail', { runs: TWO, inTurn: true, failures: true }, 100, []],
  [
    'two, newest: killed, sent twice, failing',
    { runs: TWO, inTurn: false, crashes: 1, copies: 1, failures: true },
    50_000,
    ['steps back for a moment', 'late write of a killed run', 'killed, no post'],
  ],
  [
    'two, in turn: killed, sent twice, stale list, timeout, failing',
    { runs: TWO, inTurn: true, crashes: 1, copies: 1, lags: 1, failures: true, timeouts: true },
    100_000,
    ['steps back for a moment', 'late write of a killed run', 'killed, no post'],
  ],
  [
    'two that build the same image, killed',
    { runs: [{ image: 1 }, { image: 1 }], inTurn: false, crashes: 1, copies: 1 },
    10_000,
    // Whoever is left moves the tag to the image that both mean.
    [],
  ],
  [
    'two, the tag at an image of somebody else',
    { runs: TWO, inTurn: false, foreign: true, crashes: 1 },
    10_000,
    ['steps back for a moment', 'late write of a killed run', 'killed, no post'],
  ],
  ['three, newest', { runs: THREE, inTurn: false }, 500_000, ['steps back for a moment']],
  ['three, in turn, builds that fail', { runs: THREE, inTurn: true, failures: true }, 500, []],
  [
    'three, in turn: one killed',
    { runs: THREE, inTurn: true, failures: true, crashes: 1 },
    10_000,
    ['steps back for a moment', 'late write of a killed run', 'killed, no post'],
  ],
  [
    'three, the first two attempts of one run',
    { runs: [{}, { after: 0, attemptOf: 0 }, {}], inTurn: false },
    2_000,
    ['steps back for a moment'],
  ],
  [
    'three, two workflows that move one tag',
    { runs: [{}, { lane: 'b' }, { after: 0 }], inTurn: false },
    2_000,
    ['steps back for a moment'],
  ],
];

describe('every interleaving of the production state machine', () => {
  const all: [string, Explored][] = [];

  test.each(worlds)('%s', { timeout: 120_000 }, (name, setup, floor, windows) => {
    const explored = explore(setup);
    all.push([name, explored]);
    expect(explored.broken).toBeUndefined();
    expect(explored.states).toBeGreaterThanOrEqual(floor);
    const seen = Object.keys(NO_WINDOWS).filter((key) => explored.windows[key as Window] > 0);
    expect(new Set(windows)).toEqual(new Set(seen));
  });

  afterAll(() => {
    const states = all.reduce((sum, [, one]) => sum + one.states, 0);
    const steps = all.reduce((sum, [, one]) => sum + one.transitions, 0);
    console.log(
      all.map(([name, one]) => `${String(one.states).padStart(9)} states  ${name}`).join('\n') +
        `\n${String(states).padStart(9)} states, ${steps} transitions in all`,
    );
    if (all.length === worlds.length) expect(states).toBeGreaterThanOrEqual(500_000);
  });
});
