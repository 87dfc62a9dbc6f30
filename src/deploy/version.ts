import type { FunctionView } from '../systems/lambda.ts';
import { poll } from '../wait.ts';
import { again, bringCode, isLive, situationOf, settle, tooMany } from './code.ts';
import { rounds, type Deployment } from './context.ts';
import { explainLambda, explainState, isThrottled, type Situation } from './errors.ts';
import type { Goal } from './plan.ts';
import { sameImage } from './reference.ts';

export type Published =
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'superseded'; readonly by: string };

/**
 * Publishes a version of the goal's image and waits until it is Active. AWS answers the existing
 * version when nothing changed since. `CodeSha256` and `RevisionId` hold the code that was checked:
 * when somebody deployed in between, the image is brought back first (if the order guard allows).
 */
export async function publish(
  d: Deployment,
  goal: Goal,
  changing: (view: FunctionView) => void,
): Promise<Published> {
  const at = situationOf(goal, 'PublishVersion');
  for (let round = 1; ; round += 1) {
    let view = await settle(d, goal.plan.name, at, 'somebody else');
    if (!isLive(view, goal.imageUri)) {
      const brought = await bringCode(d, goal, changing);
      if (brought.kind === 'superseded') return brought;
      ({ view } = brought);
    }
    let published: FunctionView;
    try {
      published = await d.lambda.publishVersion(goal.plan.name, {
        codeSha256: view.codeSha256,
        revisionId: view.revisionId,
        description: goal.imageUri.slice(0, 256),
      });
    } catch (error) {
      await again(d, error, { ...at, view }, round);
      continue;
    }
    const ready = await waitActive(d, goal, published.version, at);
    if (sameImage(ready.resolvedImageUri, goal.imageUri)) {
      return { kind: 'version', version: published.version };
    }
    if (round >= rounds) throw tooMany(at);
  }
}

/** New versions may stay Pending for a while (SnapStart, large images), and can't be invoked then. */
async function waitActive(
  d: Deployment,
  goal: Goal,
  version: string,
  at: Situation,
): Promise<FunctionView> {
  return poll(
    async () => {
      let view: FunctionView;
      try {
        view = await d.lambda.getFunction(goal.plan.name, version);
      } catch (error) {
        if (isThrottled(error)) return undefined;
        throw explainLambda(error, { ...at, action: 'GetFunction' });
      }
      if (view.state === 'Failed') throw explainState('state', view, at);
      return view.state === 'Pending' ? undefined : view;
    },
    {
      what: `version ${version} of ${at.label} to become Active`,
      interval: 1000,
      longestInterval: 5000,
      timeout: d.timeout,
      hint: 'Raise `lambda-timeout`, or look at the version in the Lambda console.',
      signal: d.signal,
      clock: d.clock,
    },
  );
}
