import { ActionError } from '../errors.ts';
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
    const { label, name, view } = goal.plan;
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
      if (watching && d.metrics !== undefined) {
        const errors = await d.metrics.errors({
          functionName: view.name,
          alias,
          version,
          since: started,
          until: d.clock.now(),
        });
        if (errors === 'forbidden') {
          watching = false;
          d.log.notice(
            `${label}: the canary goes on without CloudWatch: this run may not call cloudwatch:GetMetricStatistics.`,
          );
        } else if (errors > 0) {
          throw new ActionError(
            `${label}: version ${version} had ${errors} error(s) while it got ${share} % of the traffic (CloudWatch metric Errors). Found: image ${goal.imageUri}.`,
            { hint: "Look at the function's log for this version." },
          );
        }
      }
      if (payload !== undefined) await smoke(d, goal, version, payload);
    }
    return now;
  };
}
