import { ActionError, asError, Problems } from '../errors.ts';
import type { FunctionTarget } from '../inputs/inputs.ts';
import type { Lambda } from '../systems/lambda.ts';
import { explainLambda, explainState, type Situation } from './errors.ts';
import type { FunctionPlan } from './plan.ts';
import { digestOf, parseFunctionReference } from './reference.ts';

export interface PreflightRequest {
  readonly targets: readonly FunctionTarget[];
  readonly region: string;
  /** Account of the credentials. */
  readonly account: string;
  readonly lambda: Lambda;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks at all functions at the same time, before anything changes.
 *
 * A function that is Failed, Inactive or being updated is no problem here: the update cures it, or
 * waits.
 *
 * @throws ActionError or Problems with everything that is wrong with any of them.
 */
export async function preflight(request: PreflightRequest): Promise<FunctionPlan[]> {
  const looks = await Promise.allSettled(
    request.targets.map(async (target) => inspect(target, request)),
  );
  request.signal?.throwIfAborted();
  const problems = looks.flatMap((look) =>
    look.status === 'rejected' ? [asError(look.reason)] : [],
  );
  throwAll(`${problems.length} functions can't be deployed to; nothing was changed.`, problems);
  return looks.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []));
}

/** Throws one problem as it is, several as Problems; none: nothing. */
export function throwAll(message: string, problems: readonly Error[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  throw others.length === 0 ? first : new Problems(message, problems);
}

async function inspect(target: FunctionTarget, request: PreflightRequest): Promise<FunctionPlan> {
  const { lambda, region, account } = request;
  const label = labelOf(target);
  const reference = parseFunctionReference(target.name);
  if (reference === undefined) {
    throw new ActionError(`lambda-functions: "${target.name}" is no function's name or ARN.`, {
      hint: 'Write `app`, `app:live`, `123456789012:function:app:live` or `arn:aws:lambda:eu-west-1:123456789012:function:app:live`.',
    });
  }
  if (reference.region !== undefined && reference.region !== region) {
    throw new ActionError(
      `${label}: the function's ARN is of Region ${reference.region}, this run works in ${region}. An image must be in a repository of the function's own Region.`,
      { hint: `Set \`aws-region: ${reference.region}\` and push there, in a step of its own.` },
    );
  }
  const at: Situation = {
    action: 'GetFunction',
    label,
    region,
    account,
    functionAccount: reference.account,
  };
  const view = await lambda.getFunction(target.name).catch((error: unknown) => {
    throw explainLambda(error, at);
  });
  if (view.packageType !== 'Image') {
    throw new ActionError(
      `${label}: the function is of package type ${view.packageType}, not Image. The package type is fixed when a function is created.`,
      {
        hint: 'Create a new function with package type Image and move its triggers, or take this one out of `lambda-functions`.',
      },
    );
  }
  if (view.state === 'Deleting') throw explainState('state', view, at);
  const { alias, aliasImage } = await inspectAlias(target, lambda, { ...at, view });
  return {
    target,
    label,
    name: target.name,
    view,
    digest: digestOf(view.resolvedImageUri),
    alias,
    aliasImage,
  };
}

async function inspectAlias(
  { name, alias }: FunctionTarget,
  lambda: Lambda,
  at: Situation,
): Promise<Pick<FunctionPlan, 'alias' | 'aliasImage'>> {
  if (alias === undefined) return { alias: undefined, aliasImage: undefined };
  const found = await lambda.getAlias(name, alias).catch((error: unknown) => {
    throw explainLambda(error, { ...at, action: 'GetAlias' });
  });
  if (found === undefined) return { alias: undefined, aliasImage: undefined };
  const version = await lambda.getFunction(name, found.version).catch((error: unknown) => {
    throw explainLambda(error, at);
  });
  return { alias: found, aliasImage: version.resolvedImageUri };
}

/** `name` or `name:alias`, without the ARN around it. */
export function labelOf({ name, alias }: FunctionTarget): string {
  const bare = parseFunctionReference(name)?.name ?? name;
  return alias === undefined ? bare : `${bare}:${alias}`;
}
