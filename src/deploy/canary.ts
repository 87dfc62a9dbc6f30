import { ActionError, asError } from '../errors.ts';
import type { AliasView } from '../systems/lambda.ts';
import { duration } from '../wait.ts';
import { situationOf } from './code.ts';
import type { Deployment } from './context.ts';
import { explainLambda, isRevisionMismatch } from './errors.ts';
import type { Shift } from './alias.ts';
import type { Goal } from './plan.ts';
import { smoke } from './smoke.ts';

export interface Canary {
  readonly percent: number;
  /** ms */
  readonly stepMs: number;
}

/**
 * Shares of traffic of a canary, in percent, before the alias is moved as a whole: each step adds
 * `percent`. `25` gives 25, 50, 75.
 */
export function canarySteps(percent: number): readonly number[] {
  const steps: number[] = [];
  for (let share = percent; share > 0 && share < 100; share += percent) steps.push(share);
  return steps;
}

/**
 * Shifts an alias's traffic to `version` in steps. After each step's time the function's `Errors`
 * metric (when it may be read) and the smoke invocation (when there is one) decide whether to go on.
 *
 * @throws ActionError when errors were seen; the caller takes the alias back.
 */
export function canary(
  d: Deployment,
  goal: Goal,
  alias: string,
  version: string,
  { percent, stepMs }: Canary,
  payload: string | undefined,
): Shift {
  return async (before) => {
    const { label, name } = goal.plan;
    if (before.version === '$LATEST') {
      d.log.notice(
        `${label}: the alias points at $LATEST, which can't share traffic; it is moved at once, without canary.`,
      );
      return before;
    }
    let now: AliasView = before;
    const started = d.clock.now();
    let watching = d.metrics !== undefined;
    for (const share of canarySteps(percent)) {
      try {
        now = await d.lambda.updateAlias(name, alias, {
          version: before.version,
          weights: { [version]: share / 100 },
          revisionId: now.revisionId,
          description: now.description,
        });
      } catch (error) {
        if (isRevisionMismatch(error)) {
          d.log.info(`${label}: the alias was changed from outside during the canary.`);
          return 'changed';
        }
        throw explainLambda(error, situationOf(goal, 'UpdateAlias'));
      }
      d.log.info(
        `${label}: version ${version} gets ${share} % of the traffic for ${duration(stepMs)}`,
      );
      await d.clock.sleep(stepMs, d.signal);
      const errors = watching ? await seen(d, goal, alias, version, started) : 0;
      if (errors === 'unknown') watching = false;
      else if (errors > 0) {
        throw new ActionError(
          `${label}: version ${version} had ${errors} error(s) while it got ${share} % of the traffic (CloudWatch metric Errors). Found: image ${goal.imageUri}.`,
          { hint: "Look at the function's log for this version." },
        );
      }
      if (payload !== undefined) await smoke(d, goal, version, payload);
    }
    return now;
  };
}

/** Errors CloudWatch knows of. Watching is a bonus: where it is impossible the canary goes on without. */
async function seen(
  d: Deployment,
  { plan }: Goal,
  alias: string,
  version: string,
  since: number,
): Promise<number | 'unknown'> {
  if (d.metrics === undefined) return 'unknown';
  const without = (why: string): 'unknown' => {
    d.log.notice(`${plan.label}: the canary goes on without CloudWatch's error counts: ${why}`);
    return 'unknown';
  };
  try {
    const errors = await d.metrics.errors({
      functionName: plan.view.name,
      alias,
      version,
      since,
      until: d.clock.now(),
    });
    return errors === 'forbidden'
      ? without('this run may not call cloudwatch:GetMetricStatistics.')
      : errors;
  } catch (error) {
    d.signal?.throwIfAborted();
    return without(asError(error).message);
  }
}
