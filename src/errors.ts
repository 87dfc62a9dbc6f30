/**
 * An error that a person can act on.
 *
 * `message` says what happened and what was found, `hint` what to do, `block` is another program's
 * own words (BuildKit's error block, AWS's text), shown as they are.
 */
export class ActionError extends Error {
  override readonly name: string = 'ActionError';
  readonly hint: string | undefined;
  readonly block: string | undefined;

  constructor(
    message: string,
    options: { cause?: unknown; hint?: string | undefined; block?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.block = options.block;
  }
}

/** Several problems of one kind, reported together (all bad inputs; build and verify both failed). */
export class Problems extends ActionError {
  override readonly name = 'Problems';
  readonly problems: readonly Error[];

  constructor(message: string, problems: readonly Error[]) {
    super(message, { cause: problems[0] });
    this.problems = problems;
  }
}

/** Whether `error` is an abort (a cancelled run, a deadline), not a failure of what was tried. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

/** Any thrown value as an Error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * The whole story of an error for the log: message, block, hint, then causes that say something new.
 *
 * @returns text of one or more lines without a trailing newline.
 */
export function explain(error: unknown): string {
  if (error instanceof Problems) {
    return [
      error.message,
      ...error.problems.map((problem) => indent(`- ${explain(problem)}`)),
    ].join('\n');
  }
  const parts: string[] = [];
  const seen = new Set<unknown>();
  let shown = '';
  for (let at: unknown = error; at !== undefined && at !== null && !seen.has(at);) {
    seen.add(at);
    const text = wordsOf(at);
    // A cause whose words are in the message already would only repeat them.
    if (text !== '' && !shown.includes(text)) {
      parts.push(parts.length === 0 ? text : `Cause: ${text}`);
      shown += text;
    }
    if (at instanceof ActionError) {
      if (at.block !== undefined && at.block !== '') {
        parts.push(at.block.trimEnd());
        shown += at.block;
      }
      if (at.hint !== undefined) parts.push(`→ ${at.hint}`);
    }
    const known = systemHint(at);
    if (known !== undefined) parts.push(`→ ${known}`);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join('\n');
}

function wordsOf(value: unknown): string {
  if (value instanceof Error) return value.message || value.name;
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'unknown');
}

/** What to do about an error of the operating system whose own words tell only programmers. */
function systemHint(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return "The runner's disk is full (RUNNER_TEMP, or Docker's data). Remove what is not needed in a step before this one, or use a larger runner.";
  }
  if (code === 'EROFS') return 'RUNNER_TEMP and the workspace must be folders that can be written.';
  return undefined;
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n  ');
}
