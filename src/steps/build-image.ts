import { join } from 'node:path';
import { ActionError } from '../errors.ts';
import { planBuild } from '../image/build-plan.ts';
import { chooseBuilder, emulatedPlatforms, type BuilderChoice } from '../image/builder-choice.ts';
import { mayWriteCache, planCache } from '../image/cache-plan.ts';
import type { Builder, BuildOutcome, CachePlan, DockerFacts } from '../image/plan.ts';
import { planSecrets } from '../image/secrets.ts';
import type { Job } from '../job.ts';
import type { Parts } from '../parts.ts';
import { later } from '../settle.ts';
import { connectCache, type Cache } from '../systems/cache.ts';
import { inspectDocker } from '../systems/docker.ts';
import { tagIsFixed } from '../systems/ecr.ts';
import { emulators } from '../systems/emulators.ts';
import { probeGha, type GhaAvailability } from '../systems/gha.ts';
import { writeSecrets } from '../systems/secret-files.ts';
import { build } from './build.ts';
import { keepBuildRecord } from './build-record.ts';
import { prepareBuilder } from './builder.ts';
import type { Destination } from './destination.ts';
import type { DockerHome } from './docker-home.ts';
import { restoreLocalCache, type LocalCacheRecord } from './local-cache.ts';
import { restoreMountsFor } from './mounts.ts';
import type { Told } from './report.ts';

/** Where and with what an image is made. */
export interface Site {
  readonly job: Job;
  /** Undefined: nothing is pushed. */
  readonly there: Destination | undefined;
  readonly home: DockerHome;
  readonly chosen: ChosenBuilder;
  readonly part: Parts['part'];
  readonly told: Told;
}

/** The Docker that is there, and which builder it makes of the inputs. */
export interface ChosenBuilder {
  readonly facts: DockerFacts;
  readonly choice: BuilderChoice;
}

/** @throws ActionError when what is asked for needs something that isn't there. */
export async function choose(job: Job): Promise<ChosenBuilder> {
  const { run, env, signal, inputs } = job;
  const facts = await inspectDocker(run, env, signal);
  return { facts, choice: chooseBuilder(facts, inputs, emulatedPlatforms(await emulators())) };
}

/**
 * Builds the image and pushes it under `tags`.
 *
 * @returns its digest; undefined when nothing was to be pushed (a fork, `call`).
 */
export async function buildImage(site: Site, tags: readonly string[]): Promise<string | undefined> {
  const { job, there, home, part, told } = site;
  const { inputs, context, env, log, run, signal, clock, store } = job;
  const gha = probeGha(env, { signal });
  const cache = connectCache({ env, log, gha });
  const { builder, env: builderEnv } = await part('builder', () => openBuilder(site));
  const { platform } = site.chosen.facts;
  const repository = there?.repository.uri ?? inputs.image.repository;
  const caching = planCaches(site, builder, repository, await gha);
  told.cacheBackends = caching.backends;
  tellNotices(site, caching.notices);

  const buildEnv = {
    ...home.env,
    ...builderEnv,
    ...(there !== undefined && caching.backends.includes('s3')
      ? await there.account.childEnvironment()
      : {}),
  };
  const mountsReady = part('cache mounts', () =>
    restoreMountsFor(job, { builder, platform, env: buildEnv, cache }),
  );
  const localReady = later(restoreLocal(job, caching, cache));
  const secrets = await writeSecrets(
    join(job.folder, 'secrets'),
    planSecrets(inputs.build, context),
  );
  const { plan, notices } = planBuild({
    inputs,
    context,
    builder,
    repository,
    tags,
    push: there !== undefined,
    cache: caching,
    secrets,
    metadataFile: join(job.folder, 'metadata.json'),
  });
  tellNotices(site, notices);
  const [mounts] = await Promise.all([mountsReady, localReady]);

  const refreshLogin =
    there === undefined ? undefined : async () => home.relogin(await there.ecr.login(signal));
  const request = { plan, env: buildEnv, cwd: context.workspace, refreshLogin };
  const outcome = await part('build', () => build(request, { run, log, clock, signal }), false);
  told.build = outcome;
  for (const notice of outcome.notices) log.notice(notice);
  store.set('mounts', mounts);
  recordLocal(job, caching);
  if (inputs.buildRecord) await keepBuildRecord(job, builder, buildEnv, outcome.metadata);
  return pushedDigest(site, outcome);
}

/** What was pushed, by the build's own word. */
function pushedDigest({ job, there, told }: Site, outcome: BuildOutcome): string | undefined {
  if (job.inputs.build.call !== 'build') {
    told.outcome = 'called';
    if (outcome.callResult !== undefined) job.log.info(outcome.callResult);
    return undefined;
  }
  if (there === undefined) {
    told.outcome = 'build only';
    return undefined;
  }
  if (outcome.digest !== undefined) return outcome.digest;
  throw new ActionError(
    'The build ended well, but buildx did not say which digest it has pushed.',
    {
      hint: 'Look whether `outputs` or `builder` lead the image elsewhere, and report this if not.',
      block: outcome.metadata,
    },
  );
}

/** A fork's run has one notice, which says that it only reads: the rest is for the log. */
function tellNotices({ job, told }: Site, notices: readonly string[]): void {
  for (const notice of notices) {
    if (job.context.fork) job.log.info(notice);
    else job.log.notice(notice);
  }
  told.notices.push(...notices);
}

function openBuilder({ job, home, chosen }: Site) {
  const { facts, choice } = chosen;
  const { inputs, context, env, run, log, signal, clock, store } = job;
  log.info(choice.why);
  return prepareBuilder(
    {
      inputs,
      facts,
      choice,
      folder: home.folder,
      context,
      toolCache: env['RUNNER_TOOL_CACHE'] ?? job.folder,
      env: home.env,
      userEnv: env,
    },
    { run, log, clock, signal },
    (record) => store.set('builder', record),
  );
}

function planCaches(
  { job, there, chosen }: Site,
  builder: Builder,
  repository: string,
  gha: GhaAvailability,
): CachePlan {
  const { inputs, context, env } = job;
  return planCache({
    inputs,
    context,
    repository,
    builder,
    gha,
    mayWrite: mayWriteCache(inputs, context),
    pushes: there !== undefined,
    account: there !== undefined,
    platform: chosen.facts.platform,
    s3Endpoint: env['AWS_ENDPOINT_URL_S3'],
    ...(there === undefined
      ? {}
      : {
          movable: (name: string, tag: string) =>
            name !== there.repository.uri || !tagIsFixed(there.repository, tag),
        }),
  });
}

async function restoreLocal(job: Job, { local }: CachePlan, cache: Cache): Promise<void> {
  if (local === undefined) return;
  const { context, log, signal } = job;
  await restoreLocalCache(local, context.temp, { cache, log, signal });
}

/** For post: the folder that the `local` backend has written. */
function recordLocal({ inputs, context, store }: Job, { local }: CachePlan): void {
  if (local === undefined || !mayWriteCache(inputs, context)) return;
  const { from, to, key } = local;
  const record: LocalCacheRecord = { written: to, folder: from, key, base: context.temp };
  store.set('localCache', record);
}
