import type { SolveWarning, SourceRange } from './solve-status.ts';

/** A warning of BuildKit's build checks, for an annotation in the changed files. */
export interface CheckWarning {
  readonly title: string;
  readonly message: string;
  /** As GitHub wants it: relative to the workspace. */
  readonly file: string;
  /** Undefined: the warning names no line. */
  readonly startLine: number | undefined;
  readonly endLine: number | undefined;
}

/**
 * Warnings of a normal build's progress.
 *
 * @param dockerfile its path relative to the workspace: BuildKit knows only its base name.
 */
export function warningsOfProgress(
  warnings: readonly SolveWarning[],
  dockerfile: string,
): readonly CheckWarning[] {
  return warnings.map(({ short, detail = [], url, range }) => {
    // "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)": the line is in `range`.
    const text = decode(short).replace(/ \(line \d+\)$/, '');
    const rule = /^([A-Za-z]+): (.*)$/s.exec(text);
    const details = detail.map(decode).filter((line) => line !== '');
    return {
      title: rule === null ? 'Dockerfile check' : `Dockerfile check: ${rule[1]}`,
      message: [rule?.[2] ?? text, ...details, url ?? ''].filter((line) => line !== '').join('\n'),
      file: dockerfile,
      ...lines(range),
    };
  });
}

interface LintResult {
  /** Go's null: none. */
  readonly warnings?:
    | readonly {
        readonly ruleName?: string;
        readonly description?: string;
        readonly url?: string;
        readonly detail?: string;
        readonly location?: { readonly ranges?: readonly SourceRange[] };
      }[]
    | null;
  readonly buildError?: {
    readonly message?: string;
    readonly location?: { readonly ranges?: readonly SourceRange[] };
  };
}

/**
 * Warnings of `call: check`, from the metadata file's `result.json` (BuildKit's lint result).
 *
 * @param result anything: what is no lint result has no warnings.
 */
export function warningsOfCheck(result: unknown, dockerfile: string): readonly CheckWarning[] {
  if (typeof result !== 'object' || result === null) return [];
  const { warnings, buildError } = result as LintResult;
  const found = (warnings ?? []).map(({ ruleName, description, detail, url, location }) => ({
    title: `Dockerfile check: ${ruleName ?? 'warning'}`,
    message: [detail, description, url]
      .filter((line) => line !== undefined && line !== '')
      .join('\n'),
    file: dockerfile,
    ...lines(location?.ranges),
  }));
  if (buildError?.message === undefined) return found;
  const error = { title: 'Dockerfile check: error', message: buildError.message, file: dockerfile };
  return [...found, { ...error, ...lines(buildError.location?.ranges) }];
}

function lines(ranges: readonly SourceRange[] | undefined): {
  startLine: number | undefined;
  endLine: number | undefined;
} {
  const starts = (ranges ?? []).flatMap(({ start }) => start?.line ?? []);
  const ends = (ranges ?? []).flatMap(({ start, end }) => end?.line ?? start?.line ?? []);
  return {
    startLine: starts.length === 0 ? undefined : Math.min(...starts),
    endLine: ends.length === 0 ? undefined : Math.max(...ends),
  };
}

function decode(data: string | undefined): string {
  return Buffer.from(data ?? '', 'base64').toString('utf8');
}
