import { isRegion, isRepositoryName, parseReference } from '../image/reference.ts';
import type { CacheBackend, CacheInputs } from './inputs.ts';
import { attributes } from '../image/csv.ts';
import { closest, type InputName } from './names.ts';
import { show, type Reader } from './reader.ts';

const known: readonly CacheBackend[] = ['gha', 's3', 'registry', 'local', 'inline', 'off'];

/** Attributes of BuildKit's cache backends that hold credentials. */
const credentials =
  /^(token|ghtoken|access_key_id|secret_access_key|session_token|account_key|password)$/;

export function readCache(reader: Reader): CacheInputs {
  const backends = readBackends(reader);
  const s3 = backends.includes('s3');
  const bucket = readBucket(reader, 'cache-bucket', s3 ? 'cache: s3' : undefined);
  if (bucket !== '' && !s3) {
    reader.warn('cache-bucket has no effect without cache: s3.');
  }
  const region = reader.text('cache-region');
  if (region !== '' && !isRegion(region)) {
    reader.problem(
      'cache-region',
      `${show(region)} is no AWS Region`,
      'Example: cache-region: eu-west-1',
    );
  }
  return {
    backends,
    scope: readScope(reader),
    mode: reader.choice('cache-mode', ['max', 'min']),
    bucket,
    prefix: readPrefix(reader),
    region,
    repository: readRepository(reader),
    write: reader.choice('cache-write', ['auto', 'always', 'never']),
    from: readRaw(reader, 'cache-from'),
    to: readRaw(reader, 'cache-to'),
    mounts: readMounts(reader),
  };
}

function readBackends(reader: Reader): readonly CacheBackend[] {
  const words = reader.commas('cache').flatMap((item) => item.split(/\s+/));
  const backends: CacheBackend[] = [];
  for (const word of words) {
    const backend = known.find((name) => name === word.toLowerCase());
    if (backend !== undefined) {
      if (!backends.includes(backend)) backends.push(backend);
      continue;
    }
    const near = closest(word, known);
    reader.problem(
      'cache',
      `${show(word)} is none of ${known.join(', ')}${near === undefined ? '' : ` (${near}?)`}`,
      word.includes('type=')
        ? "BuildKit's own form goes into cache-from and cache-to. Example: cache: gha"
        : `Example: cache: ${near ?? 'gha'}`,
    );
  }
  if (backends.includes('off') && backends.length > 1) {
    reader.problem(
      'cache',
      `off stands beside ${backends.filter((name) => name !== 'off').join(', ')}`,
      'Keep one of the two.',
    );
  }
  return backends;
}

/** Amazon S3's rule for bucket names. */
export function readBucket(
  reader: Reader,
  name: 'cache-bucket' | 'order-bucket',
  neededFor: string | undefined,
): string {
  const found = reader.text(name);
  if (found === '' && neededFor !== undefined) {
    reader.problem(
      name,
      `is missing: ${neededFor} needs a bucket`,
      `Example: ${name}: my-team-builds`,
    );
  } else if (found !== '' && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(found)) {
    reader.problem(
      name,
      `${show(found)} is no bucket's name`,
      `Without s3:// and without a path. Example: ${name}: my-team-builds`,
    );
  }
  return found;
}

/** The scope becomes part of a registry tag and of cache keys: what both allow. */
function readScope(reader: Reader): string {
  const found = reader.text('cache-scope');
  if (found !== '' && !/^[A-Za-z0-9_][\w.-]{0,99}$/.test(found)) {
    reader.problem(
      'cache-scope',
      `${show(found)} is no scope (up to 100 of letters, digits and _.-)`,
      `Example: cache-scope: ${
        found
          .replaceAll(/[^\w.-]+/g, '-')
          .replace(/^[.-]+/, '')
          .slice(0, 100) || 'app'
      }`,
    );
  }
  return found;
}

function readPrefix(reader: Reader): string {
  const found = reader.text('cache-prefix');
  if (/^\/|[\s,]/.test(found)) {
    reader.problem(
      'cache-prefix',
      `${show(found)} starts with / or has a space or comma`,
      'Example: cache-prefix: buildkit-cache/',
    );
  }
  return found;
}

function readRepository(reader: Reader): string {
  const found = reader.text('cache-repository');
  if (found === '' || isRepositoryName(found)) return found;
  const reference = parseReference(found);
  if (reference === undefined || reference.tag !== undefined || reference.digest !== undefined) {
    reader.problem(
      'cache-repository',
      `${show(found)} is no repository's name or URI (without a tag)`,
      'Example: cache-repository: team/app-cache',
    );
  }
  return found;
}

/** Values that BuildKit gets as they are: an argument list is readable by every process. */
function readRaw(reader: Reader, name: 'cache-from' | 'cache-to'): readonly string[] {
  const items = reader.lines(name);
  for (const item of items) {
    const found = attributes(item);
    const secret = [...found.keys()].find((key) => credentials.test(key));
    if (secret !== undefined) {
      reader.problem(
        name,
        `has the attribute ${secret}: on a command line every process could read it`,
        `Leave it out: credentials go by environment. Example: ${name}: type=gha,scope=app`,
      );
    } else if (item.includes('=') && !found.has('type')) {
      reader.problem(
        name,
        `${show(item)} has no type=`,
        `Example: ${name}: type=registry,ref=${item.split('=').at(-1)}`,
      );
    }
  }
  return items;
}

function readMounts(reader: Reader): CacheInputs['mounts'] {
  const name: InputName = 'cache-mounts';
  const items = reader.lines(name);
  const [first = 'auto'] = items;
  if (items.length <= 1) {
    if (/^(auto|true)$/i.test(first)) return 'auto';
    if (/^(off|false)$/i.test(first)) return 'off';
  }
  for (const item of items.filter((item) => !item.startsWith('/'))) {
    reader.problem(
      name,
      `${show(item)} is neither auto, off nor the absolute path of a mount's target`,
      `Example: ${name}: /root/.cache/pip`,
    );
  }
  return items;
}
