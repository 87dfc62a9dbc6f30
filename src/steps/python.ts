import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asError } from '../errors.ts';
import type { PythonInputs } from '../inputs/inputs.ts';
import { findInterpreter } from '../python/interpreter.ts';
import {
  chooseInstaller,
  downloadCache,
  install,
  makeEnvironment,
  works,
} from '../python/install.ts';
import { pythonKeys, type PythonKeys } from '../python/keys.ts';
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
  const { python, workspace, temp, cache, run, log, runner, signal } = options;
  const base = join(temp, 'ship-to-ecr');
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
  const folder = interpreter.active ?? join(base, keys.environmentFolder);
  const downloads = join(base, keys.downloadsFolder);
  log.info(`Python ${interpreter.version} (${interpreter.executable})`);
  log.info(`Requirements: ${requirements.files.join(', ')}`);
  mkdirSync(downloads, { recursive: true });

  const env = enter(folder, interpreter.active, options);
  const keepsWhole = requirements.local.length === 0;
  if (!keepsWhole) {
    log.info(
      `The environment is installed each time, since it holds code of the workspace: ${requirements.local.join(', ')}`,
    );
  } else if (await restoreWhole(folder, keys, options)) {
    return { hit: 'exact', env: { ...env, ...downloadCache(downloads) }, record: undefined };
  }

  // Both at once: making the environment takes seconds, and needs nothing of the cache.
  const [restored] = await settle([
    cache.restore([keys.downloadsFolder], keys.downloads, keys.downloadsFallback, { base, signal }),
    interpreter.active === undefined
      ? makeEnvironment(interpreter.executable, folder, tools)
      : undefined,
  ]);
  log.info(
    restored === undefined
      ? `No download cache was found for ${installer}`
      : `The download cache of ${installer} was restored: ${restored.key}`,
  );
  const cached = { ...options.env, ...downloadCache(downloads) };
  if (python.install) {
    await install(
      { installer, environment: folder, items: requirements.items, temp: base, workspace },
      { ...tools, env: cached },
    );
  }
  const entries = [
    ...(python.install && keepsWhole ? [{ path: relativeTo(base, folder), key: keys.environment }] : []),
    ...(restored?.key === keys.downloads ? [] : [{ path: keys.downloadsFolder, key: keys.downloads }]),
  ];
  return {
    hit: restored === undefined ? 'none' : 'partial',
    env: { ...env, ...downloadCache(downloads) },
    record: options.fork || entries.length === 0 ? undefined : { version: 1, base, entries },
  };
}
