import { ActionError } from '../errors.ts';
import type { FunctionView } from '../systems/lambda.ts';
import { duration, poll } from '../wait.ts';
import { rounds, type Deployment } from './context.ts';
import {
  explainLambda,
  explainState,
  isConflict,
  isMissingImage,
  isRevisionMismatch,
  isThrottled,
  type Situation,
} from './errors.ts';
import type { Goal } from './plan.ts';
import { digestOf, sameImage, shortDigest } from './reference.ts';

/** What the code phase did to a function's `$LATEST`. */
export type Brought =
  | { readonly kind: 'there'; readonly view: FunctionView; readonly changed: boolean }
  | { readonly kind: 'superseded'; readonly by: string };

export function situationOf(goal: Goal, action: string, view?: FunctionView): Situation {
  const { plan, child, imageUri } = goal;
  return {
    action,
    label: plan.label,
    region: plan.view.arn.split(':')[3],
    view: view ?? plan.view,
    imageUri,
    mediaType: child.mediaType,
    imageArchitecture: child.architecture,
  };
}

/** Whether `$LATEST` runs the goal's image and its last update went well. */
export function isLive(view: FunctionView, imageUri: string): boolean {
  return (
    sameImage(view.resolvedImageUri, imageUri) &&
    view.lastUpdateStatus === 'Successful' &&
    view.state !== 'Failed'
  );
}

/**
 * Waits until no update of the function is under way. Never asks for more: a function in Failed or
 * Inactive is cured by an update. A refusal (403, 404) ends it at once, which AWS's own waiters
 * don't do.
 */
export async function settle(
  d: Deployment,
  name: string,
  at: Situation,
  whose: 'ours' | 'somebody else',
): Promise<FunctionView> {
  return poll(
    async (looks) => {
      let view: FunctionView;
      try {
        view = await d.lambda.getFunction(name);
      } catch (error) {
        if (isThrottled(error)) return undefined;
        throw explainLambda(error, { ...at, action: 'GetFunction' });
      }
      const busy = view.lastUpdateStatus === 'InProgress' || view.state === 'Pending';
      if (!busy) return view;
      if (looks === 1 && whose === 'somebody else') {
        d.log.info(
          `${at.label}: an update by somebody else is in progress (${view.lastUpdateStatusReason ?? view.stateReason ?? view.state}); waiting up to ${duration(d.timeout)}.`,
        );
      }
      return undefined;
    },
    {
      what: `function ${at.label} to settle (${whose === 'ours' ? 'our update' : 'an update by somebody else'} is in progress)`,
      interval: 1000,
      longestInterval: 5000,
      timeout: d.timeout,
      hint: 'Raise `lambda-timeout`, or see in the Lambda console what holds the update up.',
      signal: d.signal,
      clock: d.clock,
    },
  );
}

/**
 * Asks AWS whether it would take the update (`DryRun`): permissions and the image are checked,
 * nothing changes.
 */
export async function tryUpdate(d: Deployment, goal: Goal): Promise<void> {
  for (let round = 1; ; round += 1) {
    const at = situationOf(goal, 'UpdateFunctionCode');
    const view = await settle(d, goal.plan.name, at, 'somebody else');
    try {
      await update(d, goal, view, true);
      return;
    } catch (error) {
      await again(d, error, { ...at, view }, round);
    }
  }
}

/**
 * Brings the goal's image to `$LATEST`: waits for updates of others, asks the order guard, updates by
 * digest with the revision that was read (a real compare-and-set), and starts again from a fresh read
 * when somebody was faster.
 *
 * @param changing called just before each update, with what it replaces.
 */
export async function bringCode(
  d: Deployment,
  goal: Goal,
  changing: (view: FunctionView) => void,
): Promise<Brought> {
  let changed = false;
  for (let round = 1; ; round += 1) {
    const at = situationOf(goal, 'UpdateFunctionCode');
    const view = await settle(d, goal.plan.name, at, 'somebody else');
    if (isLive(view, goal.imageUri)) return { kind: 'there', view, changed };
    const verdict = await d.guard(digestOf(view.resolvedImageUri), goal);
    if (verdict !== 'go') return { kind: 'superseded', by: verdict.supersededBy };
    changing(view);
    try {
      await update(d, goal, view, false);
    } catch (error) {
      await again(d, error, { ...at, view }, round);
      continue;
    }
    changed = true;
    d.log.info(
      `${at.label}: updating ${shortDigest(digestOf(view.resolvedImageUri))} → ${shortDigest(goal.child.digest)}`,
    );
    const settled = await settle(d, goal.plan.name, at, 'ours');
    if (isLive(settled, goal.imageUri)) return { kind: 'there', view: settled, changed };
    if (sameImage(settled.resolvedImageUri, goal.imageUri)) {
      throw settled.lastUpdateStatus === 'Failed'
        ? explainState('update', settled, at)
        : explainState('state', settled, at);
    }
    if (round >= rounds) throw tooMany(at);
    d.log.info(`${at.label}: somebody else deployed in between; looking again.`);
  }
}

async function update(
  d: Deployment,
  goal: Goal,
  view: FunctionView,
  dryRun: boolean,
): Promise<void> {
  const until = d.clock.now() + readAfterPush;
  for (;;) {
    try {
      await d.lambda.updateCode(goal.plan.name, {
        imageUri: goal.imageUri,
        architecture: view.architecture,
        revisionId: view.revisionId,
        dryRun,
      });
      return;
    } catch (error) {
      if (!isMissingImage(error) || d.clock.now() >= until || !(await isPushed(d, goal))) {
        throw error;
      }
      d.log.info(`${goal.plan.label}: Lambda doesn't see the pushed image yet; waiting for it.`);
      await d.clock.sleep(2000, d.signal);
    }
  }
}

/** Lambda may see a push some seconds late (read-after-push). */
const readAfterPush = 30_000;

async function isPushed(d: Deployment, goal: Goal): Promise<boolean> {
  if (d.ecr === undefined) return true;
  const name = goal.imageUri.slice(goal.imageUri.indexOf('/') + 1).split('@')[0] ?? '';
  return (await d.ecr.manifest(name, goal.child.digest)) !== undefined;
}

/**
 * After a refused write: returns when a fresh read may help (somebody was faster, an update is under
 * way), else throws the explained error.
 */
export async function again(
  d: Deployment,
  error: unknown,
  at: Situation,
  round: number,
): Promise<void> {
  const mismatch = isRevisionMismatch(error);
  const conflict = isConflict(error);
  if (round >= rounds || (!mismatch && !conflict)) throw explainLambda(error, at);
  d.log.info(
    `${at.label}: ${mismatch ? 'the function changed since it was read' : 'another operation is in progress'}; looking again.`,
  );
  await d.clock.sleep(1000, d.signal);
}

export function tooMany(at: Situation): ActionError {
  return new ActionError(
    `${at.label}: tried ${rounds} times, and each time somebody else changed the function in between.`,
    { hint: 'Let one workflow alone deploy to this function, then run again.' },
  );
}
