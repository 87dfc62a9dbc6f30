import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { arch } from 'node:process';
import { join } from 'node:path';
import { ActionError, asError, explain } from '../errors.ts';
import type { CacheMount, MountsPlan } from '../image/cache-mounts.ts';
import {
  archiveName,
  contentKey,
  fillDockerfile,
  keyPrefix,
  listDockerfile,
  mountsOf,
  packDockerfile,
  readListing,
} from '../image/mount-builds.ts';
import type { Cache } from '../systems/cache.ts';
import { collectTools } from '../systems/mount-tools.ts';
import type { Run } from '../systems/process.ts';
import type { Log } from '../systems/runner.ts';

export interface MountsSystems {
  readonly run: Run;
  readonly log: Log;
  readonly cache: Cache;
  readonly signal?: AbortSignal | undefined;
}

export interface MountsPlace {
  /** Name of the builder. */
  readonly builder: string;
  /** Environment of `docker`: DOCKER_CONFIG, BUILDX_CONFIG. */
  readonly env: NodeJS.ProcessEnv;
  /** A private folder; what is in it afterwards can be removed. */
  readonly folder: string;
}

export interface RestoreRequest extends MountsPlace {
  readonly plan: MountsPlan;
  /** Tells apart caches of the same id of different images (`repository`, Dockerfile). */
  readonly scope: string;
  /** The builder's own platform. */
  readonly platform: string;
  readonly buildArgs: readonly string[];
}

/** What saveMounts needs; plain JSON, without secrets. */
export interface MountsRecord {
  readonly namespace: string;
  readonly mounts: readonly {
    readonly mount: CacheMount;
    readonly prefix: string;
    /** Key of what was put into the builder; undefined: nothing. */
    readonly key: string | undefined;
  }[];
}

export interface SavedMount {
  readonly target: string;
  readonly outcome: 'saved' | 'unchanged' | 'unused' | 'empty' | 'too large' | 'failed';
  readonly bytes: number;
}

/** Largest content of one mount that is stored, bytes: GitHub keeps 10 GB for a whole repository. */
export const mountLimit = 2 * 1024 ** 3;
/** For one of the small builds, ms. */
const buildTime = 180_000;
const title = { title: 'Cache mounts' };

/**
 * Puts the kept contents of cache mounts into the builder. Mounts that the builder has already are
 * its own affair: a builder that stays keeps them itself, newer than ours.
 *
 * Never fails: what goes wrong is a notice, and the build starts with empty mounts.
 *
 * @returns undefined when there is nothing to keep after the build.
 */
export async function restoreMounts(
  request: RestoreRequest,
  systems: MountsSystems,
): Promise<MountsRecord | undefined> {
  const { plan, scope } = request;
  const { log, cache, signal } = systems;
  for (const notice of plan.notices) log.notice(notice, title);
  if (plan.mounts.length === 0) return undefined;
  if (!runsHere(request.platform)) {
    log.notice(
      `Cache mounts are not kept: the builder is ${request.platform}, this runner ${arch}.`,
      title,
    );
    return undefined;
  }
  const namespace = namespaceOf(request.buildArgs);
  try {
    await mkdir(request.folder, { recursive: true });
    const there = await existing(request, namespace, systems);
    const own = plan.mounts.filter(({ id }) => there.has(id));
    if (own.length > 0) {
      log.info(`The builder keeps its cache mounts: ${own.map(({ target }) => target).join(', ')}`);
    }
    const missing = plan.mounts.filter(({ id }) => !there.has(id));
    const context = join(request.folder, 'context');
    const restored = await Promise.all(
      missing.map(async (mount) => {
        const prefix = keyPrefix(scope, mount);
        const path = join('mounts', prefix, 'content.tar');
        const found = await cache.restore([path], `${prefix}none`, [prefix], {
          base: request.folder,
          signal,
        });
        return { mount, prefix, path, found };
      }),
    );
    const filled = restored.filter(({ found }) => found !== undefined);
    if (filled.length > 0) {
      await mkdir(context, { recursive: true });
      for (const [index, { path }] of filled.entries()) {
        await rename(join(request.folder, path), join(context, archiveName(index)));
      }
      const dockerfile = fillDockerfile(filled.map(({ mount }) => mount));
      await smallBuild(dockerfile, 'type=cacheonly', request, namespace, systems);
      for (const { mount, found } of filled) {
        log.info(`Cache mount ${mount.target}: ${megabytes(found?.bytes ?? 0)} from ${found?.key}`);
      }
    }
    return {
      namespace,
      mounts: restored.map(({ mount, prefix, found }) => ({ mount, prefix, key: found?.key })),
    };
  } catch (error) {
    signal?.throwIfAborted();
    log.notice(`Cache mounts could not be restored: ${explain(error)}`, title);
    return {
      namespace,
      mounts: plan.mounts.map((mount) => ({
        mount,
        prefix: keyPrefix(scope, mount),
        key: undefined,
      })),
    };
  } finally {
    await rm(join(request.folder, 'context'), { recursive: true, force: true });
  }
}

/**
 * After the build: stores the contents of those mounts that have changed. Never fails.
 *
 * @param limit largest content of one mount, bytes.
 */
export async function saveMounts(
  record: MountsRecord,
  place: MountsPlace,
  systems: MountsSystems,
  limit = mountLimit,
): Promise<readonly SavedMount[]> {
  const { log, signal } = systems;
  const { namespace } = record;
  const outcomes: SavedMount[] = [];
  try {
    await mkdir(place.folder, { recursive: true });
    const there = await existing(place, namespace, systems);
    // A mount that no step has used isn't there: looking into it would make it, empty.
    const used = record.mounts.filter(({ mount }) => there.has(mount.id));
    for (const { mount } of record.mounts.filter(({ mount }) => !there.has(mount.id))) {
      outcomes.push({ target: mount.target, outcome: 'unused', bytes: 0 });
    }
    const out = join(place.folder, 'listings');
    if (used.length > 0) {
      const listing = listDockerfile(used.map(({ mount }) => mount));
      await smallBuild(listing, `type=local,dest=${out}`, place, namespace, systems);
    }
    const changed = [];
    for (const [index, one] of used.entries()) {
      const { target } = one.mount;
      const listed = readListing(await readFile(join(out, `list-${index}`), 'utf8'));
      const key = contentKey(one.prefix, listed);
      const { bytes } = listed;
      if (listed.files === 0) outcomes.push({ target, outcome: 'empty', bytes });
      else if (key === one.key) outcomes.push({ target, outcome: 'unchanged', bytes });
      else if (bytes > limit) {
        outcomes.push({ target, outcome: 'too large', bytes });
        log.notice(
          `The cache mount ${target} is not kept: it holds ${megabytes(bytes)}, more than the limit of ${megabytes(limit)}. GitHub keeps 10 GB for the whole repository; let the tool clean up, or leave this target out of cache-mounts.`,
          title,
        );
      } else changed.push({ ...one, key, bytes });
    }
    if (changed.length > 0) {
      const packed = join(place.folder, 'archives');
      const pack = packDockerfile(changed.map(({ mount }) => mount));
      await smallBuild(pack, `type=local,dest=${packed}`, place, namespace, systems);
      outcomes.push(
        ...(await Promise.all(
          changed.map((one, index) =>
            store(one, join(packed, `archive-${index}`), place.folder, systems),
          ),
        )),
      );
    }
    for (const { target, outcome, bytes } of outcomes) {
      log.info(`Cache mount ${target}: ${outcome}${bytes > 0 ? `, ${megabytes(bytes)}` : ''}`);
    }
  } catch (error) {
    signal?.throwIfAborted();
    log.notice(`Cache mounts could not be kept: ${explain(error)}`, title);
  } finally {
    for (const name of ['listings', 'archives', 'context']) {
      await rm(join(place.folder, name), { recursive: true, force: true });
    }
  }
  return outcomes;
}

async function store(
  one: { mount: CacheMount; prefix: string; key: string; bytes: number },
  archive: string,
  base: string,
  { cache, signal }: MountsSystems,
): Promise<SavedMount> {
  const path = join('mounts', one.prefix, 'content.tar');
  await mkdir(join(base, 'mounts', one.prefix), { recursive: true });
  await rename(archive, join(base, path));
  const saved = await cache.save([path], one.key, { base, signal });
  await rm(join(base, path));
  const outcome = saved === 'exists' ? 'unchanged' : saved;
  return { target: one.mount.target, outcome, bytes: one.bytes };
}

/** Which cache mounts the builder holds. */
async function existing(
  place: MountsPlace,
  namespace: string,
  { run, signal }: MountsSystems,
): Promise<ReadonlySet<string>> {
  const args = ['buildx', 'du', '--builder', place.builder, '--verbose'];
  const ended = await run('docker', [...args, '--filter', 'type=exec.cachemount'], {
    env: place.env,
    signal: limited(signal),
    keep: 20_000_000,
  });
  if (ended.code !== 0) {
    throw new ActionError('The builder does not say which cache mounts it has.', {
      block: ended.stderr.trim(),
    });
  }
  return mountsOf(ended.stdout, namespace);
}

async function smallBuild(
  dockerfile: string,
  output: string,
  place: MountsPlace,
  namespace: string,
  { run, log, signal }: MountsSystems,
): Promise<void> {
  const context = join(place.folder, 'context');
  const tools = join(context, 'tools');
  if ((await stat(tools).catch(() => undefined)) === undefined) {
    await collectTools(tools, run, place.env);
  }
  const file = join(place.folder, 'Dockerfile.mounts');
  await writeFile(file, dockerfile);
  const args = ['buildx', 'build', '--builder', place.builder, '--file', file, '--output', output];
  args.push('--provenance=false', '--sbom=false', '--progress=plain');
  args.push('--build-arg', `NONCE=${randomUUID()}`);
  if (namespace !== '') args.push('--build-arg', `BUILDKIT_CACHE_MOUNT_NS=${namespace}`);
  const ended = await run('docker', [...args, context], {
    env: place.env,
    signal: limited(signal),
    onStderr: (line) => log.debug(`mounts: ${line}`),
  }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new ActionError('The small build for cache mounts did not end in time.', {
      cause: asError(error),
    });
  });
  if (ended.code !== 0) {
    throw new ActionError('The small build for cache mounts failed.', {
      block: ended.stderr.trim().split('\n').slice(-15).join('\n'),
    });
  }
}

function limited(signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(buildTime);
  return signal === undefined ? limit : AbortSignal.any([signal, limit]);
}

/** The runner's own programs run in the builder only where both have the same architecture. */
function runsHere(platform: string): boolean {
  const own = { x64: 'linux/amd64', arm64: 'linux/arm64', arm: 'linux/arm' }[arch as string];
  return own !== undefined && (platform === own || platform.startsWith(`${own}/`));
}

function namespaceOf(buildArgs: readonly string[]): string {
  const start = 'BUILDKIT_CACHE_MOUNT_NS=';
  return buildArgs.findLast((one) => one.startsWith(start))?.slice(start.length) ?? '';
}

function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
