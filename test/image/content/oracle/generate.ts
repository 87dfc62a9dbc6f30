// node test/image/content/oracle/generate.ts [seed] [count]: writes vectors.jsonl, answered by Docker's
// packages. With `--fuzz` it writes nothing and prints where we differ.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { askOracle, findGo } from './ask.ts';
import { questions } from './cases.ts';
import { difference } from './compare.ts';

const fuzz = process.argv.includes('--fuzz');
const [seed = 1, count = 180] = process.argv
  .slice(2)
  .filter((arg) => /^\d+$/.test(arg))
  .map(Number);
const go = findGo();
if (go === undefined) throw new Error('There is no Go on this machine.');
const asked = questions(seed, count);
const answers = askOracle(go, asked);
if (fuzz) {
  let left = 0;
  asked.forEach((question, index) => {
    const theirs = answers[index];
    if (theirs === undefined) throw new Error('the oracle gave too few answers');
    const found = difference(question, theirs, true);
    if (found === undefined) return;
    if (difference(question, theirs, false) === undefined) {
      left += 1;
      if (!process.argv.includes('--left')) return;
    }
    console.log(JSON.stringify({ question, ...found }, undefined, 1));
  });
  console.log(`${asked.length} questions; ${left} left to BuildKit that it decides`);
} else {
  const rows = asked.map((question, index) => JSON.stringify([question, answers[index]]));
  writeFileSync(join(import.meta.dirname, '..', 'vectors.jsonl'), `${rows.join('\n')}\n`);
}
