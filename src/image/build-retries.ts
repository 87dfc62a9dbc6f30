import type { BuildFailure } from './build-failure.ts';
import type { BuildPlan } from './plan.ts';
import type { Vertex } from './progress.ts';

/** What was tried again so far. */
export interface Tries {
  readonly push: number;
  readonly base: number;
  readonly login: boolean;
}

export const startTries: Tries = { push: 0, base: 0, login: false };

export interface NextTry {
  readonly plan: BuildPlan;
  readonly tries: Tries;
  /** ms to wait first. */
  readonly delay: number;
  /** Whether fresh credentials are needed first. */
  readonly login: boolean;
  /** What is done, and why. */
  readonly why: string;
  /** Whether the user should see it beside the log: something they asked for was left out. */
  readonly notice: boolean;
}

/** A registry that is down for a minute is waited for: 1 + 2 + 4 + 8 + 16 s. */
const pushTries = 5;
const baseTries = 3;
/** IAM's words: the login is fine, so another one is refused as well. */
const missingPermission = /is not authorized to perform/;

/**
 * Whether and how to build once more after a failure. Undefined: it stays failed.
 *
 * @param can.login whether fresh credentials can be had.
 */
export function nextTry(
  failure: BuildFailure,
  plan: BuildPlan,
  tries: Tries,
  can: { readonly login: boolean },
): NextTry | undefined {
  if (failure.kind === 'push') {
    const again = pushAgain(plan);
    if (failure.reason === 'interrupted' && tries.push < pushTries) {
      const delay = 1000 * 2 ** tries.push;
      const why = `Pushing again in ${delay / 1000} s, without a rebuild: BuildKit still has the layers.`;
      return next({ plan: again, tries: { ...tries, push: tries.push + 1 }, delay, why });
    }
    if (
      failure.reason === 'denied' &&
      can.login &&
      !tries.login &&
      !missingPermission.test(failure.text)
    ) {
      const why =
        'Pushing again with fresh credentials, without a rebuild: BuildKit still has the layers.';
      return next({ plan: again, tries: { ...tries, login: true }, login: true, why });
    }
    return undefined;
  }
  if (failure.kind === 'cache') {
    const left = withoutCache(plan, failure.direction, failure.type);
    if (left === undefined) return undefined;
    const name = failure.type === undefined ? 'the caches' : `the cache type=${failure.type}`;
    const use = failure.direction === 'import' ? 'reading' : 'writing';
    const why = `The build is tried once more without ${use} ${name}.`;
    return next({ plan: left, tries, why, notice: true });
  }
  if (failure.kind === 'base' && failure.transient && tries.base < baseTries) {
    const delay = 2000 * 2 ** tries.base;
    const why = `Trying again in ${delay / 1000} s.`;
    return next({ plan, tries: { ...tries, base: tries.base + 1 }, delay, why });
  }
  return undefined;
}

function next(change: Pick<NextTry, 'plan' | 'tries' | 'why'> & Partial<NextTry>): NextTry {
  return { delay: 0, login: false, notice: false, ...change };
}

/**
 * The same build for another push: its steps were just run, so `no-cache` must not run them again (the
 * newest result of a step wins in BuildKit's own cache), and no other cache may stand in for them.
 */
function pushAgain(plan: BuildPlan): BuildPlan {
  const fresh = plan.noCache || plan.noCacheFilters.length > 0;
  return { ...plan, noCache: false, noCacheFilters: [], cacheFrom: fresh ? [] : plan.cacheFrom };
}

/** The plan without caches of a type in one direction; undefined: there are none that could be left out. */
function withoutCache(
  plan: BuildPlan,
  direction: 'import' | 'export',
  type: string | undefined,
): BuildPlan | undefined {
  const key = direction === 'import' ? 'cacheFrom' : 'cacheTo';
  const before = plan[key];
  let kept = type === undefined ? [] : before.filter((entry) => cacheEntryType(entry) !== type);
  // BuildKit named another type than was asked for: leave out all rather than fail.
  if (kept.length === before.length) kept = [];
  return before.length === 0 ? undefined : { ...plan, [key]: kept };
}

/** The type of a `--cache-from` or `--cache-to` value; a bare reference is a registry's. */
export function cacheEntryType(entry: string): string {
  const type = /(?:^|,)"?type=([^,"]*)/.exec(entry)?.[1];
  return type ?? 'registry';
}

/** A failure in one line, for the log. */
export function failureOf(failure: BuildFailure): string {
  const text = (failure.text.split('\n')[0] ?? '').slice(0, 400).replace(/\.$/, '');
  switch (failure.kind) {
    case 'push':
      return `The push ${failure.reason === 'denied' ? 'was denied' : 'failed'}: ${text}.`;
    case 'cache':
      return `The cache could not be ${failure.direction === 'import' ? 'read' : 'written'}: ${text}.`;
    case 'base':
      return `A base image could not be had: ${text}.`;
    default:
      return `The build failed: ${text}.`;
  }
}

/**
 * The vertexes of all attempts as one build: what ran in any of them ran (a second push finds every
 * step cached, which is no merit of the cache). Told apart by name: `no-cache` changes digests.
 */
export function mergeAttempts(attempts: readonly (readonly Vertex[])[]): readonly Vertex[] {
  const merged = new Map<string, Vertex>();
  for (const vertex of attempts.flat()) {
    const before = merged.get(vertex.name);
    if (before === undefined || before.error !== '' || !before.completed)
      merged.set(vertex.name, vertex);
    else if (before.kind !== 'step')
      merged.set(vertex.name, { ...vertex, ms: before.ms + vertex.ms });
  }
  return [...merged.values()];
}
