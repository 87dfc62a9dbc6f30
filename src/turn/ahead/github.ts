import { isAbort } from '../../errors.ts';
import type { GitHubActions, WorkflowRun } from '../../systems/github.ts';
import type { Log } from '../../systems/runner.ts';
import type { Clock } from '../../wait.ts';
import type { Ahead, Blocker, Look } from '../register.ts';
import { IDLE_GRACE, isCandidate, isJobNamed, ownJobName, standing } from './standing.ts';

/** Pages of 100 runs looked through at most. Live runs further back have waited for days. */
const MOST_PAGES = 10;
/** A blocking run's jobs are polled; the run itself only every so many times, or when they don't tell. */
const RUN_EVERY = 4;
/** How often a list without this very run is taken for a stale one. */
const STALE_LOOKS = 3;

export interface GitHubAheadOptions {
  readonly runId: number;
  readonly runAttempt: number;
  readonly job: string;
  readonly refName: string;
  readonly runnerName: string;
  /** `owner/repo/.github/workflows/ship.yml@refs/heads/main` */
  readonly workflowRef: string;
  /** Name of the publishing job in other runs; empty: this job's own. */
  readonly orderJob: string;
  /** Told of runs newer than this one, as they are seen. */
  readonly onNewer?: (runs: readonly WorkflowRun[]) => void;
}

/**
 * Learns of earlier live runs from GitHub's Actions API.
 *
 * The list is asked for unfiltered: a filtered one comes from a search index that lags by minutes
 * (field fact). All earlier runs count, not only the one before: if N-1 is cancelled while N-2 still
 * publishes, N must wait for N-2. Only the newest that blocks is polled; when it is done, the list is
 * asked again. A poll costs a conditional request or two, which are free while nothing changes (304).
 */
export function githubAhead(
  github: GitHubActions,
  options: GitHubAheadOptions,
  systems: { readonly log: Log; readonly clock: Clock },
): Ahead {
  const { log, clock } = systems;
  let me: { id: number; branch: string | null; workflow: string | number } | undefined;
  let jobName: string | undefined;
  let current: WorkflowRun | undefined;
  let stale = 0;
  let off = false;
  let polls = 0;
  /** When a run was first seen with nothing running. */
  const idleSince = new Map<number, number>();

  const publishes = () => {
    if (options.orderJob !== '') return (name: string) => isJobNamed(name, options.orderJob);
    const own = jobName;
    return own === undefined ? undefined : (name: string) => name === own;
  };

  const identify = async () => {
    const run = await github.run(options.runId);
    const found = {
      id: options.runId,
      branch: run?.branch ?? options.refName,
      workflow: run?.workflowId ?? workflowFile(options.workflowRef),
    };
    if (options.orderJob === '') {
      jobName = ownJobName(await github.jobs(options.runId), options);
      if (jobName === undefined) {
        log.info(
          `This job's name in run ${options.runId} is not clear, so earlier runs are waited for as a whole. order-job can name it.`,
        );
      }
    }
    me = found;
    return found;
  };

  /** @param known what a list or an earlier poll told; asked for again when jobs alone don't tell. */
  const blocker = async (known: WorkflowRun, fresh: boolean): Promise<Blocker | undefined> => {
    const jobs = await github.jobs(known.id);
    let run: WorkflowRun | undefined = known;
    let found = standing(run, jobs, publishes());
    polls += 1;
    const clear = found.blocks ? !found.idle && polls % RUN_EVERY !== 0 : jobs.length > 0;
    if (!fresh && !clear) {
      run = await github.run(known.id);
      found = standing(run, jobs, publishes());
    }
    if (run === undefined || !found.blocks) return undefined;
    if (!found.idle) idleSince.delete(run.id);
    else {
      const since = idleSince.get(run.id) ?? clock.now();
      idleSince.set(run.id, since);
      if (clock.now() - since >= IDLE_GRACE) return undefined;
    }
    const attempt = run.attempt > 1 ? ` (attempt ${run.attempt})` : '';
    return {
      runId: run.id,
      name: `run #${run.number}${attempt}`,
      url: run.url,
      doing: found.doing,
    };
  };

  const list = async (self: { id: number; branch: string | null; workflow: string | number }) => {
    const candidates = new Map<number, WorkflowRun>();
    const newer: WorkflowRun[] = [];
    let seenSelf = false;
    for (let page = 1; page <= MOST_PAGES; page += 1) {
      const runs = await github.runs(self.workflow, page);
      for (const run of runs) {
        if (run.id === self.id) seenSelf = true;
        if (run.id > self.id) newer.push(run);
        if (isCandidate(run, self)) candidates.set(run.id, run);
      }
      // The order within the list is not relied on: a whole page of earlier, finished runs ends it.
      const live = runs.some((run) => run.id >= self.id || isCandidate(run, self));
      if (runs.length < 100 || (!live && seenSelf)) break;
    }
    options.onNewer?.(newer);
    return { seenSelf, candidates: [...candidates.values()].sort((a, b) => b.id - a.id) };
  };

  const look = async (after: number): Promise<Look> => {
    const self = me ?? (await identify());
    if (current !== undefined) {
      const by = current.id >= after ? await blocker(current, false) : undefined;
      if (by !== undefined) return { is: 'blocked', by };
      current = undefined;
    }
    const { seenSelf, candidates } = await list(self);
    for (const run of candidates) {
      // What is before an announced run is superseded and publishes nothing any more.
      if (run.id < after) continue;
      const by = await blocker(run, true);
      if (by !== undefined) {
        current = run;
        return { is: 'blocked', by };
      }
    }
    if (!seenSelf && stale < STALE_LOOKS) {
      stale += 1;
      return {
        is: 'unknown',
        why: `GitHub's list of runs doesn't show this run yet`,
        retryAfterMs: undefined,
      };
    }
    return { is: 'free' };
  };

  return {
    begin: async () => {},
    finish: async () => {},
    async look(announced) {
      if (off) return { is: 'free' };
      try {
        return await look(announced?.key.runId ?? 0);
      } catch (error) {
        if (isAbort(error)) throw error;
        const { status, retryAfterMs } = answerOf(error);
        const text = error instanceof Error ? error.message : String(error);
        if (status !== undefined && status >= 400 && status < 500 && status !== 429) {
          if (retryAfterMs === undefined) {
            off = true;
            log.warning(
              status === 403
                ? `GitHub doesn't let this job see earlier runs (403), so it doesn't wait for them; the newest run still wins. Add "actions: read" to the job's permissions. (${text})`
                : `GitHub doesn't tell about earlier runs (${status}), so this run doesn't wait for them; the newest run still wins. (${text})`,
              { title: 'Order: no waiting' },
            );
            return { is: 'free' };
          }
        }
        return { is: 'unknown', why: text, retryAfterMs };
      }
    },
  };
}

/** `ship.yml` of `owner/repo/.github/workflows/ship.yml@refs/heads/main`. */
export function workflowFile(workflowRef: string): string {
  return workflowRef.split('@')[0]?.split('/').pop() ?? '';
}

/** HTTP status and the wait that a rate limit asks for, as the adapter puts them on its errors. */
export function answerOf(error: unknown): {
  status: number | undefined;
  retryAfterMs: number | undefined;
} {
  let status: number | undefined;
  let retryAfterMs: number | undefined;
  for (let at: unknown = error; typeof at === 'object' && at !== null;) {
    if ('status' in at && typeof at.status === 'number') status ??= at.status;
    if ('retryAfterMs' in at && typeof at.retryAfterMs === 'number') {
      retryAfterMs ??= at.retryAfterMs;
    }
    at = 'cause' in at ? at.cause : undefined;
  }
  return { status, retryAfterMs };
}
