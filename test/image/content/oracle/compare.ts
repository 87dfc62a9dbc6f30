import { isDeepStrictEqual } from 'node:util';
import type { Question } from './cases.ts';
import { ours } from './ours.ts';

interface GoLine {
  readonly name: string;
  readonly flags: readonly string[] | null;
  readonly words: readonly string[] | null;
  readonly heredocs:
    | readonly { Name: string; Expand: boolean; Chomp: boolean; Content: string }[]
    | null;
}

export interface Answer {
  readonly error?: boolean;
  readonly hits?: readonly boolean[];
  readonly paths?: readonly string[];
  readonly text?: string;
  readonly words?: readonly string[] | null;
  readonly escape?: string;
  readonly syntax?: string;
  readonly lines?: readonly GoLine[];
  readonly triggers?: readonly string[];
}

/**
 * Where we differ from Docker's packages; undefined: we don't.
 *
 * Leaving a case to BuildKit (`error`) is always safe; `strict` is whether it counts as a difference.
 */
export function difference(
  question: Question,
  theirs: Answer,
  strict: boolean,
): { readonly ours: unknown; readonly theirs: unknown } | undefined {
  const own = ours(question);
  const expected = expect(question, theirs);
  const left = isDeepStrictEqual(own, { error: true });
  if (left && !strict) return undefined;
  return isDeepStrictEqual(own, expected) ? undefined : { ours: own, theirs: expected };
}

function expect({ kind }: Question, theirs: Answer): unknown {
  if (theirs.error === true) return { error: true };
  switch (kind) {
    case 'ignore':
      return { hits: theirs.hits ?? [], words: theirs.words ?? [] };
    case 'walk':
      return { paths: theirs.paths ?? [] };
    case 'glob':
      return { hits: theirs.hits ?? [] };
    case 'expand':
      return { text: theirs.text ?? '', words: theirs.words ?? [] };
    case 'reference':
      return { text: theirs.text, words: theirs.words };
    case 'dockerfile':
      return {
        escape: theirs.escape,
        syntax: theirs.syntax,
        lines: (theirs.lines ?? []).map((line) => ({
          name: line.name,
          flags: line.flags ?? [],
          words: words(line),
          heredocs: (line.heredocs ?? []).map((each) => ({
            name: each.Name,
            expand: each.Expand,
            chomp: each.Chomp,
            content: each.Content,
          })),
        })),
        triggers: theirs.triggers ?? [],
      };
  }
}

function words({ name, words }: GoLine): readonly string[] | undefined {
  if (name === 'env') return (words ?? []).filter((_, index) => index % 3 !== 2);
  return ['arg', 'copy', 'add', 'from', 'run'].includes(name) ? (words ?? []) : undefined;
}
