import { createHash } from 'node:crypto';
import { identity, mountFlag, type CacheMount } from './cache-mounts.ts';

/** Name of a mount's archive in the build context; `index` as in the Dockerfiles below. */
export const archiveName = (index: number) => `mount-${index}.tar`;

// Two steps that differ by the mount's id alone are one and the same to BuildKit, which leaves the id
// out of its cache key: every command names its mount.
const head = ['FROM scratch AS tools', 'COPY tools/ /'];

/**
 * Dockerfile that fills cache mounts from archives in its context. `NONCE` keeps BuildKit from
 * taking the step for one it has done: the mount may have been removed since.
 */
export function fillDockerfile(mounts: readonly CacheMount[]): string {
  return assemble(mounts, 'done', (mount, index) => [
    `RUN ${mountFlag(mount, '/mount')} --mount=type=bind,source=${archiveName(index)},target=/archive.tar : ${index} && tar -xpf /archive.tar -C /mount && : > /done`,
  ]);
}

/** Dockerfile whose result is a listing of each mount, `list-0`, `list-1`, … */
export function listDockerfile(mounts: readonly CacheMount[]): string {
  return assemble(mounts, 'list', (mount, index) => [
    `RUN ${mountFlag(mount, '/mount')} : ${index} && cd /mount && LC_ALL=C ls -lAnR . > /list`,
  ]);
}

/** Dockerfile whose result is an archive of each mount, `archive-0`, … */
export function packDockerfile(mounts: readonly CacheMount[]): string {
  return assemble(mounts, 'archive', (mount, index) => [
    // Exit code 1 is "a file changed as we read it": another build may use the mount.
    `RUN ${mountFlag(mount, '/mount')} : ${index} && tar -C /mount -cf /archive . || [ $? -eq 1 ]`,
  ]);
}

function assemble(
  mounts: readonly CacheMount[],
  result: string,
  steps: (mount: CacheMount, index: number) => readonly string[],
): string {
  return [
    ...head,
    ...mounts.flatMap((mount, index) => [
      `FROM tools AS m${index}`,
      'ARG NONCE',
      ...steps(mount, index),
    ]),
    'FROM scratch',
    ...mounts.map((_, index) => `COPY --from=m${index} /${result} /${result}-${index}`),
    '',
  ].join('\n');
}

/** What a listing says of a mount. */
export interface Listing {
  /** Of names, kinds, owners, and sizes. Not of times: many tools touch files they don't change. */
  readonly hash: string;
  readonly files: number;
  readonly bytes: number;
}

/** Reads `ls -lAnR` (of GNU or busybox). */
export function readListing(text: string): Listing {
  const hash = createHash('sha256');
  let files = 0;
  let bytes = 0;
  for (const line of text.split('\n')) {
    const found =
      /^([-dlbcps])(\S+)\s+\d+\s+(\d+)\s+(\d+)\s+(\d+)\s+\w{3}\s+\d+\s+[\d:]+ (.*)$/.exec(line);
    if (found === null) {
      // `total 8` depends on the file system; the names of folders don't.
      if (!/^total \d+$/.test(line)) hash.update(`${line}\n`);
      continue;
    }
    const [, kind = '', mode = '', uid = '', gid = '', size = '', name = ''] = found;
    if (kind === '-') {
      files += 1;
      bytes += Number(size);
    }
    hash.update(`${kind}${mode} ${uid} ${gid} ${kind === '-' ? size : ''} ${name}\n`);
  }
  return { hash: hash.digest('hex'), files, bytes };
}

/** Start of a mount's keys in the cache service; the content's hash follows. */
export function keyPrefix(scope: string, mount: CacheMount): string {
  const hash = createHash('sha256').update(JSON.stringify([scope, identity(mount)]));
  return `ship-to-ecr-mount-1-${hash.digest('hex').slice(0, 24)}-`;
}

export function contentKey(prefix: string, listing: Listing): string {
  return `${prefix}${listing.hash.slice(0, 24)}`;
}

/**
 * Ids of the cache mounts a builder holds, from `docker buildx du --verbose`.
 *
 * @param namespace value of the build argument BUILDKIT_CACHE_MOUNT_NS; empty: none.
 */
export function mountsOf(diskUsage: string, namespace: string): ReadonlySet<string> {
  // The description quotes the step's command before it, which may have lines of its own.
  const ids = [...diskUsage.matchAll(/ with id "([^"\n]*)"$/gm)];
  return new Set(
    ids
      .map(([, id = '']) => id)
      .filter((id) => id.startsWith(`${namespace}/`))
      .map((id) => id.slice(namespace.length + 1)),
  );
}
