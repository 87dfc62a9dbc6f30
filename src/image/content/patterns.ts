import { cleanPath, trimSpace } from '../dockerfile/text.ts';
import { Undecidable } from '../dockerfile/undecidable.ts';
import { globRegExp } from './glob.ts';
import { goRegExp } from './go-regexp.ts';

/** Which patterns a folder matched; handed on to what is inside of it. */
export type Matched = readonly boolean[];

export interface Pattern {
  /** Clean, without `!`. */
  readonly text: string;
  readonly exception: boolean;
  readonly matches: (path: string) => boolean;
}

/**
 * Patterns of an ignore file (or of `COPY --exclude`), by the rules of moby/patternmatcher: later
 * ones win, `!` takes back, `**` stands for any number of folders.
 */
export class Patterns {
  readonly all: readonly Pattern[];
  readonly exceptions: boolean;

  /** @throws Undecidable when a pattern is malformed (BuildKit refuses it). */
  constructor(texts: readonly string[]) {
    this.all = texts.map(trimSpace).filter(Boolean).map(readPattern);
    this.exceptions = this.all.some((pattern) => pattern.exception);
  }

  /**
   * Whether `path` (relative, slashes) matches in the end.
   *
   * @param parent what its folder matched; empty: unknown, then all folders above are looked at.
   */
  match(path: string, parent: Matched = []): { readonly hit: boolean; readonly matched: Matched } {
    let hit = false;
    const matched = this.all.map((pattern, index) => {
      let match = parent[index] ?? false;
      if (!match) {
        // A pattern that could change nothing is not asked, and counts as not matched below.
        if (pattern.exception !== hit) return false;
        match = pattern.matches(path);
        if (!match && parent.length === 0) match = parents(path).some(pattern.matches);
      }
      if (match) hit = !pattern.exception;
      return match;
    });
    return { hit, matched };
  }
}

function readPattern(text: string): Pattern {
  let clean = cleanPath(text);
  const exception = clean.startsWith('!');
  if (exception) clean = clean.slice(1);
  if (exception && clean === '') throw new Undecidable('the pattern ! is malformed');
  globRegExp(clean);
  // Compiled at its first use: a pattern that Go's regular expressions refuse fails the build only then.
  let compiled: ((path: string) => boolean) | undefined;
  return {
    text: clean,
    exception,
    matches: (path) => {
      compiled ??= compile(clean);
      return compiled(path);
    },
  };
}

// moby/patternmatcher turns a pattern into a Go regular expression in which some characters that
// are special there stay so (`|`, `{`, `}`, `^`, `\d`): the pattern `a|b*` matches all that starts
// with `a`. That is how BuildKit decides, so it is done the same way.
function compile(pattern: string): (path: string) => boolean {
  const chars = Array.from(pattern.replace(/^\ufeff/, ''));
  let source = '^';
  let kind: 'exact' | 'prefix' | 'suffix' | 'regexp' = 'exact';
  let first = true;
  for (let at = 0; at < chars.length; at += 1, first = false) {
    const char = chars[at] ?? '';
    if (char === '*' && chars[at + 1] === '*') {
      at += 1;
      if (chars[at + 1] === '/') at += 1;
      if (at + 1 < chars.length) {
        source += '(.*/)?';
        kind = 'regexp';
      } else if (kind === 'exact') kind = 'prefix';
      else {
        source += '.*';
        kind = 'regexp';
      }
      if (first) kind = 'suffix';
    } else if (char === '*' || char === '?') {
      source += char === '*' ? '[^/]*' : '[^/]';
      kind = 'regexp';
    } else if (char === '\\') {
      at += 1;
      source += `\\${chars[at] ?? ''}`;
      if (at < chars.length) kind = 'regexp';
    } else if ('.+()$'.includes(char)) source += `\\${char}`;
    else {
      source += char;
      if (char === '[' || char === ']') kind = 'regexp';
    }
  }
  if (kind === 'regexp') {
    const regexp = goRegExp(`${source}$`);
    return (path) => regexp.test(path);
  }
  if (kind === 'prefix') {
    const start = pattern.slice(0, -2);
    return (path) => path.startsWith(start);
  }
  if (kind === 'suffix') {
    const end = pattern.slice(2);
    const whole = end.startsWith('/') ? end.slice(1) : undefined;
    return (path) => path.endsWith(end) || path === whole;
  }
  return (path) => path === pattern;
}

function parents(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/**
 * Lines of a `.dockerignore` as patterns: comments and white space dropped, paths clean and without
 * a slash at their start. Docker's build documentation, ".dockerignore files".
 */
export function readIgnoreFile(text: string): readonly string[] {
  const patterns: string[] = [];
  for (const raw of text.replace(/^\ufeff/, '').split('\n')) {
    if (raw.startsWith('#')) continue;
    let line = trimSpace(raw);
    if (line === '') continue;
    const exception = line.startsWith('!');
    if (exception) line = trimSpace(line.slice(1));
    if (line !== '') line = cleanPath(line);
    if (line.length > 1 && line.startsWith('/')) line = line.slice(1);
    patterns.push((exception ? '!' : '') + line);
  }
  return patterns;
}
