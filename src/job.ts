import type { RunContext } from './context.ts';
import type { Inputs } from './inputs/inputs.ts';
import type { StateStore } from './state.ts';
import type { Run } from './systems/process.ts';
import type { Log, Runner } from './systems/runner.ts';
import type { Timeline } from './timeline.ts';
import type { Clock } from './wait.ts';

/** What every step may need: what was asked, where we run, and the connections to the machine. */
export interface Job {
  readonly inputs: Inputs;
  readonly context: RunContext;
  /** The process's environment, for children; read by main alone. */
  readonly env: NodeJS.ProcessEnv;
  readonly runner: Runner;
  readonly log: Log;
  readonly run: Run;
  readonly clock: Clock;
  readonly timeline: Timeline;
  readonly store: StateStore;
  /** Private folder (0700) of this run; post removes it. */
  readonly folder: string;
  /** Aborted by a cancel of the run. */
  readonly signal: AbortSignal;
}

/** The same job with a signal that a failure of another step aborts as well. */
export function withSignal(job: Job, signal: AbortSignal): Job {
  return { ...job, signal };
}
