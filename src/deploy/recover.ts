import type { Lambda } from '../systems/lambda.ts';
import type { Log } from '../systems/runner.ts';
import { explain } from '../errors.ts';
import type { Clock } from '../wait.ts';
import { again } from './code.ts';
import type { Deployment } from './context.ts';
import type { Guard } from './plan.ts';
import type { DeployRecord, FunctionRecord } from './record.ts';
import { digestOf, sameImage } from './reference.ts';
import { rollBack, whatRuns } from './rollback.ts';

export interface RecoverRequest {
  readonly lambda: Lambda;
  readonly log: Log;
  readonly clock: Clock;
  /** Should end it after a minute or two: a runner gives little time after a cancel. */
  readonly signal?: AbortSignal | undefined;
  /** ms for each wait. Default 60,000. */
  readonly timeout?: number;
  /** Absent: judged by whether anybody deployed since. */
  readonly guard?: Guard | undefined;
}

export interface Recovery {
  readonly result: 'nothing to do' | 'finished' | 'rolled back' | 'left';
  /** What each function runs now. */
  readonly running: readonly string[];
}

/**
 * Repairs a deployment that was cut off (a cancelled run): when the aliases were being moved, all
 * checks had passed and the move is finished; earlier, or within a canary, what was changed is taken
 * back. With `lambda-rollback: false` it is left. Either way the log says what runs where.
 */
export async function recoverDeploy(
  record: DeployRecord,
  request: RecoverRequest,
): Promise<Recovery> {
  const touched = record.functions.some(
    ({ codeBefore, aliasBefore }) => codeBefore !== undefined || aliasBefore !== undefined,
  );
  if (record.stage === 'done' || !touched) return { result: 'nothing to do', running: [] };
  const d: Deployment = {
    lambda: request.lambda,
    log: request.log,
    clock: request.clock,
    signal: request.signal,
    timeout: request.timeout ?? 60_000,
    guard: request.guard ?? (() => Promise.resolve('go')),
    metrics: undefined,
    ecr: undefined,
  };
  const result = await repair(d, record);
  const running = await whatRuns(d.lambda, record.functions);
  d.log.notice(
    `The deployment to Lambda was cut off while ${stages[record.stage]}; ${outcomes[result]}. What runs now:\n${running.join('\n')}`,
  );
  return { result, running };
}

const stages: Record<DeployRecord['stage'], string> = {
  code: 'the code was updated',
  publish: 'versions were published',
  smoke: 'smoke invocations ran',
  flip: 'aliases were moved',
  done: 'it was done',
};
const outcomes: Record<Recovery['result'], string> = {
  'nothing to do': 'nothing had changed',
  finished: 'it was finished',
  'rolled back': 'what had changed was taken back as far as possible',
  left: 'it was left as it was (`lambda-rollback: false`)',
};

async function repair(d: Deployment, record: DeployRecord): Promise<Recovery['result']> {
  if (record.stage === 'flip' && !record.functions.some(({ canary }) => canary)) {
    await Promise.all(
      record.functions.map(async (fn) => {
        try {
          await finishFlip(d, fn);
        } catch (error) {
          d.signal?.throwIfAborted();
          d.log.warning(`${fn.label}: moving the alias could not be finished. ${explain(error)}`);
        }
      }),
    );
    return 'finished';
  }
  if (!record.rollback) return 'left';
  await rollBack(d, record);
  return 'rolled back';
}

/** Moves one alias, unless somebody else deployed since: then it is theirs. */
async function finishFlip(d: Deployment, fn: FunctionRecord): Promise<void> {
  const { name, alias, version, label, imageUri } = fn;
  if (alias === undefined || version === undefined || fn.superseded) return;
  const at = { action: 'UpdateAlias', label, imageUri };
  for (let round = 1; ; round += 1) {
    const now = await d.lambda.getAlias(name, alias);
    if (now?.version === version && Object.keys(now.weights).length === 0) return;
    const latest = await d.lambda.getFunction(name);
    const running = now === undefined ? undefined : await d.lambda.getFunction(name, now.version);
    const goal = { plan: { view: latest }, child: { digest: digestOf(imageUri) ?? '' } };
    if (
      !sameImage(latest.resolvedImageUri, imageUri) ||
      (await d.guard(digestOf(running?.resolvedImageUri), goal)) !== 'go'
    ) {
      d.log.info(`${label}: somebody newer deployed since; the alias is left to them.`);
      return;
    }
    try {
      if (now === undefined) await d.lambda.createAlias(name, alias, version, '');
      else {
        await d.lambda.updateAlias(name, alias, {
          version,
          weights: {},
          revisionId: now.revisionId,
          description: now.description,
        });
      }
      d.log.info(`${label}: alias moved to version ${version}`);
      return;
    } catch (error) {
      await again(d, error, at, round);
    }
  }
}
