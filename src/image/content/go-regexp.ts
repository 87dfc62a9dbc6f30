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
      // A brace that is no repetition is an ordinary character.
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

const controls: Readonly<Record<string, string>> = {
  a: '\\x07',
  f: '\\f',
  n: '\\n',
  r: '\\r',
  t: '\\t',
  v: '\\v',
};
const classes: Readonly<Record<string, string>> = {
  d: '0-9',
  s: '\\t\\n\\f\\r ',
  w: '0-9A-Za-z_',
};
const places: Readonly<Record<string, string>> = {
  A: '^',
  z: '$',
  // Both know word boundaries of ASCII words only.
  b: '\\b',
  B: '\\B',
};

function outsideEscape(char: string | undefined, source: string): string {
  if (char === undefined) return refuse(source);
  const place = places[char];
  if (place !== undefined) return place;
  const inner = insideEscape(char, source);
  return inner.length > 2 && classes[char.toLowerCase()] !== undefined ? `[${inner}]` : inner;
}

function insideEscape(char: string | undefined, source: string): string {
  if (char === undefined) return refuse(source);
  const control = controls[char];
  if (control !== undefined) return control;
  const plain = classes[char];
  if (plain !== undefined) return plain;
  const opposite = classes[char.toLowerCase()];
  if (opposite !== undefined) return refuse(source);
  if (/[\p{L}\p{Nd}]/u.test(char) || char.codePointAt(0) === undefined) return refuse(source);
  if ((char.codePointAt(0) ?? 0) >= 0x80 || char === '_') return refuse(source);
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
}

function readClass(chars: readonly string[], start: number, source: string) {
  let at = start + 1;
  let out = '[';
  if (chars[at] === '^') {
    out += '^';
    at += 1;
  }
  for (let first = true; first || chars[at] !== ']'; first = false) {
    const char = chars[at];
    if (char === undefined) return refuse(source);
    if (char === '[' && chars[at + 1] === ':') return refuse(source);
    const low = readOne(chars, at, source);
    at = low.end;
    if (chars[at] !== '-' || chars[at + 1] === ']' || low.set) {
      // A bare `-` means a range only between two characters; Go refuses most other places.
      if (char === '-' && !first && chars[at] !== ']') return refuse(source);
      out += low.text;
      continue;
    }
    const high = readOne(chars, at + 1, source);
    if (high.set || high.code < low.code) return refuse(source);
    out += `${low.text}-${high.text}`;
    at = high.end;
  }
  return { text: `${out}]`, end: at + 1 };
}

function readOne(chars: readonly string[], at: number, source: string) {
  const char = chars[at];
  if (char === undefined) return refuse(source);
  if (char !== '\\') {
    const code = char.codePointAt(0) ?? 0;
    return { text: `\\u{${code.toString(16)}}`, end: at + 1, set: false, code };
  }
  const escaped = chars[at + 1];
  const text = insideEscape(escaped, source);
  const control = controls[escaped ?? ''];
  // Ranges that start or end in a control escape never come from a file name: not worth deciding.
  const set = control !== undefined || classes[escaped ?? ''] !== undefined;
  return { text, end: at + 2, set, code: escaped?.codePointAt(0) ?? 0 };
}

function refuse(source: string): never {
  throw new Undecidable(`the pattern ${source} is malformed or too special`);
}
