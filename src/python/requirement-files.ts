import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { ActionError } from '../errors.ts';

/** What is to be installed, and everything that decides what that is. */
export interface Requirements {
  /** In the order given: requirements files, and projects whose dependencies are wanted. */
  readonly items: readonly RequirementItem[];
  /** All files read, nested ones included, relative to the workspace. */
  readonly files: readonly string[];
  /** SHA-256 (hex) over names and contents of `files`. */
  readonly digest: string;
  /** Lines that install code of the workspace itself (`-e .`, `./lib`): no file's hash says what they bring. */
  readonly local: readonly string[];
}

export type RequirementItem =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'project'; readonly path: string; readonly extras: readonly string[] };

/**
 * Finds and reads requirements files.
 *
 * @param wanted files, globs, or `pyproject.toml` (with extras: `pyproject.toml[dev]`), relative to
 *   `workspace`. Files named by `-r` and `-c` inside are followed, relative to the file that names
 *   them, as pip does.
 * @throws ActionError when nothing is found for an item, or a nested file is missing.
 */
export function readRequirements(wanted: readonly string[], workspace: string): Requirements {
  const items = wanted.flatMap((item) => expand(item, workspace));
  const files = new Map<string, string>();
  const local: string[] = [];
  const read = (path: string, namedBy: string | undefined) => {
    const name = relative(workspace, path);
    if (files.has(name)) return;
    if (!existsSync(path)) {
      throw new ActionError(`pip-requirements: the file "${name}" is not there.`, {
        hint:
          namedBy === undefined ? undefined : `"${namedBy}" names it; paths are relative to it.`,
      });
    }
    const text = readFileSync(path, 'utf8');
    files.set(name, text);
    if (basename(path) === 'pyproject.toml') return;
    for (const line of logicalLines(text)) {
      const nested = nestedFile(line);
      if (nested !== undefined) {
        // A list at a URL can't be hashed; its address is part of the file that names it.
        if (!/^[a-z]+:\/\//i.test(nested)) read(resolve(dirname(path), nested), name);
      } else if (isLocal(line, dirname(path), workspace)) local.push(line);
    }
  };
  for (const item of items) read(item.path, undefined);
  const hash = createHash('sha256');
  const names = [...files.keys()].sort();
  for (const name of names) {
    // Lengths keep "ab"+"c" from hashing like "a"+"bc".
    const text = files.get(name) ?? '';
    hash.update(`${name.length}:${name}${Buffer.byteLength(text)}:${text}`);
  }
  // The same files in another role (a project's dependencies with other extras) install other things.
  hash.update(
    JSON.stringify(items.map((item) => ({ ...item, path: relative(workspace, item.path) }))),
  );
  return { items, files: names, digest: hash.digest('hex'), local };
}

function expand(item: string, workspace: string): RequirementItem[] {
  const project = /^(.*\bpyproject\.toml)(?:\[([\w.,\s-]*)\])?$/.exec(item);
  if (project?.[1] !== undefined) {
    const extras = (project[2] ?? '').split(',').map((extra) => extra.trim());
    return [
      { kind: 'project', path: resolve(workspace, project[1]), extras: extras.filter(Boolean) },
    ];
  }
  const plain = resolve(workspace, item);
  if (existsSync(plain)) return [{ kind: 'file', path: plain }];
  const found = globSync(item, { cwd: workspace, exclude: ['**/node_modules/**', '**/.git/**'] });
  if (found.length === 0) {
    throw new ActionError(`pip-requirements: no file matches "${item}".`, {
      hint: `It is looked for in ${workspace}. Is the repository checked out (actions/checkout) before this step?`,
    });
  }
  return found.sort().map((path) => ({ kind: 'file', path: resolve(workspace, path) }));
}

/** Lines with comments removed and continuations (`\` at the end) joined, as pip reads them. */
function logicalLines(text: string): string[] {
  return text
    .replaceAll(/\\\r?\n/g, ' ')
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s+)#.*$/, '').trim())
    .filter(Boolean);
}

function nestedFile(line: string): string | undefined {
  const match =
    /^(?:--requirement|--constraint)(?:=|\s+)(.+)$/.exec(line) ?? /^-[rc]\s*(\S.*)$/.exec(line);
  return match?.[1]?.trim().replaceAll(/^(["'])(.*)\1$/g, '$2');
}

/** Whether a line installs code from this machine: editable, a folder, or a `file:` address. */
function isLocal(line: string, folder: string, workspace: string): boolean {
  if (/^(?:-e\b|--editable\b)/.test(line)) return !/^(?:-e|--editable)[\s=]*[\w+]+:\/\//.test(line);
  if (/(?:^|@\s*)file:/.test(line)) return true;
  if (line.startsWith('-')) return false;
  const path = line.split(/\s|;|\[/)[0] ?? '';
  if (!/^\.{1,2}(?:\/|$)|\//.test(path) || /:\/\//.test(path)) return false;
  return [workspace, folder].some((base) => {
    const at = isAbsolute(path) ? path : join(base, path);
    return existsSync(at) && (statSync(at).isDirectory() || /\.(?:whl|tar\.gz|zip)$/.test(at));
  });
}
