import { Undecidable } from './undecidable.ts';

/**
 * A shell pattern (`*`, `?`, `\` before one of these) as a regular expression, for the `#`, `%` and
 * `/` forms of `${name…}`. Dockerfile reference, "Environment replacement": no `[…]` classes.
 *
 * @param greedy whether `*` takes as much as it can.
 * @param anchored whether it must match from the start.
 */
export function shellPattern(pattern: string, greedy: boolean, anchored: boolean): RegExp {
  const chars = Array.from(pattern);
  let source = anchored ? '^' : '';
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    if (char === '*') source += greedy ? '[^\\n]*' : '[^\\n]*?';
    else if (char === '?') source += '[^\\n]';
    else if (char === '\\') {
      const next = chars[at + 1];
      // `}` and `/` end a part of the expression: their escape is not part of the pattern.
      if (next === '}' || next === '/') continue;
      if (next !== '*' && next !== '?' && next !== '\\') {
        throw new Undecidable(`the pattern ${pattern} has an escape that BuildKit refuses`);
      }
      source += `\\${next}`;
      at += 1;
    } else source += /[[\]{}.+()|^$/]/.test(char) ? `\\${char}` : char;
  }
  return new RegExp(source, 'u');
}

/** `value` without what `pattern` matches at its start. */
export function trimPrefix(pattern: string, value: string, greedy: boolean): string {
  return value.replace(shellPattern(pattern, greedy, true), '');
}

/** `value` without what `pattern` matches at its end. */
export function trimSuffix(pattern: string, value: string, greedy: boolean): string {
  // A regular expression finds the leftmost match: turned around, that is the shortest at the end.
  const turned = trimPrefix(turnPattern(pattern), turnText(value), greedy);
  return turnText(turned);
}

/** `value` with the first match of `pattern`, or all, replaced. */
export function replacePattern(
  pattern: string,
  value: string,
  replacement: string,
  all: boolean,
): string {
  const found = shellPattern(pattern, true, false);
  if (!all) return value.replace(found, () => replacement);
  return value.replace(new RegExp(found.source, 'gu'), (match) => template(replacement, match));
}

// Replacing all goes through Go's Regexp.ReplaceAllString, in which `$0` stands for the match,
// `$name` for a group (there is none) and `$$` for a dollar sign.
function template(replacement: string, match: string): string {
  return replacement.replace(
    /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu,
    (whole, plain?: string, braced?: string) => {
      if (whole === '$$') return '$';
      const name = plain ?? braced ?? '';
      return /^0+$/.test(name) ? match : '';
    },
  );
}

function turnText(text: string): string {
  return Array.from(text).toReversed().join('');
}

function turnPattern(pattern: string): string {
  const parts = pattern.match(/\\[^]|[^]/gu) ?? [];
  return parts.toReversed().join('');
}
