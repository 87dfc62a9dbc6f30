import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { RunContext } from '../context.ts';
import { ActionError, asError, explain } from '../errors.ts';
import { isPassing } from '../image/build-failure.ts';
import type { Builder, BuilderDriver, DockerFacts } from '../image/plan.ts';
import type { BuilderInputs, BuildInputs } from '../inputs/inputs.ts';
import { downloadBuildx, placePlugin } from '../systems/buildx-download.ts';
import { connectBuildx, type BuilderSpec, type Buildx } from '../systems/buildx.ts';
import type { Run } from '../systems/process.ts';
import type { Log } from '../systems/runner.ts';
import { retry, type Clock } from '../wait.ts';

export interface BuilderRequest {
  readonly inputs: { readonly builder: BuilderInputs; readonly build: Pick<BuildInputs, 'allow'> };
  readonly facts: DockerFacts;
  readonly choice: { readonly driver: BuilderDriver; readonly why: string };
  /** The private DOCKER_CONFIG folder. Our builders are recorded in its `buildx`. */
  readonly folder: string;
  readonly context: Pick<
    RunContext,
    'repository' | 'runId' | 'runAttempt' | 'job' | 'runnerName' | 'workflowRef' | 'workspace'
  >;
  /** Where a downloaded buildx is kept: RUNNER_TOOL_CACHE, or a temporary folder. */
  readonly toolCache: string;
  /** The environment of docker's commands, with DOCKER_CONFIG set to `folder`. */
  readonly env: NodeJS.ProcessEnv;
  /** The user's own environment: an existing builder is looked up in its buildx folder. */
  readonly userEnv: NodeJS.ProcessEnv;
}

export interface BuilderSystems {
  readonly run: Run;
  readonly log: Log;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default: buildx's releases on GitHub. */
  readonly download?: typeof downloadBuildx;
}

/** What post needs to remove a builder. No secrets. */
export interface BuilderRecord {
  readonly name: string;
  readonly driver: BuilderDriver;
  readonly keepState: boolean;
  /** DOCKER_CONFIG and BUILDX_CONFIG of the builder. */
  readonly dockerConfig: string;
  readonly buildxConfig: string;
}

/** Waiting for a builder to go costs the job; what is left then is named in the log. ms. */
const cleanUpTime = 15_000;
/** A registry that throttles the builder's image: 2 + 4 + 8 s. */
const bootTries = 4;
/** For `docker rm` when buildx didn't manage, ms. */
const lastResortTime = 5_000;

/**
 * Makes a builder ready: installs buildx where it is missing or another version is asked for, creates
 * and boots a builder, or finds the user's own.
 *
 * @param acquired told before a builder is created, so that post removes it even when this is cancelled.
 * @returns the builder, and the variables that a build with it needs besides `env`.
 */
export async function prepareBuilder(
  request: BuilderRequest,
  systems: BuilderSystems,
  acquired: (record: BuilderRecord) => void,
): Promise<{ readonly builder: Builder; readonly env: Readonly<Record<string, string>> }> {
  const { inputs, facts, choice, folder } = request;
  await ensureBuildx(request, systems);
  if (inputs.builder.builder !== '') return existingBuilder(request, systems);

  const buildxConfig = join(folder, 'buildx');
  const env = { BUILDX_CONFIG: buildxConfig, BUILDX_BUILDER: '' };
  if (choice.driver === 'docker') {
    const name = facts.context ?? 'default';
    return { builder: describe(name, 'docker', facts, undefined, false), env };
  }
  const buildx = connectBuildx({ ...systems, env: { ...request.env, ...env } });
  const spec = await writeSpec(request, choice.driver);
  if (inputs.builder.cleanup) {
    const { keepState } = inputs.builder;
    acquired({
      name: spec.name,
      driver: spec.driver,
      keepState,
      dockerConfig: folder,
      buildxConfig,
    });
  }
  await buildx.create(spec);
  const details = await boot(buildx, spec, systems);
  return { builder: describe(spec.name, spec.driver, facts, details.buildkitVersion, true), env };
}

/**
 * Removes a builder that was created, within 20 s. Never throws: what could not be removed is a warning.
 */
export async function removeBuilder(
  record: BuilderRecord,
  systems: { readonly run: Run; readonly log: Log; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const { run, log } = systems;
  const env = {
    ...systems.env,
    DOCKER_CONFIG: record.dockerConfig,
    BUILDX_CONFIG: record.buildxConfig,
    BUILDX_BUILDER: '',
  };
  const signal = AbortSignal.timeout(cleanUpTime);
  try {
    await connectBuildx({ run, env, signal }).remove(record.name, record.keepState);
    log.info(`Removed the builder ${record.name}${record.keepState ? ', its state is kept' : ''}.`);
    return;
  } catch (error) {
    // Cancelled between the record and `create`: there is nothing to remove.
    if (/no builder .* found/.test(explain(error))) return;
    if (record.driver !== 'docker-container') {
      log.warning(`The builder ${record.name} could not be removed. ${explain(error)}`);
      return;
    }
    log.debug(`buildx did not remove ${record.name}: ${explain(error)}`);
  }
  // buildx's names for the container and the volume of a builder's first node.
  const container = `buildx_buildkit_${record.name}0`;
  try {
    const bounded = { env, signal: AbortSignal.timeout(lastResortTime) };
    const removed = await run('docker', ['rm', '--force', container], bounded);
    if (removed.code !== 0) throw new Error(removed.stderr.trim());
    if (!record.keepState)
      await run('docker', ['volume', 'rm', '--force', `${container}_state`], bounded);
    log.info(`Removed the builder's container ${container}.`);
  } catch (error) {
    log.warning(
      `The builder's container ${container} could not be removed in time and may still run on this machine. ${explain(error)}`,
    );
  }
}

async function ensureBuildx(request: BuilderRequest, systems: BuilderSystems): Promise<void> {
  const asked = request.inputs.builder.buildxVersion;
  const present = request.facts.buildxVersion;
  if (asked === '' && present !== undefined) return;
  if (asked !== '' && asked !== 'latest' && asked.replace(/^v/, '') === present) return;
  const { download = downloadBuildx, log, clock, signal } = systems;
  const wanted = asked === '' ? 'latest' : asked;
  const { path, version } = await download(
    { version: wanted, os: process.platform, arch: process.arch, cacheFolder: request.toolCache },
    { clock, signal },
  );
  await placePlugin(request.folder, path);
  const why = asked === '' ? 'the runner has none' : 'as buildx-version asks';
  log.info(`buildx ${version} (${why}), checksum verified.`);
}

async function existingBuilder(request: BuilderRequest, systems: BuilderSystems) {
  const name = request.inputs.builder.builder;
  const { userEnv } = request;
  const home = userEnv['HOME'] ?? homedir();
  const own = userEnv['BUILDX_CONFIG'] ?? '';
  const dockerConfig = userEnv['DOCKER_CONFIG'] ?? '';
  const env = {
    BUILDX_CONFIG:
      own === '' ? join(dockerConfig === '' ? join(home, '.docker') : dockerConfig, 'buildx') : own,
    BUILDX_BUILDER: '',
  };
  const buildx = connectBuildx({ ...systems, env: { ...request.env, ...env } });
  try {
    const details = await withRetries(() => buildx.boot(name), name, bootTries, systems);
    const builder = describe(
      name,
      driverOf(details.driver),
      request.facts,
      details.buildkitVersion,
      false,
    );
    systems.log.info(`Builder ${name} (${details.driver}), as the input "builder" says.`);
    return { builder, env };
  } catch (error) {
    if (!/no builder .* found/.test(explain(error))) throw error;
    const names = await buildx.names();
    throw new ActionError(`builder: there is no builder "${name}" on this runner.`, {
      cause: asError(error),
      hint: `Found: ${names.join(', ')}. Create it in an earlier step, or leave "builder" empty.`,
    });
  }
}

function driverOf(text: string): BuilderDriver {
  if (text === 'docker' || text === 'docker-container' || text === 'kubernetes') return text;
  // buildx's other drivers (cloud) answer as a remote BuildKit does.
  return 'remote';
}

function describe(
  name: string,
  driver: BuilderDriver,
  facts: DockerFacts,
  buildkitVersion: string | undefined,
  created: boolean,
): Builder {
  const own = driver !== 'docker';
  // The docker driver refuses push-by-digest and knows no S3 cache; without the containerd image
  // store it exports no cache at all (field: BuildKit).
  return {
    name,
    driver,
    pushByDigest: own,
    cacheExport: own || facts.containerdStore,
    s3Cache: own,
    buildkitVersion,
    created,
  };
}

async function writeSpec(
  request: BuilderRequest,
  driver: BuilderSpec['driver'],
): Promise<BuilderSpec> {
  const { folder, context } = request;
  const { builder, build } = request.inputs;
  const own = join(folder, 'builder');
  await mkdir(own, { recursive: true, mode: 0o700 });
  const write = async (name: string, text: string) => {
    const path = join(own, name);
    await writeFile(path, text.endsWith('\n') ? text : `${text}\n`, { mode: 0o600 });
    return path;
  };
  const inWorkspace = (path: string) =>
    isAbsolute(path) ? path : resolve(context.workspace, path);
  const pem = async (name: string, given: string) => {
    if (given === '') return '';
    return given.includes('-----BEGIN') ? write(name, given) : inWorkspace(given);
  };
  let config = builder.buildkitdConfig === '' ? '' : inWorkspace(builder.buildkitdConfig);
  if (builder.buildkitdConfigInline !== '')
    config = await write('buildkitd.toml', builder.buildkitdConfigInline);
  return {
    name: nameOf(request),
    driver,
    driverOpts: builder.driverOpts,
    buildkitdFlags: flagsOf(builder.buildkitdFlags, build.allow, driver),
    buildkitdConfig: driver === 'remote' ? '' : config,
    endpoint: builder.endpoint,
    tls: {
      cacert: await pem('cacert.pem', builder.cacert),
      cert: await pem('cert.pem', builder.cert),
      key: await pem('key.pem', builder.key),
    },
  };
}

/**
 * A builder whose state or container outlives the job is found again by the next run of the same job on
 * the same runner; otherwise every run has a name of its own.
 */
function nameOf({ inputs, context }: BuilderRequest): string {
  const { keepState, cleanup } = inputs.builder;
  if (keepState || !cleanup) {
    // Without the ref: runs of several branches of a job share the state.
    const workflow = context.workflowRef.replace(/@.*$/, '');
    const lasting = [context.repository, workflow, context.job, context.runnerName].join('\n');
    return `ship-to-ecr-${createHash('sha256').update(lasting).digest('hex').slice(0, 12)}`;
  }
  return `ship-to-ecr-${context.runId}-${context.runAttempt}-${randomBytes(4).toString('hex')}`;
}

/** The input `allow` grants an entitlement to a build; the daemon must allow it too. */
function flagsOf(flags: string, allow: readonly string[], driver: BuilderDriver): string {
  if (flags !== '' || driver === 'remote') return driver === 'remote' ? '' : flags;
  return allow
    .filter((name) => name === 'network.host' || name === 'security.insecure')
    .map((name) => `--allow-insecure-entitlement=${name}`)
    .join(' ');
}

async function boot(buildx: Buildx, spec: BuilderSpec, systems: BuilderSystems) {
  try {
    // buildx waits 20 s for a remote BuildKit by itself, and has no image to pull for it.
    const tries = spec.driver === 'remote' ? 1 : bootTries;
    return await withRetries(() => buildx.boot(spec.name), spec.name, tries, systems);
  } catch (error) {
    if (!(error instanceof ActionError)) throw error;
    throw new ActionError(error.message, {
      cause: error.cause,
      block: error.block,
      hint: bootHint(spec.driver, error.block ?? '') ?? error.hint,
    });
  }
}

function bootHint(driver: BuilderDriver, words: string): string | undefined {
  if (driver === 'remote')
    return 'Check endpoint (and cacert, cert, key): BuildKit must listen there and be reachable from the runner.';
  if (
    /toomanyrequests|rate limit|pull|manifest unknown|not found|no such host|TLS handshake/i.test(
      words,
    )
  ) {
    return "BuildKit's image could not be pulled. Name a copy of it: `driver-opts: image=<mirror>/moby/buildkit:buildx-stable-1`.";
  }
  return undefined;
}

function withRetries<T>(
  work: () => Promise<T>,
  name: string,
  tries: number,
  systems: BuilderSystems,
): Promise<T> {
  const { log, clock, signal } = systems;
  return retry(work, {
    tries,
    firstDelay: 2000,
    retryable: (error) => isPassing(explain(error)),
    onRetry: (error, attempt, delay) => {
      log.info(
        `The builder ${name} did not boot (try ${attempt} of ${tries}), next try in ${Math.round(delay / 1000)} s: ${explain(error)}`,
      );
    },
    clock,
    signal,
  });
}
