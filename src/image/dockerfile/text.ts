// BuildKit is written in Go: what counts as white space, a letter or a digit is Go's `unicode`,
// which differs from JavaScript's (U+0085 is a space there, U+FEFF is not).
const space =
  '\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const oneSpace = new RegExp(`^[${space}]$`);
const leading = new RegExp(`^[${space}]+`);
const trailing = new RegExp(`[${space}]+$`);

/** Whether `char` (one character) is white space. */
export function isSpace(char: string): boolean {
  return oneSpace.test(char);
}

/** `text` without white space at its start. */
export function trimStart(text: string): string {
  return text.replace(leading, '');
}

/** `text` without white space at either end. */
export function trimSpace(text: string): string {
  return text.replace(leading, '').replace(trailing, '');
}

/** Whether `char` may stand in a variable's name after its first character. */
export function isNameChar(char: string): boolean {
  return /^[\p{L}\p{Nd}_]$/u.test(char);
}

/** Whether `char` is a decimal digit of any script. */
export function isDigit(char: string): boolean {
  return /^\p{Nd}$/u.test(char);
}

/** Compares by UTF-8 bytes, as Go's strings do. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * Shortest path that means the same, purely by its text: no `.`, no `//`, `..` resolved where there
 * is something to go up from, no slash at the end. Empty becomes `.`. The rule of Go's `path.Clean`.
 */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!rooted) parts.push('..');
  }
  const joined = parts.join('/');
  if (rooted) return `/${joined}`;
  return joined === '' ? '.' : joined;
}

/** The path as seen from the root of a file tree: absolute and clean, never above the root. */
export function rootedPath(...parts: readonly string[]): string {
  return cleanPath(`/${parts.filter((part) => part !== '').join('/')}`);
}

/** Last part of a path; `/` for the root. */
export function baseName(path: string): string {
  const clean = path.replace(/\/+$/, '');
  if (clean === '') return path === '' ? '.' : '/';
  return clean.slice(clean.lastIndexOf('/') + 1);
}
