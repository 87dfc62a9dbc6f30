import { expandWords, type ExpandOptions } from './shell.ts';
import { isSpace, trimSpace, trimStart } from './text.ts';
import { Undecidable } from './undecidable.ts';

/** An inline document of `RUN`, `COPY` or `ADD`. */
export interface Heredoc {
  readonly name: string;
  /** Whether variables in its content are replaced (the marker isn't quoted). */
  readonly expand: boolean;
  /** `<<-`: tabs at the start of lines are dropped. */
  readonly chomp: boolean;
  readonly content: string;
}

/** One instruction as it stands in the file, continuation lines joined. */
export interface Line {
  /** Lower case: `run`. */
  readonly name: string;
  /** `--flag=value`, unquoted. */
  readonly flags: readonly string[];
  /** What follows, white space at both ends removed. */
  readonly rest: string;
  /** The whole line as it was read. */
  readonly original: string;
  readonly heredocs: readonly Heredoc[];
}

export interface DockerfileLines {
  /** `\`, or a back-tick by the `escape` directive. */
  readonly escape: string;
  /** `docker/dockerfile:1` of `# syntax=…`: the frontend that reads the file. */
  readonly syntax: string | undefined;
  readonly lines: readonly Line[];
}

const whiteSpace = /[\t\v\f\r ]+/;

/**
 * Splits a Dockerfile into instructions: parser directives, comments, continuation lines, heredocs,
 * flags. Dockerfile reference, "Format", "Parser directives", "Here-Documents".
 *
 * @throws Undecidable where BuildKit refuses the file.
 */
export function readLines(text: string): DockerfileLines {
  const source = text.replace(/^\ufeff/, '');
  const syntax = findSyntax(source);
  const raw = source.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const reader = new Reader(raw);
  const lines: Line[] = [];
  for (let line = reader.instruction(); line !== undefined; line = reader.instruction()) {
    lines.push(line);
  }
  if (lines.length === 0) throw new Undecidable('the Dockerfile has no instructions');
  return { escape: reader.escape, syntax, lines };
}

const directive = /^#[^\S\n]*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;

class Reader {
  escape = '\\';
  private readonly raw: readonly string[];
  private at = 0;
  private directives = true;
  private readonly seen = new Set<string>();

  constructor(raw: readonly string[]) {
    this.raw = raw;
  }

  instruction(): Line | undefined {
    for (;;) {
      const raw = this.raw[this.at];
      if (raw === undefined) return undefined;
      this.at += 1;
      const line = trimStart(trimNewline(raw));
      this.readDirective(line);
      if (line.startsWith('#')) continue;
      const [head, open] = this.continuation(line);
      if (!open && head === '') continue;
      return this.withHeredocs(open ? this.joined(head) : head);
    }
  }

  private joined(head: string): string {
    let text = head;
    for (;;) {
      const raw = this.raw[this.at];
      if (raw === undefined) return text;
      this.at += 1;
      // Comments and empty lines don't end a continued instruction.
      if (trimStart(raw).startsWith('#') || trimSpace(raw) === '') continue;
      const [part, open] = this.continuation(trimNewline(raw));
      text += part;
      if (!open) return text;
    }
  }

  private withHeredocs(text: string): Line {
    const line = splitLine(text, this.escape);
    if (!mayHaveHeredoc(line, this.escape) || !text.includes('<<')) return line;
    const heredocs = heredocMarkers(text).map((marker) => ({
      ...marker,
      content: this.heredocContent(marker),
    }));
    return { ...line, heredocs };
  }

  private heredocContent(marker: HeredocMarker): string {
    let content = '';
    for (;;) {
      const raw = this.raw[this.at];
      if (raw === undefined) throw new Undecidable(`the heredoc ${marker.name} has no end`);
      this.at += 1;
      const line = trimNewline(raw);
      if ((marker.chomp ? line.replace(/^\t+/, '') : line) === marker.name) return content;
      content += raw;
    }
  }

  // A continuation mark that is escaped itself is none; the rule looks one character back only.
  private continuation(line: string): readonly [string, boolean] {
    const mark = this.escape === '\\' ? '\\\\' : '`';
    const found = new RegExp(`(?:^|[^${mark}])(${mark}[ \\t]*)$`).exec(line);
    if (found === null) return [line, false];
    return [line.slice(0, line.length - (found[1] ?? '').length), true];
  }

  private readDirective(line: string): void {
    if (!this.directives) return;
    const found = directive.exec(line);
    const name = found?.[1]?.toLowerCase() ?? '';
    if (found === null || !['syntax', 'escape', 'check'].includes(name)) {
      this.directives = false;
      return;
    }
    if (this.seen.has(name)) throw new Undecidable(`the directive ${name} stands there twice`);
    this.seen.add(name);
    if (name !== 'escape') return;
    const value = found[2] ?? '';
    if (value !== '\\' && value !== '`') throw new Undecidable(`the escape ${value} is not known`);
    this.escape = value;
  }
}

// BuildKit looks for the frontend in `# syntax=`, `// syntax=` and `{"syntax": …}`, after a `#!` line.
function findSyntax(source: string): string | undefined {
  const text = source.startsWith('#!') ? source.replace(/^[^\n]*\n?/, '') : source;
  for (const comment of ['#', '//']) {
    for (const raw of text.split('\n')) {
      const line = raw.replace(/\r$/, '');
      if (!line.startsWith(comment)) break;
      const found = directive.exec(`#${trimStart(line.slice(comment.length))}`);
      const name = found?.[1]?.toLowerCase() ?? '';
      if (name === 'syntax') return found?.[2]?.split(' ')[0];
      if (name !== 'escape' && name !== 'check') break;
    }
  }
  if (!trimStart(text).startsWith('{')) return undefined;
  throw new Undecidable('the build file is not a Dockerfile');
}

/** One line as command, flags and the rest; also used for `ONBUILD`'s inner instruction. */
export function splitLine(text: string, escape: string): Line {
  const trimmed = trimSpace(text);
  const gap = whiteSpace.exec(trimmed);
  const name = (gap === null ? trimmed : trimmed.slice(0, gap.index)).toLowerCase();
  const after = gap === null ? '' : trimmed.slice(gap.index + gap[0].length);
  const { flags, rest } = takeFlags(after, escape);
  return { name, flags, rest: trimSpace(rest), original: text, heredocs: [] };
}

// BuildKit reads flags byte by byte, each byte as a character: so is it done here, by Latin-1.
function takeFlags(text: string, escape: string): { flags: readonly string[]; rest: string } {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const flags: string[] = [];
  const rest = (at: number) => Buffer.from(bytes.slice(at), 'latin1').toString('utf8');
  let at = 0;
  for (;;) {
    while (at < bytes.length && isSpace(bytes.charAt(at))) at += 1;
    if (at >= bytes.length) return { flags, rest: '' };
    if (!bytes.startsWith('--', at)) return { flags, rest: rest(at) };
    let word = '';
    let quote = '';
    let quoted = false;
    for (; at < bytes.length; at += 1) {
      let char = bytes.charAt(at);
      if (quote === '' && isSpace(char)) break;
      if (quote === '' && (char === "'" || char === '"')) {
        quote = char;
        quoted = true;
        continue;
      }
      if (quote !== '' && char === quote) {
        quote = '';
        continue;
      }
      if (char === escape) {
        if (at + 1 === bytes.length) continue;
        at += 1;
        char = bytes.charAt(at);
      }
      word += char;
    }
    if (word === '--') return { flags, rest: rest(at) };
    if (quoted || word !== '') flags.push(word);
  }
}

type HeredocMarker = Omit<Heredoc, 'content'>;

function mayHaveHeredoc(line: Line, escape: string): boolean {
  const inner = line.name === 'onbuild' ? splitLine(line.rest, escape) : line;
  return ['run', 'copy', 'add'].includes(inner.name) && jsonWords(inner.rest) === undefined;
}

function heredocMarkers(text: string): readonly HeredocMarker[] {
  const raw = { rawQuotes: true, rawEscapes: true, keepUnset: true };
  return markerWords(text, raw).flatMap((word) => readHeredoc(word) ?? []);
}

function markerWords(text: string, options: ExpandOptions): readonly string[] {
  try {
    return expandWords(text, () => undefined, options);
  } catch (error) {
    // A shell's own syntax that BuildKit can't expand: then it finds no heredocs in the line.
    if (error instanceof Undecidable) return [];
    throw error;
  }
}

/** `<<EOF`, `<<-"EOF"`, `3<<EOF` as a heredoc's marker; undefined: any other word. */
export function readHeredoc(word: string): HeredocMarker | undefined {
  const found = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word);
  const marker = found?.[3] ?? '';
  if (found === null || marker === '') return undefined;
  const words = expandWords(marker, () => undefined, { keepUnset: true });
  const name = words[0];
  if (words.length !== 1 || name === undefined) return undefined;
  const raw = expandWords(marker, () => undefined, { keepUnset: true, rawQuotes: true });
  const quotes = (text: string) => text.replace(/[^'"]/g, '').length;
  return { name, expand: quotes(name) === quotes(raw[0] ?? ''), chomp: found[2] === '-' };
}

/** A JSON array of strings; undefined: something else, to be read as a shell line. */
export function jsonWords(text: string): readonly string[] | undefined {
  if (!trimStart(text).startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(trimStart(text));
  } catch {
    // Not JSON, so a shell line that starts with a bracket (`[ -f x ] && …`).
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item) => typeof item === 'string')) {
    throw new Undecidable(`${text} is not an array of strings`);
  }
  return value;
}

function trimNewline(text: string): string {
  return text.replace(/[\r\n]+$/, '');
}
