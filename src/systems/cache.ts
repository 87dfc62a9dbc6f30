import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { asError } from '../errors.ts';
import { probeGha, type GhaAvailability } from './gha.ts';
import { run } from './process.ts';
import type { Log } from './runner.ts';

export interface CacheOptions {
  /**
   * Folder that the paths are under. Then neither key nor archive depend on where it is, as folders
   * under RUNNER_TEMP differ between runners. Default: the workspace.
   */
  readonly base?: string | undefined;
  /** For the whole transfer, ms. Default: 3 minutes to restore, 5 to save. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Restored {
  /** The key that was found: `key` itself, or one that starts with a restore key. */
  readonly key: string;
  /** Bytes of the archive. */
  readonly bytes: number;
}

/**
 * GitHub's cache service. Nothing here ever fails a run: what goes wrong is a notice and a miss.
 * `exists`: that key is stored already and never changes. `empty`: there was nothing to store.
 */
export interface Cache {
  restore(
    paths: readonly string[],
    key: string,
    restoreKeys: readonly string[],
    options?: CacheOptions,
  ): Promise<Restored | undefined>;
  save(
    paths: readonly string[],
    key: string,
    options?: CacheOptions,
  ): Promise<'saved' | 'exists' | 'empty' | 'failed'>;
}

/** What the child process is asked, and answers. */
export interface CacheRequest {
  readonly mark: string;
  readonly verb: 'restore' | 'lookup' | 'save';
  readonly paths: readonly string[];
  readonly key: string;
  readonly restoreKeys: readonly string[];
}

export interface CacheAnswer {
  readonly key?: string | undefined;
  readonly id?: number;
  readonly error?: string;
}

const minutes = 60_000;

/**
 * Connects to the cache service of this job. It is asked once whether it answers; when it doesn't,
 * or gives trouble later, nothing more is asked of it, so that a broken service costs seconds.
 */
export function connectCache(config: {
  /** The runner's variables. */
  env: NodeJS.ProcessEnv;
  log: Log;
  /** A probe that was made already. */
  gha?: Promise<GhaAvailability>;
}): Cache {
  const { env, log } = config;
  let probe = config.gha;
  let broken = false;

  /** Whether to ask at all. The first time it can't be asked is said once. */
  async function usable(): Promise<boolean> {
    if (broken) return false;
    const first = probe === undefined;
    probe ??= probeGha(env);
    const found = await probe;
    if (broken || found.available) return !broken;
    broken = true;
    if (first || config.gha !== undefined) {
      log.notice(`GitHub's cache is not available (${found.why}): this run does without.`, title);
    }
    return false;
  }

  /** One look at the service has failed: no client of ours asks again. */
  function fail(what: string, why: string): void {
    broken = true;
    log.notice(`${what}: ${why}. This run does without.`, title);
  }

  async function ask(
    request: Omit<CacheRequest, 'mark'>,
    options: CacheOptions,
    timeout: number,
  ): Promise<{ answer: CacheAnswer; trouble: string | undefined; bytes: number }> {
    const mark = `${randomUUID()} `;
    const stop = new AbortController();
    const limit = AbortSignal.timeout(timeout);
    const signals = [stop.signal, limit, ...(options.signal ? [options.signal] : [])];
    const base = options.base ?? env['GITHUB_WORKSPACE'];
    let answer: CacheAnswer | undefined;
    let trouble: string | undefined;
    let bytes = 0;
    const read = (line: string) => {
      log.debug(`cache: ${withoutSecrets(line)}`);
      if (line.startsWith(mark)) answer = JSON.parse(line.slice(mark.length)) as CacheAnswer;
      const size = /^Cache Size: .*\((\d+) B\)/.exec(line);
      if (size !== null) bytes = Number(size[1]);
      const failed = /^::(?:warning|error)[^:]*::(.*)|^(Failed to save: .*)/.exec(line);
      if (failed !== null) trouble ??= withoutSecrets(failed[1] ?? failed[2] ?? '');
      const again = /^Attempt (\d+) of \d+ failed with error: (.*?)\. Retrying/.exec(line);
      if (again !== null && Number(again[1]) >= 2) {
        stop.abort(new Error(withoutSecrets(again[2] ?? line)));
      }
    };
    try {
      const paths = request.paths.map((path) => under(path, base));
      await run(process.execPath, [childEntry()], {
        cwd: base,
        env: { ...env, ...(base === undefined ? {} : { GITHUB_WORKSPACE: base }) },
        stdin: JSON.stringify({ ...request, paths, mark } satisfies CacheRequest),
        signal: AbortSignal.any(signals),
        onStdout: read,
        onStderr: (line) => log.debug(`cache: ${withoutSecrets(line)}`),
        keep: 10_000,
      });
    } catch (error) {
      options.signal?.throwIfAborted();
      trouble = limit.aborted
        ? `not done after ${Math.round(timeout / 1000)} s`
        : asError(error).message;
    }
    if (answer === undefined) trouble ??= 'the process ended without an answer';
    return { answer: answer ?? {}, trouble: answer?.error ?? trouble, bytes };
  }

  return {
    async restore(paths, key, restoreKeys, options = {}) {
      if (!(await usable())) return undefined;
      const fresh = await missing(paths, options.base);
      const { answer, trouble, bytes } = await ask(
        { verb: 'restore', paths, key, restoreKeys },
        options,
        options.timeout ?? 3 * minutes,
      );
      if (answer.key !== undefined && answer.key !== '') return { key: answer.key, bytes };
      if (trouble !== undefined) {
        fail(`The cache "${key}" was not restored`, trouble);
        // What was not there before is half an archive now.
        await Promise.all(fresh.map((path) => rm(path, { recursive: true, force: true })));
      }
      return undefined;
    },

    async save(paths, key, options = {}) {
      if (!(await holdsFiles(paths, options.base))) {
        log.notice(`Nothing to keep in the cache "${key}": it would be empty.`, title);
        return 'empty';
      }
      if (!(await usable())) return 'failed';
      const request = { paths, key, restoreKeys: [] };
      const { answer, trouble } = await ask(
        { ...request, verb: 'save' },
        options,
        options.timeout ?? 5 * minutes,
      );
      if (answer.id !== undefined && answer.id !== -1) return 'saved';
      const why = trouble ?? 'the service gave no reason';
      if (/cache write denied/.test(why)) {
        log.notice(`The cache "${key}" was not stored: this run may only read caches.`, title);
        return 'failed';
      }
      // The library tells "there is one already" and any refusal with the same words: look.
      if (/Unable to reserve cache/.test(why)) {
        const look = await ask({ ...request, verb: 'lookup' }, options, 15_000);
        if (look.answer.key === key) return 'exists';
      }
      fail(`The cache "${key}" was not stored`, why.replace(/^Failed to save: /, ''));
      return 'failed';
    },
  };
}

const title = { title: 'Cache' };

/** Beside the bundle `dist/cache-child.js`; run from source, the TypeScript file. */
function childEntry(): string {
  const own = import.meta.url;
  return fileURLToPath(new URL(`./cache-child.${own.endsWith('.ts') ? 'ts' : 'js'}`, own));
}

/** Signed URLs carry the right to read and write in `sig`. */
function withoutSecrets(line: string): string {
  return line
    .replaceAll(/\bsig=[^&\s"']+/g, 'sig=***')
    .replace(/^::add-mask::.*/, '::add-mask::***');
}

/** Relative to the base where it is under it: the service tells entries by their paths as given. */
function under(path: string, base: string | undefined): string {
  if (base === undefined || !isAbsolute(path)) return path;
  const short = relative(base, path);
  return short === '' || short === '..' || short.startsWith(`..${sep}`) ? path : short;
}

function absolute(path: string, base: string | undefined): string {
  return isAbsolute(path) ? path : join(base ?? process.cwd(), path);
}

async function missing(paths: readonly string[], base: string | undefined): Promise<string[]> {
  const all = paths.map((path) => absolute(path, base));
  const found = await Promise.all(all.map((path) => stat(path).catch(() => undefined)));
  return all.filter((_, index) => found[index] === undefined);
}

/** Whether at least one file is under the paths. Links count: a virtual environment is full of them. */
async function holdsFiles(paths: readonly string[], base: string | undefined): Promise<boolean> {
  for (const path of paths) {
    const at = absolute(path, base);
    const found = await stat(at).catch(() => undefined);
    if (found?.isFile() === true && found.size > 0) return true;
    if (found?.isDirectory() !== true) continue;
    const inside = await readdir(at, { recursive: true, withFileTypes: true });
    if (inside.some((entry) => !entry.isDirectory())) return true;
  }
  return false;
}
