import { parse } from 'csv-parse/sync';

/**
 * Items of a list input, by docker/build-push-action's rules: a line is an item; a line that starts
 * with `"` is a CSV field, may span lines, and has its quotes doubled (`""`). Quotes elsewhere are
 * kept as they are, and so is everything inside a quoted item, byte for byte. `#` starts no comment.
 *
 * @throws csv-parse's error (it shows no content) when a quote is never closed.
 */
export function splitLines(text: string): readonly string[] {
  // A delimiter that can't occur in an environment variable: a comma then is just a character, and
  // `KEY=["a","b"]` keeps its quotes.
  return split(text, '\0');
}

/** As splitLines, with `,` between items too. */
export function splitCommas(text: string): readonly string[] {
  return split(text, ',');
}

function split(text: string, delimiter: string): readonly string[] {
  const records: string[][] = parse(text, {
    delimiter,
    relaxQuotes: true,
    relaxColumnCount: true,
    skipEmptyLines: true,
    ltrim: true,
    recordDelimiter: ['\r\n', '\n'],
    cast: (value, { quoting }) => (quoting ? value : value.trim()),
  });
  return records.flat().filter((item) => item !== '');
}

/** A field for buildx's CSV options, quoted when it must be: `name=a,b` → `"name=a,b"`. */
export function csvField(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

/** Attributes of a CSV option (`type=gha,"scope=a,b"`) in order; a bare word has an empty value. */
export function attributes(option: string): ReadonlyMap<string, string> {
  const fields = splitCommas(option);
  return new Map(
    fields.map((field) => {
      const at = field.indexOf('=');
      return at < 0 ? [field, ''] : [field.slice(0, at).trim(), field.slice(at + 1)];
    }),
  );
}
