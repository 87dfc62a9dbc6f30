import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Question } from './cases.ts';
import type { Answer } from './compare.ts';

/** Go's program on this machine; undefined: there is none. */
export function findGo(): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/go/bin'];
  return places.map((folder) => join(folder, 'go')).find((file) => existsSync(file));
}

/** Asks main.go, which is built first (Docker's packages come by Go's module proxy). */
export function askOracle(go: string, questions: readonly Question[]): readonly Answer[] {
  const folder = mkdtempSync(join(tmpdir(), 'oracle-'));
  try {
    const program = join(folder, 'oracle');
    run(go, ['build', '-o', program, '.'], '');
    const input = questions.map((question) => JSON.stringify(question)).join('\n');
    const lines = run(program, [], input).trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Answer);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], input: string): string {
  const ended = spawnSync(command, args, {
    cwd: import.meta.dirname,
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (ended.status === 0) return ended.stdout;
  throw new Error(`${command} ${args.join(' ')} failed: ${ended.error?.message ?? ended.stderr}`);
}
