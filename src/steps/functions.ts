import type { Guard } from '../deploy/plan.ts';
import type { Job } from '../job.ts';
import { connectMetrics } from '../systems/cloudwatch.ts';
import { connectLambda } from '../systems/lambda.ts';
import { compareKeys, functionRegister, keyOfDigest } from '../turn/keys.ts';
import type { OrderEcr } from '../turn/register.ts';
import { registryRegister } from '../turn/registers/registry.ts';
import {
  deploy,
  preflight,
  type DeployReport,
  type DeployRequest,
  type FunctionPlan,
} from './deploy.ts';
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
 * Before a tag moves: the image has each function's platform in a form that Lambda takes, and AWS's
 * dry run of each update passes.
 *
 * @returns what would be deployed.
 * @throws ActionError or Problems with everything that stands against it.
 */
export function rehearse(
  job: Job,
  destination: Destination,
  plans: readonly FunctionPlan[],
  found: InRepository,
): Promise<DeployReport> {
  const { log } = job;
  return deploy({
    ...request(job, destination, plans, found),
    dryRun: true,
    guard: () => Promise.resolve('go'),
    // What runs already is told by the deployment itself.
    log: { ...log, info: (line) => log.debug(line) },
  });
}

/**
 * Deploys the image to the functions, each guarded by the order key of what it runs. They are looked
 * at again: an earlier run may have deployed while this one waited for its turn.
 */
export async function deployFunctions(
  job: Job,
  destination: Destination,
  turn: Turn,
  found: InRepository,
): Promise<DeployReport> {
  const { ecr, repository } = destination;
  const plans = await lookAtFunctions(job, destination);
  return deploy({
    ...request(job, destination, plans, found),
    dryRun: false,
    rehearsed: true,
    guard:
      job.inputs.order.mode === 'off'
        ? () => Promise.resolve('go')
        : orderGuard(turn, ecr, repository.name),
  });
}

function request(
  { inputs, log, clock, signal, store }: Job,
  { account, ecr }: Destination,
  plans: readonly FunctionPlan[],
  { image }: InRepository,
): Omit<DeployRequest, 'dryRun' | 'guard'> {
  const connection = { region: account.region, credentials: account.credentials, signal };
  return {
    plans,
    image,
    inputs: inputs.lambda,
    lambda: connectLambda(connection),
    metrics: connectMetrics(connection),
    ecr,
    log,
    clock,
    signal,
    onRecord: (record) => store.set('deploy', record),
  };
}

/**
 * Keeps a function from going to an older run's image: by the newer runs that have announced, and by
 * the key of what the function runs (order protocol, step 4). The key of what is about to be deployed
 * is put on its manifest first, so that an older run which looks a moment later finds it.
 */
export function orderGuard(
  turn: Pick<Turn, 'check' | 'key' | 'lane'>,
  ecr: OrderEcr,
  repository: string,
): Guard {
  const announced = new Set<string>();
  return async (deployed, { plan, child }) => {
    const newer = await turn.check();
    if (newer !== undefined) return { supersededBy: newer.url ?? `run ${newer.key.runId}` };
    const id = functionRegister(plan.view.arn.replace(/(:function:[^:]+):.*$/, '$1'));
    const key =
      deployed === undefined ? undefined : await keyOfDigest(ecr, repository, id, deployed);
    if (key !== undefined && compareKeys(key, turn.key) > 0) {
      return { supersededBy: `run ${key.runId}, attempt ${key.runAttempt}` };
    }
    if (!announced.has(id)) {
      const register = registryRegister(ecr, repository, id);
      const mine = { key: turn.key, lane: turn.lane, digest: child.digest };
      await register.announce(mine);
      await register.prune(mine);
      announced.add(id);
    }
    return 'go';
  };
}
