import { readFile, rm } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { ActionError, asError, isAbort } from '../errors.ts';
import { buildArguments, isBuild } from '../image/build-arguments.ts';
import {
  classifyFailure,
  failedLine,
  failureBlock,
  finalError,
  type BuildFailure,
} from '../image/build-failure.ts';
import { cacheNotices } from '../image/cache-outcome.ts';
import { warningsOfCheck, warningsOfProgress, type CheckWarning } from '../image/checks.ts';
import type { BuildOutcome, BuildPlan } from '../image/plan.ts';
import { countSteps, readProgress, slowestOf, type Vertex } from '../image/progress.ts';
import {
  failureOf,
  mergeAttempts,
  nextTry,
  startTries,
  type Tries,
} from '../image/build-retries.ts';
import type { SolveWarning } from '../image/solve-status.ts';
import type { Run } from '../systems/process.ts';
import type { Log } from '../systems/runner.ts';
import { systemClock, type Clock } from '../wait.ts';
import { describeFailure, failureHint } from './build-errors.ts';

export interface BuildRequest {
  readonly plan: BuildPlan;
  /** The whole environment of `docker`: DOCKER_CONFIG, BUILDX_CONFIG, what secrets and caches read. */
  readonly env: NodeJS.ProcessEnv;
  /** Relative paths of the plan start here, and annotations are relative to it: the workspace. */
  readonly cwd: string;
  /** Writes fresh registry credentials into DOCKER_CONFIG. Absent: a denied push is not tried again. */
  readonly refreshLogin?: (() => Promise<void>) | undefined;
}

export interface BuildSystems {
  readonly run: Run;
  readonly log: Log;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One `docker buildx build`. */
interface Attempt {
  readonly code: number | null;
  readonly stdout: string;
  readonly plain: readonly string[];
  readonly vertexes: readonly Vertex[];
  readonly warnings: readonly SolveWarning[];
  readonly bytes: { readonly context: number; readonly pulled: number };
  readonly metadata: string;
  readonly pushed: ReadonlyMap<string, string>;
}

/**
 * Builds, shows the progress as it goes, and pushes what the plan says.
 *
 * A push that was interrupted is tried again without a rebuild, a denied one once with a fresh login,
 * a build that a cache broke once without that cache, passing failures to pull a base image again.
 *
 * @throws ActionError with BuildKit's own error block; whatever failed, an exit code other than 0 never passes.
 */
export async function build(request: BuildRequest, systems: BuildSystems): Promise<BuildOutcome> {
  const { log, clock = systemClock, signal } = systems;
  let plan = request.plan;
  let tries: Tries = startTries;
  const notices: string[] = [];
  const attempts: (readonly Vertex[])[] = [];
  for (;;) {
    const attempt = await once({ ...request, plan }, systems);
    if (attempts.length === 0) annotate(attempt, request, log);
    attempts.push(attempt.vertexes);
    if (attempt.code === 0) return outcome(attempt, plan, mergeAttempts(attempts), notices);
    // The result of a check is an exit code without an error: nothing to try again.
    if (isCall(plan) && finalError(attempt.plain) === '') throw failedCall(attempt, plan);
    const failure = classifyFailure(attempt);
    const again = nextTry(failure, plan, tries, { login: request.refreshLogin !== undefined });
    if (again === undefined) throw failedBuild(attempt, failure, request, log);
    log.info(`${failureOf(failure)} ${again.why}`);
    if (again.notice) notices.push(`${failureOf(failure)} ${again.why}`);
    if (again.login) await request.refreshLogin?.();
    if (again.delay > 0) await clock.sleep(again.delay, signal);
    plan = again.plan;
    tries = again.tries;
  }
}

async function once(request: BuildRequest, systems: BuildSystems): Promise<Attempt> {
  const { plan, env, cwd } = request;
  const { run, log, signal } = systems;
  const progress = readProgress();
  const metadataFile = resolve(cwd, plan.metadataFile);
  // What an attempt before left there must not pass for this one's.
  await rm(metadataFile, { force: true });
  let ended;
  try {
    ended = await run('docker', buildArguments(plan), {
      cwd,
      env,
      signal,
      onStderr: (line) => {
        for (const shown of progress.read(line)) log.info(shown);
      },
    });
  } catch (error) {
    if (isAbort(error) || signal?.aborted === true) throw error;
    throw new ActionError('docker could not be started.', {
      cause: asError(error),
      hint: "Docker's command line must be on the PATH of the runner.",
    });
  }
  return {
    code: ended.code,
    stdout: ended.stdout,
    plain: progress.plain(),
    vertexes: progress.vertexes(),
    warnings: progress.warnings(),
    bytes: progress.bytes(),
    pushed: progress.pushed(),
    metadata: await readMetadata(metadataFile),
  };
}

async function readMetadata(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // buildx writes it only when it comes to its end.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

function outcome(
  attempt: Attempt,
  plan: BuildPlan,
  vertexes: readonly Vertex[],
  retried: readonly string[],
): BuildOutcome {
  const metadata = parseMetadata(attempt.metadata);
  const text = (name: string) => {
    const value = metadata[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const digest = text('containerimage.digest');
  const steps = countSteps(vertexes);
  const all = steps.cached + steps.run;
  const confirmed = metadata['cache.manifest'] !== undefined;
  return {
    digest: pushes(plan) ? (pushedDigest(plan, attempt.pushed) ?? digest) : undefined,
    // As buildx's own --iidfile: the config's digest where there is one config.
    imageId: text('containerimage.config.digest') ?? digest,
    metadata: attempt.metadata,
    steps,
    cacheHitRatio: all === 0 ? undefined : steps.cached / all,
    slowest: slowestOf(vertexes),
    notices: [...retried, ...(isCall(plan) ? [] : cacheNotices(plan, attempt.vertexes, confirmed))],
    callResult: isCall(plan) ? attempt.stdout : undefined,
    bytes: attempt.bytes,
  };
}

/**
 * With several outputs the metadata file holds the last one's digest: an archive's manifest has other
 * media types than the pushed one's, and so another digest. The push itself names the right one.
 */
function pushedDigest(plan: BuildPlan, pushed: ReadonlyMap<string, string>): string | undefined {
  for (const reference of plan.references) {
    // Pushed by digest, a reference is named without a tag.
    const digest = pushed.get(reference) ?? pushed.get(reference.replace(/:[^:/]*$/, ''));
    if (digest !== undefined) return digest;
  }
  return undefined;
}

function parseMetadata(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {};
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isCall(plan: BuildPlan): boolean {
  return !isBuild(plan.call);
}

function pushes(plan: BuildPlan): boolean {
  if (isCall(plan)) return false;
  return (
    plan.references.length > 0 ||
    plan.outputs.some((output) => /push=true|type=registry/.test(output))
  );
}

/** Warnings as annotations at the Dockerfile's lines, and what `call` printed. */
function annotate(attempt: Attempt, request: BuildRequest, log: Log): void {
  const { plan } = request;
  const dockerfile = dockerfileOf(request);
  let warnings: readonly CheckWarning[] = warningsOfProgress(attempt.warnings, dockerfile);
  if (isCall(plan)) {
    for (const line of attempt.stdout.trimEnd().split('\n')) log.info(line);
    warnings = [
      ...warnings,
      ...warningsOfCheck(parseMetadata(attempt.metadata)['result.json'], dockerfile),
    ];
  }
  for (const { message, title, file, startLine, endLine } of warnings) {
    log.warning(message, {
      title,
      file,
      ...(startLine === undefined ? {} : { startLine }),
      ...(endLine === undefined ? {} : { endLine }),
    });
  }
}

/** The Dockerfile's path as annotations want it: relative to the workspace. */
function dockerfileOf({ plan, cwd }: BuildRequest): string {
  // A Git context's Dockerfile is not in the checkout, a file given by its path is.
  const remote = /^[a-z][a-z0-9+.-]*:\/\/|^git@/.test(plan.context);
  const path = resolve(
    cwd,
    plan.file === '' ? join(remote ? '' : plan.context, 'Dockerfile') : plan.file,
  );
  const inside = relative(cwd, path);
  return inside.startsWith('..') || isAbsolute(inside) ? path : inside;
}

function failedCall(attempt: Attempt, plan: BuildPlan): ActionError {
  const found = warningsOfCheck(parseMetadata(attempt.metadata)['result.json'], '').length;
  const what =
    found === 0 ? `ended with exit code ${attempt.code}` : `found ${plural(found, 'warning')}`;
  return new ActionError(`call: ${plan.call} ${what}.`, {
    hint: 'Mend the lines above, or silence a rule by `# check=skip=RuleName` in the Dockerfile.',
  });
}

function failedBuild(
  attempt: Attempt,
  failure: BuildFailure,
  request: BuildRequest,
  log: Log,
): ActionError {
  // These are told whole in the message; the block has only a push's retries to add.
  const whole = failure.kind === 'push' || failure.kind === 'not-started';
  const told = whole && !failure.text.includes('\n');
  const block = told ? undefined : failureBlock(attempt);
  const ending = attempt.code === null ? 'ended by a signal' : `exit code ${attempt.code}`;
  if (failure.text === '') {
    return new ActionError(`docker buildx build failed without a word (${ending}).`, { block });
  }
  if (failure.kind === 'not-started') {
    const why = `docker buildx build did not start the build (${ending})`;
    return new ActionError(`${why}: ${firstLine(failure.text)}`, {
      block,
      hint: failureHint(failure),
    });
  }
  const at = failedLine(attempt.plain);
  const dockerfile = dockerfileOf(request);
  const where = at === undefined ? '' : ` (${dockerfile}:${at.line})`;
  const message = `${describeFailure(failure)}${where}.`;
  if (at !== undefined) {
    log.error(firstLine(failure.text), {
      title: 'Build failed',
      file: dockerfile,
      startLine: at.line,
    });
  }
  return new ActionError(message, { block, hint: failureHint(failure) });
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
