import { createHash } from 'node:crypto';
import type { Interpreter } from './interpreter.ts';

export interface PythonKeys {
  /** Of the whole environment. Names everything an environment depends on: found only when all is the same. */
  readonly environment: string;
  /** The environment's folder, relative to the base. Programs in it carry it in their first line. */
  readonly environmentFolder: string;
  /** Of the download cache, for these very requirements. */
  readonly downloads: string;
  /** Download caches of other requirements that help most of the way: same Python, then any. */
  readonly downloadsFallback: readonly string[];
  readonly downloadsFolder: string;
}

/**
 * Cache keys of both levels. Values only known together (paths, versions, files) are hashed; what
 * helps to find a near one stays readable.
 *
 * @param base folder that both levels' folders are under.
 */
export function pythonKeys(options: {
  prefix: string;
  base: string;
  interpreter: Interpreter;
  requirementsDigest: string;
  installer: 'pip' | 'uv';
}): PythonKeys {
  const { prefix, base, interpreter, requirementsDigest, installer } = options;
  const { platform, version } = interpreter;
  const identity = sha256(JSON.stringify([base, interpreter, requirementsDigest]));
  const minor = version.split('.').slice(0, 2).join('.');
  const family = `${prefix}-${installer}-${platform}`;
  return {
    environment: `${prefix}-env-${platform}-py${version}-${identity}`,
    environmentFolder: `env-${identity.slice(0, 12)}`,
    downloads: `${family}-py${minor}-${requirementsDigest}`,
    downloadsFallback: [`${family}-py${minor}-`, `${family}-py`],
    downloadsFolder: installer,
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
