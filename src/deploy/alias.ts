import { ActionError } from '../errors.ts';
import type { AliasView } from '../systems/lambda.ts';
import { poll } from '../wait.ts';
import { again, situationOf, tooMany } from './code.ts';
import { rounds, type Deployment } from './context.ts';
import { explainLambda, type Situation } from './errors.ts';
import type { Goal } from './plan.ts';
import { digestOf, sameImage } from './reference.ts';

export type Flipped =
  | { readonly kind: 'moved'; readonly from: string | undefined }
  | { readonly kind: 'superseded'; readonly by: string };

/** Shifts traffic step by step; undefined: at once. */
export type Shift = (before: AliasView) => Promise<AliasView | 'changed'>;

/**
 * Moves an alias to `version`, or creates it; guarded by the order and by the alias's own revision,
 * and read back.
 *
 * @param moving called just before each change with what the alias was (undefined: not there).
 */
export async function flip(
  d: Deployment,
  goal: Goal,
  alias: string,
  version: string,
  moving: (before: AliasView | undefined) => void,
  shift?: Shift,
): Promise<Flipped> {
  const { name } = goal.plan;
  const at = situationOf(goal, 'UpdateAlias');
  let from: string | undefined;
  for (let round = 1; ; round += 1) {
    const before = await read(d, name, alias, at);
    try {
      if (before === undefined) {
        moving(undefined);
        await d.lambda.createAlias(name, alias, version, '');
        d.log.info(`${at.label}: alias created at version ${version}`);
      } else {
        if (before.version === version && Object.keys(before.weights).length === 0) {
          return { kind: 'moved', from: from ?? before.version };
        }
        const by = await newer(d, goal, before, at);
        if (by !== undefined) return { kind: 'superseded', by };
        from ??= before.version;
        moving(before);
        const now = before.version === version ? before : ((await shift?.(before)) ?? before);
        if (now === 'changed') {
          if (round >= rounds) throw tooMany(at);
          continue;
        }
        await d.lambda.updateAlias(name, alias, {
          version,
          weights: {},
          revisionId: now.revisionId,
          description: now.description,
        });
        d.log.info(`${at.label}: alias moved from version ${before.version} to ${version}`);
      }
    } catch (error) {
      await again(
        d,
        error,
        { ...at, action: before === undefined ? 'CreateAlias' : 'UpdateAlias' },
        round,
      );
      continue;
    }
    if (await verified(d, name, alias, version, at)) return { kind: 'moved', from };
    if (round >= rounds) throw tooMany(at);
  }
}

/** By whom this run is superseded, judged by what the alias runs now. */
async function newer(
  d: Deployment,
  goal: Goal,
  before: AliasView,
  at: Situation,
): Promise<string | undefined> {
  const running = await d.lambda
    .getFunction(goal.plan.name, before.version)
    .catch((error: unknown) => {
      throw explainLambda(error, { ...at, action: 'GetFunction' });
    });
  if (sameImage(running.resolvedImageUri, goal.imageUri)) return undefined;
  const verdict = await d.guard(digestOf(running.resolvedImageUri), goal);
  return verdict === 'go' ? undefined : verdict.supersededBy;
}

export async function read(
  d: Deployment,
  name: string,
  alias: string,
  at: Situation,
): Promise<AliasView | undefined> {
  return d.lambda.getAlias(name, alias).catch((error: unknown) => {
    throw explainLambda(error, { ...at, action: 'GetAlias' });
  });
}

/**
 * Reads the alias back. With provisioned concurrency AWS itself puts weights on the alias while it
 * moves the capacity, so weights that are there at first are waited for.
 *
 * @returns false when somebody moved it on.
 */
async function verified(
  d: Deployment,
  name: string,
  alias: string,
  version: string,
  at: Situation,
): Promise<boolean> {
  try {
    return await poll(
      async (looks) => {
        const now = await read(d, name, alias, at);
        if (now?.version !== version) return false;
        if (Object.keys(now.weights).length === 0) return true;
        if (looks === 1) {
          d.log.info(`${at.label}: AWS is still moving provisioned concurrency to ${version}.`);
        }
        return undefined;
      },
      {
        what: `alias ${at.label} to be at version ${version} alone`,
        interval: 1000,
        longestInterval: 5000,
        timeout: d.timeout,
        signal: d.signal,
        clock: d.clock,
      },
    );
  } catch (error) {
    if (!(error instanceof ActionError) || !error.message.startsWith('Waited')) throw error;
    // The alias is at the version; AWS finishes the rest without us.
    d.log.warning(
      `${error.message} It points at version ${version}; AWS is still shifting traffic.`,
    );
    return true;
  }
}
