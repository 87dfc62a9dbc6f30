import { checkImage } from '../deploy/image-check.ts';
import type { Guard } from '../deploy/plan.ts';
import type { Job } from '../job.ts';
import { connectMetrics } from '../systems/cloudwatch.ts';
import { connectLambda } from '../systems/lambda.ts';
import type { Ecr } from '../systems/ecr.ts';
import { functionRegister, keyOfDigest, keyTag, compareKeys } from '../turn/keys.ts';
import { deploy, preflight, type DeployReport, type FunctionPlan } from './deploy.ts';
import type { Destination } from './destination.ts';
import type { InRepository } from './read-back.ts';
import type { Turn } from './publish.ts';

/** Looks at all functions, before anything is built or changed. */
export function lookAtFunctions(job: Job, destination: Destination): Promise<FunctionPlan[]> {
  const { inputs, signal } = job;
  const { credentials, region } = destination.account;
  return preflight({
    targets: inputs.lambda.functions,
    region,
    account: destination.accountId,
    lambda: connectLambda({ region, credentials, signal }),
    signal,
  });
}

/**
 * Before a tag moves: the image has each function's platform, in a form that Lambda takes.
 *
 * @throws ActionError or Problems with all mismatches.
 */
export function requireFit(plans: readonly FunctionPlan[], { image }: InRepository): void {
  checkImage(plans, image);
}

/** Deploys the image to the functions, each guarded by the order key of what it runs. */
export function deployFunctions(
  job: Job,
  destination: Destination,
  turn: Turn,
  plans: readonly FunctionPlan[],
  { image }: InRepository,
): Promise<DeployReport> {
  const { inputs, log, clock, signal, store } = job;
  const { account, ecr, repository } = destination;
  const connection = { region: account.region, credentials: account.credentials, signal };
  return deploy({
    plans,
    image,
    inputs: inputs.lambda,
    dryRun: inputs.dryRun,
    guard:
      inputs.dryRun || inputs.order.mode === 'off'
        ? () => Promise.resolve('go')
        : orderGuard(turn, ecr, repository.name),
    lambda: connectLambda(connection),
    metrics: connectMetrics(connection),
    ecr,
    log,
    clock,
    signal,
    onRecord: (record) => store.set('deploy', record),
  });
}

/**
 * Keeps a function from going to an older run's image: by the newer runs that have announced, and by
 * the key of what the function runs (order protocol, step 3). The key of what is about to be deployed
 * is put on its manifest first, so that an older run which looks a moment later finds it.
 */
export function orderGuard(
  turn: Pick<Turn, 'check' | 'key' | 'lane'>,
  ecr: Pick<Ecr, 'tagsOf' | 'manifest' | 'putTag'>,
  repository: string,
): Guard {
  const announced = new Set<string>();
  return async (deployed, { plan, child }) => {
    const newer = await turn.check();
    if (newer !== undefined) return { supersededBy: newer.url ?? `run ${newer.key.runId}` };
    const register = functionRegister(plan.view.arn.replace(/(:function:[^:]+):.*$/, '$1'));
    const key =
      deployed === undefined ? undefined : await keyOfDigest(ecr, repository, register, deployed);
    if (key !== undefined && compareKeys(key, turn.key) > 0) {
      return { supersededBy: `run ${key.runId}, attempt ${key.runAttempt}` };
    }
    const tag = keyTag(register, turn.key, turn.lane);
    if (!announced.has(tag)) {
      const manifest = await ecr.manifest(repository, child.digest);
      if (manifest !== undefined) await ecr.putTag(repository, tag, manifest);
      announced.add(tag);
    }
    return 'go';
  };
}
