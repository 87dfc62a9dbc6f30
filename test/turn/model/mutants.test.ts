import { expect, test } from 'vitest';
import { explore } from './explore.ts';
import { mutants } from './mutants.ts';

test(
  'the checker passes the production machine in the worlds of all mutants',
  { timeout: 120_000 },
  () => {
    const seen = new Set<string>();
    for (const { setups } of mutants) {
      for (const setup of setups) {
        const name = JSON.stringify(setup);
        // Three in the newest mode is explored in exhaustive.test.ts.
        if (seen.has(name) || (setup.runs.length > 2 && !setup.inTurn)) continue;
        seen.add(name);
        expect(explore(setup).broken).toBeUndefined();
      }
    }
  },
);

test.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
  'catches: %s',
  { timeout: 120_000 },
  (_, { setups, machine, world }) => {
    const caught = setups.map((setup) => explore({ ...setup, ...world }, machine).broken);
    const first = caught.find((broken) => broken !== undefined);
    console.log(`${first?.promise ?? 'not caught'}: ${first?.trace.join(', ') ?? ''}`);
    expect(first).toBeDefined();
  },
);

test('there are enough of them', () => {
  expect(mutants.length).toBeGreaterThanOrEqual(12);
});
