import { Undecidable } from '../dockerfile/undecidable.ts';

const known = new Map<string, RegExp>();

/**
 * `pattern` as a regular expression over the whole path, by the rule of Go's `path.Match`, which `COPY`
 * and `ADD` use: `*` and `?` stop at slashes, `[a-z]` and `[^a]` are classes, `\` escapes.
 *
 * @throws Undecidable when the pattern is malformed (BuildKit refuses it).
 */
export function globRegExp(pattern: string): RegExp {
  const before = known.get(pattern);
  if (before !== undefined) return before;
  const chars = Array.from(pattern);
  let source = '';
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const { text, end } = readClass(chars, at + 1, pattern);
      source += text;
      at = end;
    } else if (char === '\\') {
      at += 1;
      source += literal(chars[at] ?? malformed(pattern));
    } else source += literal(char);
  }
  const result = new RegExp(`^${source}$`, 'su');
  known.set(pattern, result);
  return result;
}

function readClass(chars: readonly string[], start: number, pattern: string) {
  let at = start;
  const negated = chars[at] === '^';
  if (negated) at += 1;
  let ranges = '';
  const one = (): string => {
    let char = chars[at];
    if (char === undefined || char === '-' || char === ']') malformed(pattern);
    if (char === '\\') {
      at += 1;
      char = chars[at];
    }
    at += 1;
    // A class that isn't closed after its last character is malformed too.
    if (char === undefined || at >= chars.length) malformed(pattern);
    return char;
  };
  for (let count = 0; chars[at] !== ']' || count === 0; count += 1) {
    const low = one();
    let high = low;
    if (chars[at] === '-') {
      at += 1;
      high = one();
    }
    // A range the wrong way round matches nothing.
    if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0)) {
      ranges += `${codePoint(low)}-${codePoint(high)}`;
    }
  }
  // Classes may match a slash: path.Match asks for one only in `*` and `?`.
  const none = negated ? '[^]' : '[]';
  return { text: ranges === '' ? none : `[${negated ? '^' : ''}${ranges}]`, end: at };
}

function codePoint(char: string): string {
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
}

function literal(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
}

function malformed(pattern: string): never {
  throw new Undecidable(`the pattern ${pattern} is malformed`);
}

/** Whether a `COPY` source is a pattern. */
export function hasWildcard(path: string): boolean {
  return /^(?:[^\\*?[]|\\[^]?)*[*?[]/u.test(path);
}
