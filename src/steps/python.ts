import { mkdir, readdir, rm } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import type { PythonInputs } from '../inputs/inputs.ts';
import { findInterpreter } from '../python/interpreter.ts';
import {
  chooseInstaller,
  downloadCache,
  install,
  makeEnvironment,
  works,
} from '../python/install.ts';
import { pythonKeys } from '../python/keys.ts';
import { readRequirements } from '../python/requirement-files.ts';
import { settle } from '../settle.ts';
import type { Cache } from '../systems/cache.ts';
import type { Run } from '../systems/process.ts';
import type { Log } from '../systems/runner.ts';

/** How much came from caches: the whole environment, downloads only, or nothing. */
export type PipCacheHit = 'exact' | 'partial' | 'none';

export interface PythonEnvironment {
  readonly hit: PipCacheHit;
  /** Variables for whoever works in the environment, the PATH included; added to the process's own. */
  readonly env: NodeJS.ProcessEnv;
  /** What post has to keep; JSON. Undefined: nothing is new, or this run may not write. */
  readonly record: PythonRecord | undefined;
}

export interface PythonRecord {
  readonly version: 1;
  /** Folder that the paths are under. */
  readonly base: string;
  readonly entries: readonly { readonly path: string; readonly key: string }[];
}

export interface PythonOptions {
  readonly python: PythonInputs;
  readonly workspace: string;
  /**
   * A folder at the same path in each run (RUNNER_TEMP): programs of an environment carry its path.
   */
  readonly temp: string;
  readonly env: NodeJS.ProcessEnv;
  /** A run from a fork restores, but never stores. */
  readonly fork: boolean;
  readonly cache: Cache;
  readonly run: Run;
  readonly log: Log;
  readonly runner: {
    addPath(folder: string): void;
    exportVariable(name: string, value: string): void;
  };
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the Python environment that `verify` and later steps of the job work in.
 *
 * Level 1 is the whole environment by exact key; where that misses, level 2 is pip's (or uv's)
 * download cache by the nearest key, and the requirements are installed. The environment is the
 * active virtual one, or one of our own, which is put on the PATH.
 *
 * @throws ActionError when files are missing, there is no Python, or the installation fails. A cache
 *   that fails only costs time.
 */
export async function preparePython(options: PythonOptions): Promise<PythonEnvironment> {
  const { python } = options;
  if (python.requirements.length === 0) return { hit: 'none', env: {}, record: undefined };
  return options.log.group('Python environment', (log) => prepare({ ...options, log }));
}

async function prepare(options: PythonOptions): Promise<PythonEnvironment> {
  const { python, workspace, temp, cache, run, log, signal } = options;
  const base = join(temp, 'ship-to-ecr-python');
  const tools = { run, log, env: options.env, signal };
  const requirements = readRequirements(python.requirements, workspace);
  const [interpreter, installer] = await settle([
    findInterpreter(run, options.env, signal),
    chooseInstaller(python.installer, tools),
  ]);
  const keys = pythonKeys({
    prefix: python.cachePrefix,
    base,
    interpreter,
    requirementsDigest: requirements.digest,
    installer,
  });
  // Relative to `base`: an environment of our own. An active one stays where it is.
  const path = interpreter.active ?? keys.environmentFolder;
  const folder = resolve(base, path);
  const downloads = join(base, keys.downloadsFolder);
  await mkdir(downloads, { recursive: true });
  log.info(`Python ${interpreter.version} (${interpreter.executable})`);
  log.info(`Requirements: ${requirements.files.join(', ')}`);

  const whole = requirements.local.length === 0;
  if (!whole) {
    log.info(
      `Installed anew each time, because it holds code of the workspace: ${requirements.local.join(', ')}`,
    );
  }
  const ours = interpreter.active === undefined;
  if (whole && (await restoreWhole({ base, path, key: keys.environment, ours }, options))) {
    return {
      hit: 'exact',
      env: enter(folder, downloads, ours, options),
      record: undefined,
    };
  }

  // Both at once: making an environment takes seconds, and needs nothing of the cache.
  const [restored] = await settle([
    cache.restore([keys.downloadsFolder], keys.downloads, keys.downloadsFallback, { base, signal }),
    ours ? makeEnvironment(interpreter.executable, folder, tools) : undefined,
  ]);
  log.info(
    restored === undefined
      ? `No download cache of ${installer} was found`
      : `The download cache of ${installer} was restored (${restored.key})`,
  );
  if (python.install) {
    await install(
      { installer, environment: folder, items: requirements.items, temp: base, workspace },
      { ...tools, env: { ...options.env, ...downloadCache(downloads) } },
    );
  }
  const entries = [
    { path, key: keys.environment, isNew: python.install && whole },
    {
      path: keys.downloadsFolder,
      key: keys.downloads,
      isNew: restored?.key !== keys.downloads,
    },
  ].flatMap(({ path, key, isNew }) => (isNew ? [{ path, key }] : []));
  return {
    hit: restored === undefined ? 'none' : 'partial',
    env: enter(folder, downloads, ours, options),
    record: options.fork || entries.length === 0 ? undefined : { version: 1, base, entries },
  };
}

/** Level 1. What comes back but does not run here is thrown away. */
async function restoreWhole(
  entry: { base: string; path: string; key: string; ours: boolean },
  options: PythonOptions,
): Promise<boolean> {
  const { cache, log, signal } = options;
  const { base, path, key } = entry;
  const restored = await cache.restore([path], key, [], { base, signal });
  if (restored === undefined) return false;
  // The service may answer a key with one that only begins like it.
  if (restored.key === key && (await works(resolve(base, path), options))) {
    log.info(`The whole environment was restored (${megabytes(restored.bytes)})`);
    return true;
  }
  log.notice(`The Python environment from the cache does not run here: it is made anew.`);
  if (entry.ours) await rm(resolve(base, path), { recursive: true, force: true });
  return false;
}

/** Makes the environment the one that later steps of the job work in too. */
function enter(
  folder: string,
  downloads: string,
  ours: boolean,
  { runner, env }: PythonOptions,
): NodeJS.ProcessEnv {
  const programs = join(folder, 'bin');
  if (ours) {
    runner.addPath(programs);
    runner.exportVariable('VIRTUAL_ENV', folder);
  }
  const path = env['PATH'] ?? '';
  return {
    ...downloadCache(downloads),
    VIRTUAL_ENV: folder,
    PATH: path === '' ? programs : `${programs}${delimiter}${path}`,
  };
}

/**
 * Keeps what is new, in post. Both levels at once; nothing here fails the job.
 *
 * @param record what preparePython returned, from the state.
 */
export async function savePython(
  record: PythonRecord,
  { cache, log }: { cache: Cache; log: Log },
): Promise<void> {
  await Promise.all(
    record.entries.map(async ({ path, key }) => {
      if (!(await holdsSomething(resolve(record.base, path)))) {
        log.info(`Nothing to keep for "${key}"`);
        return;
      }
      const outcome = await cache.save([path], key, { base: record.base });
      // A failure has been told by the cache itself.
      if (outcome !== 'failed') log.info(`Cache "${key}": ${outcome}`);
    }),
  );
}

/** What installers put into an empty cache too. */
const furniture = new Set(['CACHEDIR.TAG', '.gitignore', '.lock']);

async function holdsSomething(folder: string): Promise<boolean> {
  try {
    const inside = await readdir(folder, { recursive: true, withFileTypes: true });
    return inside.some((entry) => !entry.isDirectory() && !furniture.has(entry.name));
  } catch {
    // Removed by a later step of the job: then it is not to be kept.
    return false;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
