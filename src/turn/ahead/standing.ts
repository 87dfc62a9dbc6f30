import type { WorkflowJob, WorkflowRun } from '../../systems/github.ts';

/**
 * How long a run in which nothing runs is waited for, in ms. Long enough for the moments between two
 * of its jobs and for a hosted runner to come; short enough that runs in the queue for days, or in the
 * queue for the very runner this job occupies, don't matter. Such a run is superseded when it comes.
 */
export const IDLE_GRACE = 60_000;

/** Statuses in which something happens. Everything else is idle or, for `completed`, over. */
const RUNNING = 'in_progress';
const OVER = 'completed';
/** Waits for a person's approval, which may never come. */
const APPROVAL = 'waiting';

export type Standing =
  | { readonly blocks: false }
  /** `idle`: nothing of it runs, so only the grace counts. */
  | { readonly blocks: true; readonly idle: boolean; readonly doing: string };

const FREE: Standing = { blocks: false };

/** Whether a run can be in our way at all: same branch, and an event that publishes. */
export function isCandidate(run: WorkflowRun, me: { id: number; branch: string | null }): boolean {
  return (
    run.id < me.id &&
    run.status !== OVER &&
    run.branch === me.branch &&
    // Runs of pull requests never move a tag, whatever their branch is called.
    !run.event.startsWith('pull_request')
  );
}

/**
 * Where an earlier run stands, from what GitHub tells of it.
 *
 * @param run undefined: deleted.
 * @param jobs all jobs of all its attempts.
 * @param publishes whether a job of that name is the publishing one; undefined: that isn't known, so
 *   the whole run is waited for.
 */
export function standing(
  run: WorkflowRun | undefined,
  jobs: readonly WorkflowJob[],
  publishes: ((name: string) => boolean) | undefined,
): Standing {
  if (run === undefined || run.status === OVER) return FREE;
  const latest = latestJobs(jobs);
  const mine = publishes === undefined ? [] : latest.filter((job) => publishes(job.name));
  if (mine.length > 0) {
    const open = mine.filter((job) => job.status !== OVER);
    if (open.length === 0) return FREE;
    if (open.some((job) => job.status === RUNNING)) {
      return { blocks: true, idle: false, doing: 'building or publishing' };
    }
    if (open.every((job) => job.status === APPROVAL)) return FREE;
  }
  // A job whose `needs` aren't met may not be listed: absent means "not finished".
  const running = latest.filter((job) => job.status === RUNNING);
  const first = running[0];
  if (first !== undefined) return { blocks: true, idle: false, doing: `still at "${first.name}"` };
  if (run.status === APPROVAL) return FREE;
  return { blocks: true, idle: true, doing: `not started (${run.status})` };
}

/** Of each name the jobs of its highest attempt: a re-run of failed jobs lists only those anew. */
export function latestJobs(jobs: readonly WorkflowJob[]): readonly WorkflowJob[] {
  const highest = new Map<string, number>();
  for (const job of jobs) {
    highest.set(job.name, Math.max(job.runAttempt, highest.get(job.name) ?? 0));
  }
  return jobs.filter((job) => job.runAttempt === highest.get(job.name));
}

/**
 * Whether GitHub's name of a job is the job `wanted`: the same, a leg of its matrix (`ship (a, b)`),
 * or that of a called workflow (`caller / ship`). GitHub cuts long names and ends them with `...`.
 */
export function isJobNamed(name: string, wanted: string): boolean {
  const cut = /^(.*?)(?:\.\.\.|…)$/.exec(name)?.[1];
  const forms = [
    name,
    ...name
      .split(' / ')
      .slice(1)
      .map((_, at) =>
        name
          .split(' / ')
          .slice(at + 1)
          .join(' / '),
      ),
  ];
  for (const form of forms) {
    if (form === wanted) return true;
    if (form.startsWith(`${wanted} (`) && (form.endsWith(')') || cut !== undefined)) return true;
  }
  return cut !== undefined && cut.length >= 60 && wanted.startsWith(cut);
}

/**
 * The display name of this very job, which alone can be compared with names in other runs; the
 * runner's variables tell only its key. Undefined: it can't be told.
 */
export function ownJobName(
  jobs: readonly WorkflowJob[],
  me: { runAttempt: number; runnerName: string; job: string },
): string | undefined {
  const live = jobs.filter((job) => job.runAttempt === me.runAttempt && job.status !== OVER);
  const here = live.filter((job) => job.runnerName !== null && job.runnerName === me.runnerName);
  if (here.length === 1) return here[0]?.name;
  const named = (here.length > 0 ? here : live).filter((job) => isJobNamed(job.name, me.job));
  return named.length === 1 ? named[0]?.name : undefined;
}
