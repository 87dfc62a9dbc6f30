import { join } from 'node:path';
import { ActionError } from '../errors.ts';
import { planBuild } from '../image/build-plan.ts';
import { chooseBuilder, emulatedPlatforms, type BuilderChoice } from '../image/builder-choice.ts';
import { mayWriteCache, planCache } from '../image/cache-plan.ts';
import { planSecrets } from '../image/secrets.ts';
import type { Builder, CachePlan, DockerFacts, ImageTags } from '../image/plan.ts';
import { defaultTags } from '../image/tags.ts';
import type { Job } from '../job.ts';
import { connectCache, type Cache } from '../systems/cache.ts';
import { inspectDocker } from '../systems/docker.ts';
import { emulators } from '../systems/emulators.ts';
import { probeGha, type GhaAvailability } from '../systems/gha.ts';
import { tagIsFixed } from '../systems/ecr.ts';
import { writeSecrets } from '../systems/secret-files.ts';
import { build } from './build.ts';
import { keepBuildRecord } from './build-record.ts';
import { prepareBuilder } from './builder.ts';
import { restoreMountsFor } from './mounts.ts';
import { decide, type Decision } from './decision.ts';
import { restoreLocalCache, type LocalCacheRecord } from './local-cache.ts';
import type { Destination } from './destination.ts';
import type { DockerHome } from './docker-home.ts';
import type { Told } from './report.ts';

/** Runs a part of the pipeline under its name in the timeline. */
export type Part = <T>(name: string, work: () => Promise<T>, stops?: boolean) => Promise<T>;

/** An image in the repository, and those of the run's tags that are still to be put on it. */
export interface MadeImage {
  readonly digest: string;
  readonly tags: ImageTags;
}

/**
 * The image in the repository: the one that has this content already, or a new one that is built and
 * pushed under one of the run's own tags.
 *
 * @returns undefined when nothing was to be pushed (a fork, `call`).
 */
export async function makeImage(
  job: Job,
  there: Destination | undefined,
  home: DockerHome,
  builder: ChosenBuilder,
  part: Part,
  told: Told,
): Promise<MadeImage | undefined> {
  const { facts, choice } = builder;
  const decision = await part('content', () =>
    decide(job, there, home, { driver: choice.driver, facts }),
  );
  told.why = decision.why;
  if (there !== undefined) refuseFixedTags(job, there, decision);
  const tags = there === undefined ? [] : ownTags(job, there, decision);
  told.tags = tags;

  if (decision.kind === 'unchanged' && there !== undefined) {
    job.log.info(`${decision.why} Nothing is built.`);
    told.outcome = 'unchanged';
    return { digest: decision.manifest.digest, tags: { named: tags, content: [] } };
  }
  job.log.info(decision.why);
  const contentTags = await contentTagFor(
    there,
    decision.kind === 'build' ? decision.contentTag : undefined,
  );
  // What is pushed needs a name: one that no other run or attempt has, if none is left.
  const [first = `run-${job.context.runId}.${job.context.runAttempt}`, ...others] = tags;
  if (there !== undefined) told.tags = [first, ...others];
  // The runner's Docker knows an image by the names that it was pushed under.
  const references = there === undefined || job.inputs.build.load ? told.tags : [first];
  const digest = await buildImage(job, there, home, builder, part, told, references);
  if (digest === undefined) return undefined;
  const named = told.tags.filter((tag) => !references.includes(tag));
  return { digest, tags: { named, content: contentTags } };
}

async function buildImage(
  job: Job,
  there: Destination | undefined,
  home: DockerHome,
  chosen: ChosenBuilder,
  part: Part,
  told: Told,
  tags: readonly string[],
): Promise<string | undefined> {
  const { inputs, context, env, log, run, signal, clock, store } = job;
  const gha = probeGha(env, { signal });
  const cache = connectCache({ env, log, gha });
  const { builder, env: builderEnv } = await part('builder', () => openBuilder(job, home, chosen));
  const { platform } = chosen.facts;
  const repository = there?.repository.uri ?? inputs.image.repository;
  const caching = planCaches(job, there, builder, platform, repository, await gha);
  told.cacheBackends = caching.backends;
  // A fork's run has one notice, which says that it only reads: the rest is for the log.
  for (const notice of caching.notices) {
    if (context.fork) log.info(notice);
    else log.notice(notice);
  }
  told.notices.push(...caching.notices);

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
  const localReady = restoreLocal(job, caching, cache);
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
  for (const notice of notices) log.notice(notice);
  told.notices.push(...notices);
  const [mounts] = await Promise.all([mountsReady, localReady]);

  const outcome = await part(
    'build',
    () =>
      build(
        {
          plan,
          env: buildEnv,
          cwd: context.workspace,
          refreshLogin:
            there === undefined
              ? undefined
              : async () => home.relogin(await there.ecr.login(signal)),
        },
        { run, log, clock, signal },
      ),
    false,
  );
  told.build = outcome;
  for (const notice of outcome.notices) log.notice(notice);
  store.set('mounts', mounts);
  if (inputs.buildRecord) await keepBuildRecord(job, builder, buildEnv, outcome.metadata);
  if (caching.local !== undefined && mayWriteCache(inputs, context)) {
    const { from, to, key } = caching.local;
    const record: LocalCacheRecord = { written: to, folder: from, key, base: context.temp };
    store.set('localCache', record);
  }
  if (inputs.build.call !== 'build') {
    told.outcome = 'called';
    if (outcome.callResult !== undefined) log.info(outcome.callResult);
    return undefined;
  }
  if (there === undefined) {
    told.outcome = 'build only';
    return undefined;
  }
  if (outcome.digest === undefined) {
    throw new ActionError(
      'The build ended well, but buildx did not say which digest it has pushed.',
      {
        hint: 'Look whether `outputs` or `builder` lead the image elsewhere, and report this if not.',
        block: outcome.metadata,
      },
    );
  }
  return outcome.digest;
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

function openBuilder(job: Job, home: DockerHome, { facts, choice }: ChosenBuilder) {
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
  { inputs, context, env }: Job,
  there: Destination | undefined,
  builder: Builder,
  platform: string,
  repository: string,
  gha: GhaAvailability,
): CachePlan {
  return planCache({
    inputs,
    context,
    repository,
    builder,
    gha,
    mayWrite: mayWriteCache(inputs, context),
    pushes: there !== undefined,
    account: there !== undefined,
    platform,
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

/**
 * A tag of the run that exists and can't be moved: fine when it is at the digest that is shipped, an
 * error before the build otherwise. Tags that nobody asked for (the defaults) are left out instead.
 */
function refuseFixedTags(job: Job, there: Destination, decision: Decision): void {
  const asked = new Set(job.inputs.image.tags);
  for (const tag of defaultTags(job.context)) asked.delete(tag);
  for (const tag of asked) {
    const at = fixedAt(there, tag);
    if (at === undefined) continue;
    if (decision.kind === 'unchanged' && decision.manifest.digest === at) continue;
    throw new ActionError(
      `tags: ${tag} exists in ${there.repository.uri} at ${at}, and the repository is ${there.repository.mutability}: it can't be set to what this run builds.`,
      {
        hint: 'Set tags to names that are new in each run (the default: the commit and run-<number>), or exclude this tag from immutability.',
      },
    );
  }
}

function ownTags(job: Job, there: Destination, decision: Decision): readonly string[] {
  const digest = decision.kind === 'unchanged' ? decision.manifest.digest : undefined;
  return job.inputs.image.tags.filter((tag) => {
    const at = fixedAt(there, tag);
    if (at === undefined || at === digest) return true;
    job.log.notice(
      `The tag ${tag} exists at ${at} and can't be moved (${there.repository.mutability}); this run's image goes without it.`,
    );
    return false;
  });
}

/** The content's tag goes with the image, unless it is at another image and can't be moved. */
async function contentTagFor(
  there: Destination | undefined,
  tag: string | undefined,
): Promise<readonly string[]> {
  if (there === undefined || tag === undefined) return [];
  const { ecr, repository } = there;
  const taken =
    tagIsFixed(repository, tag) && (await ecr.tagDigests(repository.name, [tag])).has(tag);
  return taken ? [] : [tag];
}

function fixedAt({ existing, repository }: Destination, tag: string): string | undefined {
  const at = existing.get(tag);
  return at !== undefined && tagIsFixed(repository, tag) ? at : undefined;
}
