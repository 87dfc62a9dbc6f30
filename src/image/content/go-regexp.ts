import { Undecidable } from '../dockerfile/undecidable.ts';

/**
 * A regular expression written for Go's RE2, as JavaScript's. Only what patterns of ignore files can
 * lead to is translated.
 *
 * @throws Undecidable for a form that Go refuses or that means something else here.
 */
export function goRegExp(source: string): RegExp {
  const chars = Array.from(source);
  let out = '';
  for (let at = 0; at < chars.length;) {
    const char = chars[at] ?? '';
    if (char === '\\') {
      out += outsideEscape(chars[at + 1], source);
      at += 2;
    } else if (char === '[') {
      const { text, end } = readClass(chars, at, source);
      out += text;
      at = end;
    } else if (char === '{') {
      const count = /^\{\d+(?:,\d*)?\}/.exec(chars.slice(at, at + 20).join(''))?.[0];
      // A brace that is no repetition is an ordinary character; Go repeats 1,000 times at most.
      if (count?.match(/\d+/g)?.some((times) => Number(times) > 1000) === true) refuse(source);
      out += count ?? '\\{';
      at += count?.length ?? 1;
    } else {
      out += char === '}' || char === ']' || char === '/' ? `\\${char}` : dot(char);
      at += 1;
    }
  }
  try {
    return new RegExp(out, 'u');
  } catch (error) {
    throw new Undecidable(`the pattern ${source} is malformed`, { cause: error });
  }
}

// Go's `.` stops at line feeds only.
function dot(char: string): string {
  return char === '.' ? '[^\\n]' : char;
}

const controls: Readonly<Record<string, number>> = { a: 7, t: 9, n: 10, v: 11, f: 12, r: 13 };
const sets: Readonly<Record<string, string>> = {
  d: '0-9',
  s: '\\t\\n\\f\\r ',
  w: '0-9A-Za-z_',
};
// Word boundaries are those of ASCII words in both.
const places: Readonly<Record<string, string>> = { A: '^', z: '$', b: '\\b', B: '\\B' };

function outsideEscape(char: string | undefined, source: string): string {
  if (char === undefined) return refuse(source);
  const place = places[char];
  if (place !== undefined) return place;
  const set = sets[char];
  if (set !== undefined) return `[${set}]`;
  const opposite = sets[char.toLowerCase()];
  if (opposite !== undefined) return `[^${opposite}]`;
  return codePoint(escapedCode(char, source));
}

// Punctuation stands for itself after a backslash; other letters and digits have meanings of their own.
function escapedCode(char: string | undefined, source: string): number {
  const code = char?.codePointAt(0);
  if (char === undefined || code === undefined) return refuse(source);
  const control = controls[char];
  if (control !== undefined) return control;
  return code >= 0x80 || /[0-9A-Za-z]/.test(char) ? refuse(source) : code;
}

function readClass(chars: readonly string[], start: number, source: string) {
  let at = start + 1;
  let out = '[';
  if (chars[at] === '^') {
    out += '^';
    at += 1;
  }
  for (let first = true; first || chars[at] !== ']'; first = false) {
    if (chars[at] === '[' && chars[at + 1] === ':') return refuse(source);
    const set = chars[at] === '\\' ? sets[chars[at + 1] ?? ''] : undefined;
    if (set !== undefined) {
      out += set;
      at += 2;
      continue;
    }
    const low = readOne(chars, at, source);
    at = low.end;
    let high = low;
    if (chars[at] === '-' && chars[at + 1] !== undefined && chars[at + 1] !== ']') {
      high = readOne(chars, at + 1, source);
      at = high.end;
    }
    if (high.code < low.code) return refuse(source);
    out += `${codePoint(low.code)}-${codePoint(high.code)}`;
  }
  return { text: `${out}]`, end: at + 1 };
}

function readOne(chars: readonly string[], at: number, source: string) {
  const char = chars[at];
  if (char === '\\') return { code: escapedCode(chars[at + 1], source), end: at + 2 };
  const code = char?.codePointAt(0);
  return code === undefined ? refuse(source) : { code, end: at + 1 };
}

function codePoint(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

function refuse(source: string): never {
  throw new Undecidable(`the pattern ${source} is malformed or too special`);
}
