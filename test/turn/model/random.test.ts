import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeRest, judgeStep, NO_WINDOWS } from './explore.ts';
import { production, type RunSetup, type Seen, type Setup, type World } from './setup.ts';
import { worldOf } from './world.ts';

// Up to six runs with re-runs, shared images, two lanes, kills, copies, cancels, stale lists, timeouts:
// too many interleavings to visit all, so fast-check picks schedules and shrinks one that fails.
const runs: fc.Arbitrary<RunSetup[]> = fc
  .array(
    fc.record({
      again: fc.boolean(),
      lane: fc.constantFrom('a', 'a', 'a', 'b'),
      sameImage: fc.boolean(),
    }),
    { minLength: 2, maxLength: 6 },
  )
  .map((list) =>
    list.map(({ again, lane, sameImage }, at): RunSetup => {
      const rerun = again && at > 0 ? { after: at - 1, attemptOf: at - 1 } : {};
      return { lane, image: sameImage && at > 0 ? at : at + 1, ...rerun };
    }),
  );

const setups: fc.Arbitrary<Setup> = fc.record({
  runs,
  inTurn: fc.boolean(),
  crashes: fc.integer({ min: 0, max: 3 }),
  copies: fc.integer({ min: 0, max: 3 }),
  lags: fc.integer({ min: 0, max: 2 }),
  failures: fc.boolean(),
  timeouts: fc.boolean(),
  foreign: fc.boolean(),
});

test('any schedule of up to six runs keeps every promise', { timeout: 120_000 }, () => {
  let states = 0;
  let rests = 0;
  const windows = { ...NO_WINDOWS };
  fc.assert(
    fc.property(setups, fc.array(fc.nat(), { minLength: 60, maxLength: 400 }), (setup, choices) => {
      const model = worldOf(setup, production);
      let world: World = model.first;
      for (let at = 0; ; at += 1) {
        const ways: [World, string, Seen][] = [];
        model.visit(world, (after, label, seen) => ways.push([after, label, seen]));
        if (model.atRest(world)) {
          const { broken, window } = judgeRest(model, production, world);
          expect(broken).toBeUndefined();
          if (window !== undefined) windows[window] += 1;
          rests += 1;
          if (ways.length === 0) return;
        }
        expect(ways.length).toBeGreaterThan(0);
        // When the choices are used up, everything goes on to its end.
        const way = ways[(choices[at] ?? 0) % ways.length];
        if (way === undefined) return;
        const [after, label, seen] = way;
        const broken = judgeStep(setup, model, world, after, seen);
        expect(broken && `${label}: ${broken}`).toBeUndefined();
        if (seen.back === true) windows['steps back for a moment'] += 1;
        world = after;
        states += 1;
      }
    }),
    { numRuns: 3_000 },
  );
  console.log(`${states} states of random schedules, ${rests} at rest`, windows);
  expect(states).toBeGreaterThan(50_000);
});
