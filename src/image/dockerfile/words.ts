import { isSpace } from './text.ts';
import { Undecidable } from './undecidable.ts';

/**
 * Words of `ENV`, `LABEL` and `ARG`: split at white space outside quotes; quotes and escapes stay,
 * they are read when variables are expanded.
 */
export function quotedWords(text: string, escape: string): readonly string[] {
  const words: string[] = [];
  const chars = Array.from(text);
  let word = '';
  let quote = '';
  let started = false;
  const close = () => {
    if (started || word !== '') words.push(word);
    word = '';
    started = false;
  };
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    if (quote === '' && isSpace(char)) {
      close();
      continue;
    }
    const escapes = char === escape && quote !== "'";
    if (quote === '' && (char === "'" || char === '"')) {
      quote = char;
      started = true;
    } else if (char === quote) quote = '';
    if (!escapes) {
      word += char;
      continue;
    }
    // At the end of the line an escape character escapes nothing, and is dropped.
    if (at + 1 === chars.length) break;
    at += 1;
    word += char + (chars[at] ?? '');
  }
  close();
  return words;
}

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/**
 * `KEY=value …`, or the old form `KEY value to the end`.
 *
 * @throws Undecidable where BuildKit refuses the line.
 */
export function pairs(instruction: string, text: string, escape: string): readonly Pair[] {
  const words = quotedWords(text, escape);
  const first = words[0];
  if (first === undefined) throw new Undecidable(`${instruction} has no arguments`);
  if (!first.includes('=')) {
    const gap = /[\t\v\f\r ]+/.exec(text);
    if (gap === null) throw new Undecidable(`${instruction} ${text} has no value`);
    return [{ key: text.slice(0, gap.index), value: text.slice(gap.index + gap[0].length) }];
  }
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at <= 0) throw new Undecidable(`${instruction} ${word} is not of the form name=value`);
    return { key: word.slice(0, at), value: word.slice(at + 1) };
  });
}
