import { Undecidable } from './undecidable.ts';

/** What a `RUN --mount` reads. */
export interface Mount {
  readonly type: string;
  /** Stage, image or named context; undefined: the build context. */
  readonly from: string | undefined;
  /** Path inside of what it reads. */
  readonly source: string;
}

/**
 * Reads `--mount=type=bind,source=…`. Dockerfile reference, "RUN --mount".
 *
 * @param expand replaces variables in a value (`from` is never expanded).
 */
export function readMount(text: string, expand: (word: string) => string): Mount {
  let type = 'bind';
  let from: string | undefined;
  let source = '';
  for (const field of csvFields(text)) {
    const at = field.indexOf('=');
    if (at === -1) continue;
    const key = field.slice(0, at).toLowerCase();
    const value = field.slice(at + 1);
    if (key === 'type') type = expand(value).toLowerCase();
    else if (key === 'from') from = value === '' ? undefined : value;
    else if (key === 'source' || key === 'src') source = expand(value);
  }
  return { type, from, source };
}

// One CSV record with strict quotes: `"a,b"` is a field, a quote inside of a bare field an error.
function csvFields(text: string): readonly string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (let end = false; !end;) {
    const found = field.exec(text);
    if (found === null) throw new Undecidable(`--mount=${text} is not understood`);
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    end = found[3] === '';
  }
  return fields;
}
