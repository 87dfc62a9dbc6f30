import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { askOracle, findGo } from './oracle/ask.ts';
import { questions, type Question } from './oracle/cases.ts';
import { difference, type Answer } from './oracle/compare.ts';

// What Docker's packages answered (oracle/generate.ts).
const vectors = readFileSync(join(import.meta.dirname, 'vectors.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as readonly [Question, Answer]);
const compared = vectors.map(([question, theirs]) => ({
  kind: question.kind,
  question,
  found: difference(question, theirs, true),
}));
type Compared = (typeof compared)[number];
const isLeft = ({ found }: Compared) => isDeepStrictEqual(found?.ours, { error: true });

describe('ignore files, patterns, variables and Dockerfiles are read as by the packages of Docker', () => {
  const kinds = Map.groupBy(compared, ({ kind }) => kind);
  test.each([...kinds.keys()])('%s', (kind) => {
    const cases = kinds.get(kind) ?? [];
    expect(cases.length).toBeGreaterThan(100);
    expect(cases.filter((each) => each.found !== undefined && !isLeft(each))).toEqual([]);
  });

  test('hardly any case is left to BuildKit', () => {
    expect(compared.filter(isLeft).length / compared.length).toBeLessThan(0.02);
  });
});

// New random cases each time, answered by Go: CONTENT_FUZZ=<how many of each kind>.
const fuzz = Number(process.env['CONTENT_FUZZ'] ?? 0);
const go = findGo();
test.skipIf(fuzz === 0 || go === undefined)(
  'fresh random cases (CONTENT_FUZZ=1000, needs Go and its module proxy)',
  { timeout: 600_000 },
  () => {
    const seed = Number(process.env['CONTENT_SEED'] ?? Date.now() % 1_000_000);
    const asked = questions(seed, fuzz);
    const answers = askOracle(go ?? '', asked);
    const wrong = asked.flatMap((question, index) => {
      const found = difference(question, answers[index] ?? {}, false);
      return found === undefined ? [] : [{ seed, question, ...found }];
    });
    expect(wrong).toEqual([]);
  },
);
