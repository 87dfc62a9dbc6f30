import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { RunContext } from '../context.ts';
import type { BuildInputs } from './inputs.ts';
import { show, type Reader } from './reader.ts';

/**
 * Whether a build context lies outside this machine: a Git repository or a tarball. BuildKit's rule:
 * a scheme, `git@host:`, or `github.com/` without one.
 */
export function isRemoteContext(context: string): boolean {
  return /^(https?|git|ssh):\/\/|^git@[^/]+:|^github\.com\//i.test(context);
}

/**
 * Replaces docker/build-push-action's `{{defaultContext}}` by the repository's Git context at this
 * commit (a pull request's merge ref, which has no branch).
 */
export function expandContext(text: string, context: RunContext): string {
  const ref = context.ref.startsWith('refs/pull/')
    ? context.ref.replace(/\/head$/, '/merge')
    : context.sha || context.ref;
  const git = `${context.serverUrl}/${context.repository}.git#${ref}`;
  return text.replaceAll(/\{\{\s*defaultContext\s*\}\}/g, () => git);
}

export function checkContext(reader: Reader, context: RunContext, asked: string): void {
  if (asked === '-') {
    reader.problem(
      'context',
      '`-` (standard input) is nothing an action has',
      'Example: context: .',
    );
    return;
  }
  if (isRemoteContext(asked)) return;
  const folder = resolve(context.workspace, asked);
  const found = kind(folder);
  if (found === 'folder') return;
  reader.problem(
    'context',
    found === 'file'
      ? `${show(asked)} is a file, not a folder`
      : `the folder ${show(asked)} is not there`,
    emptyWorkspace(context) ?? `It is looked for in ${context.workspace}. Example: context: .`,
  );
}

export function checkDockerfile(
  reader: Reader,
  context: RunContext,
  { context: folder, file }: Pick<BuildInputs, 'context' | 'file'>,
): void {
  if (isRemoteContext(folder) || /^https?:\/\//.test(file)) return;
  const root = resolve(context.workspace, folder);
  // A context that isn't there is a problem already.
  if (kind(root) !== 'folder') return;
  // BuildKit takes `dockerfile` too when `Dockerfile` isn't there.
  const candidates =
    file === ''
      ? [join(root, 'Dockerfile'), join(root, 'dockerfile')]
      : [resolve(context.workspace, file)];
  if (candidates.some((path) => kind(path) === 'file')) return;
  if (file === '') {
    reader.problem(
      'file',
      `there is no Dockerfile in the context folder ${show(folder)}`,
      emptyWorkspace(context) ?? 'Name it: file: docker/Dockerfile (from the top of the checkout)',
    );
  } else {
    const inContext = kind(join(root, file)) === 'file' ? join(folder, file) : undefined;
    reader.problem(
      'file',
      `the Dockerfile ${show(file)} is not there`,
      inContext === undefined
        ? `It is looked for in ${context.workspace}. Example: file: docker/Dockerfile`
        : `The path is from the top of the checkout. Example: file: ${inContext}`,
    );
  }
}

export function checkNamedContexts(
  reader: Reader,
  context: RunContext,
  items: readonly string[],
): void {
  for (const item of items) {
    const at = item.indexOf('=');
    const source = item.slice(at + 1);
    if (at < 1 || isRemoteContext(source) || /^[a-z-]+:/i.test(source)) continue;
    if (kind(resolve(context.workspace, source)) === 'folder') continue;
    reader.problem(
      'build-contexts',
      `the folder ${show(source)} of ${show(item.slice(0, at))} is not there`,
      `Example: build-contexts: ${item.slice(0, at)}=docker-image://alpine:3.22`,
    );
  }
}

export function kind(path: string): 'file' | 'folder' | 'none' {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'none';
  return found.isDirectory() ? 'folder' : 'file';
}

/** The commonest cause: no actions/checkout before this step. */
function emptyWorkspace({ workspace }: RunContext): string | undefined {
  const empty = !existsSync(workspace) || readdirSync(workspace).length === 0;
  return empty
    ? 'The workspace is empty: put `- uses: actions/checkout@v5` before this step.'
    : undefined;
}
