import { ActionError, asError, Problems } from '../errors.ts';
import type { PushedImage } from '../image/plan.ts';
import type { LambdaInputs } from '../inputs/inputs.ts';
import type { Metrics } from '../systems/cloudwatch.ts';
import type { Ecr } from '../systems/ecr.ts';
import type { Lambda } from '../systems/lambda.ts';
import type { Log } from '../systems/runner.ts';
import type { Clock } from '../wait.ts';
import { flip } from '../deploy/alias.ts';
import { canary } from '../deploy/canary.ts';
import { bringCode, isLive, tryUpdate } from '../deploy/code.ts';
import type { Deployment } from '../deploy/context.ts';
import { checkImage } from '../deploy/image-check.ts';
import { lifecycleThreat } from '../deploy/lifecycle.ts';
import type { DeployReport, DeployRow, FunctionPlan, Goal, Guard } from '../deploy/plan.ts';
import { throwAll } from '../deploy/preflight.ts';
import { createRecorder, type DeployRecord, type Recorder, type Stage } from '../deploy/record.ts';
import { digestOf, sameImage, shortDigest } from '../deploy/reference.ts';
import { rollBack, whatRuns } from '../deploy/rollback.ts';
import { smoke } from '../deploy/smoke.ts';
import { publish } from '../deploy/version.ts';

export { preflight } from '../deploy/preflight.ts';
export { recoverDeploy } from '../deploy/recover.ts';
export { readDeployRecord, type DeployRecord } from '../deploy/record.ts';
export type { DeployReport, DeployRow, FunctionPlan } from '../deploy/plan.ts';

export interface DeployRequest {
  readonly plans: readonly FunctionPlan[];
  readonly image: PushedImage;
  readonly inputs: LambdaInputs;
  /** Up to and including AWS's DryRun; nothing changes. */
  readonly dryRun: boolean;
  /** That was had a moment ago: its DryRun and warnings are not repeated. */
  readonly rehearsed?: boolean;
  /** Asked before anything is replaced, with the digest that is deployed. */
  readonly guard: Guard;
  readonly lambda: Lambda;
  /** For canaries. */
  readonly metrics?: Metrics | undefined;
  /** For lifecycle rules and for telling a late read from a missing image. */
  readonly ecr?: Pick<Ecr, 'manifest' | 'tagsOf' | 'lifecyclePolicy'> | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Told what has changed, before each change, for the post step. */
  readonly onRecord: (record: DeployRecord) => void;
}

/** One function on its way through the stages. */
interface Way {
  readonly goal: Goal;
  result: DeployRow['result'];
  supersededBy: string | undefined;
  version: string | undefined;
  aliasTo: string | undefined;
  aliasFrom: string | undefined;
  endedAt: number | undefined;
}

/**
 * Deploys an image to all functions together: dry run, update, publish, smoke, and only when all
 * have passed, the aliases. A failure before that leaves every alias where it was; a failure after
 * takes back what was moved (`lambda-rollback`). The function's configuration is never touched.
 *
 * @throws ActionError or Problems that say what runs where now. An abort passes through at once: the
 * post step repairs by the record.
 */
export async function deploy(request: DeployRequest): Promise<DeployReport> {
  const { plans, image, inputs, log, clock, signal } = request;
  const started = clock.now();
  const { goals, warnings } = checkImage(plans, image);
  const { rehearsed = false } = request;
  for (const warning of rehearsed ? [] : warnings) log.warning(warning);
  const d: Deployment = {
    lambda: request.lambda,
    metrics: request.metrics,
    ecr: request.ecr,
    guard: request.guard,
    log,
    clock,
    signal,
    timeout: inputs.timeout,
  };
  const ways = goals.map((goal): Way => ({
    goal,
    result: isServed(goal) ? 'unchanged' : 'updated',
    supersededBy: undefined,
    version: isServed(goal) ? goal.plan.alias?.version : undefined,
    aliasFrom: goal.plan.alias?.version,
    aliasTo: isServed(goal) ? goal.plan.alias?.version : undefined,
    endedAt: undefined,
  }));
  for (const { goal, result } of ways) {
    if (result === 'unchanged') {
      log.info(`${goal.plan.label}: runs ${shortDigest(goal.child.digest)} already`);
    }
  }
  const pending = ways.filter(({ result }) => result === 'updated');
  if (!rehearsed) {
    const [, refusals] = await Promise.all([
      warnOfLifecycle(request),
      together(
        d,
        pending.filter(({ goal }) => !isLive(goal.plan.view, goal.imageUri)),
        async ({ goal }) => tryUpdate(d, goal),
      ),
    ]);
    throwAll('AWS refused the dry run of several functions; nothing was changed.', refusals);
  }
  if (request.dryRun) {
    for (const way of pending) way.result = 'planned';
    return report(ways, started, clock);
  }

  const recorder = createRecorder(
    goals.filter((goal) => pending.some((way) => way.goal === goal)),
    inputs.rollback,
    request.onRecord,
  );
  for (const stage of stages) {
    const active = pending.filter(({ result }) => result === 'updated');
    if (active.length === 0) break;
    recorder.stage(stage.name);
    const errors = await together(d, active, async (way) => stage.run(d, way, inputs, recorder));
    if (errors.length > 0) throw await fail(d, stage.name, errors, recorder);
    for (const way of active) if (stage.name === 'flip') way.endedAt = clock.now();
  }
  recorder.stage('done');
  return report(ways, started, clock);
}

const stages: readonly {
  name: Stage;
  run: (d: Deployment, way: Way, inputs: LambdaInputs, recorder: Recorder) => Promise<void>;
}[] = [
  {
    name: 'code',
    run: async (d, way, _inputs, recorder) => {
      const { goal } = way;
      const brought = await bringCode(d, goal, (view) => {
        recorder.changing(goal, view);
      });
      if (brought.kind === 'superseded') supersede(d, way, brought.by, recorder);
    },
  },
  {
    name: 'publish',
    run: async (d, way, inputs, recorder) => {
      const { goal } = way;
      // An alias needs a version to point at.
      if (!inputs.publish && goal.plan.target.alias === undefined) return;
      const published = await publish(d, goal, (view) => {
        recorder.changing(goal, view);
      });
      if (published.kind === 'superseded') {
        supersede(d, way, published.by, recorder);
        return;
      }
      way.version = published.version;
      recorder.published(goal, published.version);
      d.log.info(`${goal.plan.label}: version ${published.version} is ready`);
    },
  },
  {
    name: 'smoke',
    run: async (d, way, inputs) => {
      if (inputs.invoke === undefined) return;
      await smoke(d, way.goal, way.version ?? '$LATEST', inputs.invoke);
    },
  },
  {
    name: 'flip',
    run: async (d, way, inputs, recorder) => {
      const { goal, version } = way;
      const { alias, canary: wanted } = goal.plan.target;
      if (alias === undefined || version === undefined) return;
      const flipped = await flip(
        d,
        goal,
        alias,
        version,
        (before) => {
          recorder.moving(goal, before);
        },
        wanted === undefined ? undefined : canary(d, goal, alias, version, wanted, inputs.invoke),
      );
      if (flipped.kind === 'superseded') {
        supersede(d, way, flipped.by, recorder);
        return;
      }
      way.aliasFrom = flipped.from;
      way.aliasTo = version;
    },
  },
];

/** Whether users of a function get the image already: `$LATEST`, and the alias where one is asked for. */
function isServed({ plan, imageUri }: Goal): boolean {
  if (!isLive(plan.view, imageUri)) return false;
  if (plan.target.alias === undefined) return true;
  return (
    plan.alias !== undefined &&
    Object.keys(plan.alias.weights).length === 0 &&
    sameImage(plan.aliasImage, imageUri)
  );
}

function supersede(d: Deployment, way: Way, by: string, recorder: Recorder): void {
  way.result = 'superseded';
  way.supersededBy = by;
  way.endedAt = d.clock.now();
  recorder.superseded(way.goal);
  d.log.notice(`${way.goal.plan.label}: superseded by ${by}; this run leaves it alone.`);
}

/** Does `work` for all at the same time. An abort is thrown; other failures are returned. */
async function together(
  d: Deployment,
  ways: readonly Way[],
  work: (way: Way) => Promise<void>,
): Promise<readonly Error[]> {
  const results = await Promise.allSettled(ways.map(work));
  d.signal?.throwIfAborted();
  return results.flatMap((result) =>
    result.status === 'rejected' ? [asError(result.reason)] : [],
  );
}

async function fail(
  d: Deployment,
  stage: Stage,
  errors: readonly Error[],
  recorder: Recorder,
): Promise<Error> {
  const record = recorder.record();
  const undone = record.rollback ? await rollBack(d, record) : [];
  recorder.stage('done');
  const running = await whatRuns(d.lambda, record.functions);
  const outcome = record.rollback
    ? 'What had changed was taken back'
    : 'Nothing was taken back (`lambda-rollback: false`)';
  const aliases = stage === 'flip' ? '' : ', no alias was moved';
  const message = `The deployment to Lambda failed while ${doing[stage]}${aliases}. ${outcome}.`;
  const block = [
    ...(undone.length === 0 ? [] : ['Taken back:', ...undone.map((line) => `  ${line}`)]),
    'What runs now:',
    ...running.map((line) => `  ${line}`),
  ].join('\n');
  return errors.length === 1
    ? new ActionError(message, { cause: errors[0], block })
    : new Problems(`${message}\n${block}`, errors);
}

const doing: Record<Stage, string> = {
  code: 'updating the code',
  publish: 'publishing versions',
  smoke: 'checking the new code',
  flip: 'moving aliases',
  done: 'ending',
};

/** A bonus: a policy that can't be read is no reason to stop. */
async function warnOfLifecycle({ ecr, image, log, signal }: DeployRequest): Promise<void> {
  if (ecr === undefined) return;
  const name = image.repository.slice(image.repository.indexOf('/') + 1);
  try {
    const policy = await ecr.lifecyclePolicy(name);
    if (policy === undefined) return;
    const threat = lifecycleThreat(policy, await ecr.tagsOf(name, image.digest));
    if (threat !== undefined) log.warning(threat);
  } catch (error) {
    signal?.throwIfAborted();
    log.debug(`Lifecycle rules were not looked at: ${asError(error).message}`);
  }
}

function report(ways: readonly Way[], started: number, clock: Clock): DeployReport {
  const rows = ways.map(({ goal, ...way }): DeployRow => {
    const { plan } = goal;
    const { alias } = plan.target;
    return {
      function: plan.view.name,
      alias,
      fromDigest: alias === undefined ? plan.digest : digestOf(plan.aliasImage),
      toDigest: goal.child.digest,
      version: way.version,
      aliasFrom: way.aliasFrom,
      aliasTo: way.aliasTo,
      result: way.result,
      supersededBy: way.supersededBy,
      ms: way.result === 'unchanged' ? 0 : (way.endedAt ?? clock.now()) - started,
    };
  });
  return { rows };
}
