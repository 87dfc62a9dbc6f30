import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

const kinds = ['OUTPUT', 'STATE', 'ENV', 'PATH', 'STEP_SUMMARY'] as const;

export interface FileCommands {
  /** GITHUB_OUTPUT and the like. */
  readonly variables: Readonly<Record<string, string>>;
  read(): Promise<{
    outputs: Record<string, string>;
    state: Record<string, string>;
    exported: Record<string, string>;
    path: string[];
    summary: string;
  }>;
}

/** Fresh files for one phase of an action, as the runner makes them. */
export async function makeFiles(temp: string): Promise<FileCommands> {
  const folder = join(temp, '_runner_file_commands');
  await mkdir(folder, { recursive: true });
  const files = Object.fromEntries(
    kinds.map((kind) => [kind, join(folder, `${kind.toLowerCase()}_${randomUUID()}`)]),
  ) as Record<(typeof kinds)[number], string>;
  await Promise.all(Object.values(files).map((file) => writeFile(file, '')));
  const text = (kind: (typeof kinds)[number]) => readFile(files[kind], 'utf8');
  return {
    variables: Object.fromEntries(kinds.map((kind) => [`GITHUB_${kind}`, files[kind]])),
    read: async () => ({
      outputs: parsePairs(await text('OUTPUT')),
      state: parsePairs(await text('STATE')),
      exported: parsePairs(await text('ENV')),
      path: (await text('PATH')).split('\n').filter((line) => line !== ''),
      summary: await text('STEP_SUMMARY'),
    }),
  };
}

/** `name=value` lines and `name<<END … END` blocks; anything else fails the step, as on GitHub. */
export function parsePairs(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (line === '') continue;
    const equals = line.indexOf('=');
    const block = line.indexOf('<<');
    if (block !== -1 && (equals === -1 || block < equals)) {
      const end = line.slice(block + 2);
      const until = lines.indexOf(end, at + 1);
      if (end === '' || until === -1)
        throw new Error(`Invalid value. Matching delimiter not found '${end}'`);
      found[line.slice(0, block)] = lines.slice(at + 1, until).join('\n');
      at = until;
    } else if (equals > 0) found[line.slice(0, equals)] = line.slice(equals + 1);
    else throw new Error(`Invalid format '${line}'`);
  }
  return found;
}
