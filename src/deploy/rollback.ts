import { ActionError, explain } from '../errors.ts';
import type { FunctionView, Lambda } from '../systems/lambda.ts';
import { settle } from './code.ts';
import type { Deployment } from './context.ts';
import { explainLambda, isConflict, isRevisionMismatch, type Situation } from './errors.ts';
import type { DeployRecord, FunctionRecord } from './record.ts';
import { digestOf, sameImage, shortDigest } from './reference.ts';

const tries = 5;

/**
 * Undoes what a deployment has changed: aliases first, then `$LATEST`'s code. Only what still is as
 * this run left it is touched: somebody who deployed since keeps their deployment.
 *
 * @returns what was undone and what could not be, one line each. Never throws for a function's sake.
 */
export async function rollBack(d: Deployment, record: DeployRecord): Promise<readonly string[]> {
  const lines = await Promise.all(
    record.functions
      .filter(({ superseded }) => !superseded)
      .map(async (fn) => {
        const told: string[] = [];
        for (const undo of [restoreAlias, restoreCode]) {
          try {
            const line = await undo(d, fn);
            if (line !== undefined) told.push(line);
          } catch (error) {
            d.signal?.throwIfAborted();
            told.push(`${fn.label}: could not be taken back. ${explain(error)}`);
          }
        }
        return told;
      }),
  );
  for (const line of lines.flat()) d.log.info(line);
  return lines.flat();
}

/** Takes an alias back to what it was. */
export async function restoreAlias(d: Deployment, fn: FunctionRecord): Promise<string | undefined> {
  const { alias, aliasBefore: before, version, label, name } = fn;
  if (alias === undefined || before === undefined || version === undefined) return undefined;
  if (before === 'none') {
    return `${label}: the alias was created by this run and stays at version ${version}; there was none before.`;
  }
  for (let round = 1; ; round += 1) {
    const now = await d.lambda.getAlias(name, alias);
    if (now === undefined || (now.version !== version && !Object.hasOwn(now.weights, version))) {
      return now?.version === before.version
        ? undefined
        : `${label}: the alias was moved by somebody else since; left at version ${now?.version ?? 'none'}.`;
    }
    if (before.version === version) return undefined;
    try {
      await d.lambda.updateAlias(name, alias, {
        version: before.version,
        weights: before.weights,
        revisionId: now.revisionId,
        description: before.description,
      });
      return `${label}: alias taken back to version ${before.version}`;
    } catch (error) {
      if (round >= tries || (!isRevisionMismatch(error) && !isConflict(error))) {
        throw explainLambda(error, { action: 'UpdateAlias', label });
      }
    }
  }
}

async function restoreCode(d: Deployment, fn: FunctionRecord): Promise<string | undefined> {
  const { codeBefore, imageUri, label, name, architecture } = fn;
  if (codeBefore === undefined || sameImage(codeBefore, imageUri)) return undefined;
  const at: Situation = {
    action: 'UpdateFunctionCode',
    label,
    imageUri: codeBefore,
    imageArchitecture: undefined,
  };
  const old = shortDigest(digestOf(codeBefore));
  for (let round = 1; ; round += 1) {
    const view = await settle(d, name, at, 'ours');
    if (sameImage(view.resolvedImageUri, codeBefore)) return undefined;
    if (!sameImage(view.resolvedImageUri, imageUri)) {
      return `${label}: $LATEST was deployed by somebody else since; left at ${shortDigest(digestOf(view.resolvedImageUri))}.`;
    }
    const change = { imageUri: codeBefore, architecture, revisionId: view.revisionId };
    try {
      // The old image may be gone: AWS tells without touching the function.
      await d.lambda.updateCode(name, { ...change, dryRun: true });
      await d.lambda.updateCode(name, { ...change, dryRun: false });
    } catch (error) {
      if (round >= tries || (!isRevisionMismatch(error) && !isConflict(error))) {
        const why = explainLambda(error, { ...at, view });
        throw new ActionError(
          `$LATEST stays at ${shortDigest(digestOf(imageUri))}: ${why.message}`,
          {
            cause: error,
            hint: why instanceof ActionError ? why.hint : undefined,
          },
        );
      }
      await d.clock.sleep(1000, d.signal);
      continue;
    }
    const settled = await settle(d, name, at, 'ours');
    return settled.lastUpdateStatus === 'Failed'
      ? `${label}: taking $LATEST back to ${old} failed (${settled.lastUpdateStatusReasonCode ?? 'no reason'})`
      : `${label}: $LATEST taken back to ${old}`;
  }
}

/** What each function of a record runs at this moment, one line each, read afresh. */
export async function whatRuns(
  lambda: Lambda,
  functions: readonly Pick<FunctionRecord, 'name' | 'label' | 'alias'>[],
): Promise<readonly string[]> {
  return Promise.all(
    functions.map(async ({ name, label, alias }) => {
      try {
        const latest = await lambda.getFunction(name);
        const code = `$LATEST runs ${described(latest)}`;
        if (alias === undefined) return `${label}: ${code}`;
        const found = await lambda.getAlias(name, alias);
        if (found === undefined) return `${label}: there is no alias ${alias}; ${code}`;
        const version = await lambda.getFunction(name, found.version);
        const weights = Object.entries(found.weights).map(
          ([other, weight]) => `, ${Math.round(weight * 100)} % to version ${other}`,
        );
        return `${label}: serves version ${found.version} (${shortDigest(digestOf(version.resolvedImageUri))})${weights.join('')}; ${code}`;
      } catch (error) {
        const why = explainLambda(error, { action: 'GetFunction', label });
        return `${label}: what it runs can't be read. ${why.message}`;
      }
    }),
  );
}

function described(view: FunctionView): string {
  const status = view.lastUpdateStatus === 'Successful' ? '' : `, update ${view.lastUpdateStatus}`;
  return `${shortDigest(digestOf(view.resolvedImageUri))} (${view.state}${status})`;
}
