import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { planMounts } from '../image/cache-mounts.ts';
import { mayWriteCache } from '../image/cache-plan.ts';
import { isRemoteContext } from '../image/content/remote.ts';
import type { Builder } from '../image/plan.ts';
import type { Job } from '../job.ts';
import type { Cache } from '../systems/cache.ts';
import type { Run } from '../systems/process.ts';
import type { Log } from '../systems/runner.ts';
import { restoreMounts, saveMounts, type MountsRecord } from './cache-mounts.ts';

/** For post: which mounts to look into, and through which builder. */
export interface MountsState {
  readonly record: MountsRecord;
  readonly builder: string;
  readonly buildxConfig: string | undefined;
}

/** Where and with what the mounts of one build are kept. */
export interface MountsAt {
  readonly builder: Builder;
  /** The builder's own platform. */
  readonly platform: string;
  /** Environment of the builds. */
  readonly env: NodeJS.ProcessEnv;
  readonly cache: Cache;
}

/** Puts kept contents of `RUN --mount=type=cache` into the builder, before the build. */
export async function restoreMountsFor(job: Job, at: MountsAt): Promise<MountsState | undefined> {
  const { inputs, context, run, log, signal, folder } = job;
  const { build, cache: asked } = inputs;
  if (asked.mounts === 'off' || build.noCache || build.call !== 'build') return undefined;
  const plan = planMounts({
    dockerfile: await readDockerfile(job),
    wanted: asked.mounts,
    target: build.target,
    buildArgs: build.buildArgs,
    platforms: build.platforms,
    builderPlatform: at.platform,
    env: at.env,
  });
  const record = await restoreMounts(
    {
      plan,
      scope: [inputs.image.repository, build.context, build.file].join('\n'),
      platform: at.platform,
      buildArgs: build.buildArgs,
      builder: at.builder.name,
      env: at.env,
      folder: join(folder, 'mounts'),
    },
    { run, log, cache: at.cache, signal },
  );
  if (record === undefined || !mayWriteCache(inputs, context)) return undefined;
  return { record, builder: at.builder.name, buildxConfig: at.env['BUILDX_CONFIG'] };
}

/** For post: keeps what the build has left in the mounts, where it changed. */
export async function saveMountsOf(
  { record, builder, buildxConfig }: MountsState,
  at: {
    readonly cache: Cache;
    readonly log: Log;
    readonly run: Run;
    readonly env: NodeJS.ProcessEnv;
    /** The run's private folder. */
    readonly folder: string;
  },
): Promise<void> {
  const { cache, log, run } = at;
  const env = {
    ...at.env,
    DOCKER_CONFIG: join(at.folder, 'docker'),
    ...(buildxConfig === undefined ? {} : { BUILDX_CONFIG: buildxConfig }),
  };
  await saveMounts(
    record,
    { builder, env, folder: join(at.folder, 'mounts') },
    { run, log, cache },
  );
}

/** Undefined: it isn't on this machine, or isn't readable; the build will say so itself. */
async function readDockerfile({ inputs, context }: Job): Promise<string | undefined> {
  const { file, context: place } = inputs.build;
  if (isRemoteContext(place) || file === '-') return undefined;
  const path = resolve(context.workspace, file === '' ? join(place, 'Dockerfile') : file);
  return readFile(path, 'utf8').catch(() => undefined);
}
