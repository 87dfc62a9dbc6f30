// Writes README.md's tables of inputs and outputs from action.yml; with --check, fails when they differ.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { isMap, isPair, isScalar, parseDocument, type YAMLMap } from 'yaml';

interface Entry {
  readonly name: string;
  readonly description: string;
  readonly fallback: string | undefined;
}

interface Group {
  readonly title: string;
  readonly entries: readonly Entry[];
}

/**
 * The entries of `inputs` or `outputs`, in their groups: a comment above a name starts one.
 *
 * @throws Error when the text is no YAML, an entry has no description, or none stands in a group.
 */
export function readGroups(action: string, section: 'inputs' | 'outputs'): readonly Group[] {
  const document = parseDocument(action);
  const [error] = document.errors;
  if (error !== undefined) throw error;
  const map = document.get(section);
  if (!isMap(map)) throw new Error(`action.yml has no ${section}`);
  const groups: { title: string; entries: Entry[] }[] = [];
  for (const [index, pair] of map.items.entries()) {
    if (!isPair(pair) || !isScalar(pair.key) || !isMap(pair.value)) {
      throw new Error(`action.yml: ${section} has an entry that is no mapping`);
    }
    const name = String(pair.key.value);
    // The comment above the first key belongs to the mapping.
    const comment = index === 0 ? map.commentBefore : pair.key.commentBefore;
    const title = comment?.trim();
    if (title) groups.push({ title, entries: [] });
    const description = text(pair.value, 'description');
    if (!description) throw new Error(`action.yml: ${section}.${name} has no description`);
    const group = groups.at(-1);
    if (group === undefined) throw new Error(`action.yml: ${name} stands in no group`);
    group.entries.push({ name, description, fallback: text(pair.value, 'default') });
  }
  return groups;
}

/** Markdown: a table for each group. */
export function tables(groups: readonly Group[], section: 'inputs' | 'outputs'): string {
  const withDefaults = section === 'inputs';
  return groups
    .map(({ title, entries }) => {
      const head = withDefaults ? ['Input', 'Meaning', 'Default'] : ['Output', 'Meaning'];
      const rows = entries.map(({ name, description, fallback }) => {
        const cells = [`\`${name}\``, cell(description)];
        if (withDefaults) cells.push(fallback ? `\`${cell(fallback)}\`` : '');
        return cells;
      });
      return [`### ${title}`, '', ...aligned([head, ...rows])].join('\n');
    })
    .join('\n\n');
}

/** Puts `content` between the markers `<!-- name -->` and `<!-- /name -->`. */
export function between(readme: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = readme.indexOf(open);
  const end = readme.indexOf(close);
  if (start < 0 || end < start) throw new Error(`README.md has no ${open} … ${close}`);
  return `${readme.slice(0, start + open.length)}\n\n${content}\n\n${readme.slice(end)}`;
}

/** README.md with both tables made anew. */
export function withTables(readme: string, action: string): string {
  const inputs = tables(readGroups(action, 'inputs'), 'inputs');
  const outputs = tables(readGroups(action, 'outputs'), 'outputs');
  return between(between(readme, 'inputs', inputs), 'outputs', outputs);
}

function text(map: YAMLMap, key: string): string | undefined {
  const value = map.get(key);
  return typeof value === 'string' ? value.trim() : undefined;
}

/** Lines (a folded text's paragraphs) stand under each other in one cell; a bar would end it. */
function cell(value: string): string {
  return value
    .split(/\n+/)
    .map((paragraph) => paragraph.replaceAll(/\s+/g, ' ').trim())
    .join('<br>')
    .replaceAll('|', '\\|');
}

/** As the formatter writes tables, so that it finds nothing to do. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const [head = []] = rows;
  const widths = head.map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [, ...body] = rows;
  const rule = widths.map((width) => '-'.repeat(width));
  return [line(head), line(rule), ...body.map(line)];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const readme = readFileSync('README.md', 'utf8');
  const wanted = withTables(readme, readFileSync('action.yml', 'utf8'));
  if (!process.argv.includes('--check')) {
    writeFileSync('README.md', wanted);
  } else if (readme !== wanted) {
    console.error("README.md's tables differ from action.yml: run `npm run docs` and commit.");
    process.exitCode = 1;
  }
}
