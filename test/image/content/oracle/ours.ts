import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { globRegExp } from '../../../../src/image/content/glob.ts';
import { Patterns, readIgnoreFile } from '../../../../src/image/content/patterns.ts';
import { ContextTree, type Entry } from '../../../../src/image/content/tree.ts';
import { readDockerfile } from '../../../../src/image/dockerfile/dockerfile.ts';
import { readImageName } from '../../../../src/image/dockerfile/image-name.ts';
import { jsonWords, readLines, type Line } from '../../../../src/image/dockerfile/lines.ts';
import { readInstruction } from '../../../../src/image/dockerfile/instructions.ts';
import { expandWord, expandWords } from '../../../../src/image/dockerfile/shell.ts';
import { Undecidable } from '../../../../src/image/dockerfile/undecidable.ts';
import { pairs, quotedWords } from '../../../../src/image/dockerfile/words.ts';
import type { Question } from './cases.ts';

/** Our answer in the oracle's form; `{ error: true }` where we leave the decision to BuildKit. */
export function ours(question: Question): unknown {
  try {
    return answer(question);
  } catch (error) {
    if (error instanceof Undecidable) return { error: true };
    throw error;
  }
}

function answer({ kind, text, paths = [], env = {}, escape = '\\', options = {} }: Question) {
  switch (kind) {
    case 'ignore': {
      const words = readIgnoreFile(text);
      const patterns = new Patterns(words);
      return { hits: paths.map((path) => patterns.match(path).hit), words };
    }
    case 'walk':
      return { paths: walk(text, paths) };
    case 'glob':
      return { hits: paths.map((path) => globRegExp(text).test(path)) };
    case 'expand': {
      const lookup = (name: string) => env[name];
      return {
        text: expandWord(text, lookup, { escape, ...options }),
        words: expandWords(text, lookup, { escape, ...options }),
      };
    }
    case 'dockerfile':
      return dockerfile(text);
    case 'reference': {
      const { image, familiar } = readImageName(text);
      return { text: familiar, words: [image] };
    }
  }
}

function walk(ignore: string, paths: readonly string[]): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'context-'));
  try {
    for (const path of paths) {
      if (path.endsWith('/')) mkdirSync(join(root, path), { recursive: true });
      else {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), '');
      }
    }
    const tree = new ContextTree(root, new Patterns(readIgnoreFile(ignore)));
    const all = (folder: Entry): readonly string[] =>
      tree.children(folder).flatMap((entry) => [entry.path.slice(1), ...all(entry)]);
    return all(tree.root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function dockerfile(text: string) {
  const { escape, syntax, lines } = readLines(text);
  readDockerfile(text);
  return {
    escape,
    syntax,
    lines: lines.map((line) => ({
      name: line.name,
      flags: line.flags,
      words: words(line, escape),
      heredocs: line.heredocs.map(({ name, expand, chomp, content }) => ({
        name,
        expand,
        chomp,
        content,
      })),
    })),
    triggers: lines
      .map((line) => readInstruction(line, escape))
      .flatMap((each) => (each.name === 'onbuild' ? [each.expression] : [])),
  };
}

// Words as BuildKit's parser keeps them, where we split a line; the rest of the line elsewhere.
function words({ name, rest }: Line, escape: string): readonly string[] | undefined {
  switch (name) {
    case 'env':
      return pairs(name, rest, escape).flatMap(({ key, value }) => [key, value]);
    case 'arg':
      return quotedWords(rest, escape);
    case 'copy':
    case 'add':
      return jsonWords(rest) ?? rest.split(/[\t\v\f\r ]+/);
    case 'from':
      return rest.split(/[\t\v\f\r ]+/);
    case 'run':
      return jsonWords(rest) ?? [rest];
    default:
      return undefined;
  }
}
