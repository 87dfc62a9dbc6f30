import type { Ecr } from '../systems/ecr.ts';
import type { Metrics } from '../systems/cloudwatch.ts';
import type { Lambda } from '../systems/lambda.ts';
import type { Log } from '../systems/runner.ts';
import type { Clock } from '../wait.ts';
import type { Guard } from './plan.ts';

/** What every part of a deployment works with. */
export interface Deployment {
  readonly lambda: Lambda;
  /** Absent: a canary watches the smoke invocation alone. */
  readonly metrics: Metrics | undefined;
  /** Absent: the image is trusted to be in its repository. */
  readonly ecr: Pick<Ecr, 'manifest'> | undefined;
  readonly guard: Guard;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** ms, for each wait. */
  readonly timeout: number;
}

/** How often a write is tried again from a fresh read when somebody else was faster. */
export const rounds = 10;
