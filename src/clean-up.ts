import type { RunContext } from './context.ts';
import { explain } from './errors.ts';
import { variable } from './inputs/names.ts';
import type { State } from './state.ts';
import { connectOrder } from './steps/order.ts';
import { removeBuilder, type BuilderRecord } from './steps/builder.ts';
import { readDeployRecord, recoverDeploy } from './steps/deploy.ts';
import { saveLocalCache, type LocalCacheRecord } from './steps/local-cache.ts';
import { saveMountsOf, type MountsState } from './steps/mounts.ts';
import { readTurnRecord, repair } from './steps/publish.ts';
import { savePython, type PythonRecord } from './steps/python.ts';
import { connectAccount } from './systems/account.ts';
import { connectCache } from './systems/cache.ts';
import { connectEcr } from './systems/ecr.ts';
import { connectLambda } from './systems/lambda.ts';
import type { Run } from './systems/process.ts';
import type { Log, Runner } from './systems/runner.ts';
import type { Clock } from './wait.ts';

/** What post works with: main's state, and the same run. */
export interface Leftovers {
  readonly state: State;
  readonly context: RunContext;
  readonly env: NodeJS.ProcessEnv;
  readonly runner: Runner;
  readonly log: Log;
  readonly run: Run;
  readonly clock: Clock;
}

/** After a cancel a runner gives the post steps minutes, not hours; ms. */
const repairTime = 120_000;

/**
 * Finishes, saves and removes what main left. Each part on its own: what fails is a warning, and the
 * others go on. The builder goes last, since the cache mounts are read through it.
 */
export async function cleanUp(left: Leftovers): Promise<void> {
  const { state, env, log, run, context } = left;
  const cache = connectCache({ env, log });
  const part = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      log.warning(`${what}: ${explain(error)}`);
    }
  };
  await Promise.all([
    part('Repairing what the run left half done', () => repairOrder(left)),
    state.python === undefined
      ? undefined
      : part('Keeping the Python environment', () =>
          savePython(state.python as PythonRecord, { cache, log }),
        ),
    state.localCache === undefined
      ? undefined
      : part('Keeping the layer cache', () =>
          saveLocalCache(state.localCache as LocalCacheRecord, { cache, log }),
        ),
    part('Cache mounts and builder', async () => {
      if (state.mounts !== undefined) {
        await part('Keeping the cache mounts', () =>
          saveMountsOf(state.mounts as MountsState, {
            cache,
            log,
            run,
            env,
            folder: state.temp ?? context.temp,
          }),
        );
      }
      if (state.builder !== undefined) {
        await removeBuilder(state.builder as BuilderRecord, { run, log, env });
      }
    }),
  ]);
}

/** Tags first, then functions, as main would have. */
async function repairOrder({ state, context, env, runner, log, clock }: Leftovers): Promise<void> {
  const turn = readTurnRecord(state.publish);
  const deployed = readDeployRecord(state.deploy);
  const { asked } = state;
  if (asked === undefined || (turn === undefined && deployed === undefined)) return;
  const signal = AbortSignal.timeout(repairTime);
  const account = connectAccount({
    aws: asked.aws,
    runner,
    idTokens: (env['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? '') !== '',
    clock,
  });
  const { credentials, region } = account;
  if (turn !== undefined) {
    const ecr = connectEcr({
      region,
      credentials,
      registryId: asked.registryId,
      mask: (secret) => runner.mask(secret),
      notice: (message) => log.notice(message),
      signal,
    });
    const token = env[variable('github-token')] ?? '';
    const systems = connectOrder(asked, token, context, { ecr, credentials, log, clock, signal });
    for (const { tag, from, to } of await repair(turn, systems)) {
      log.notice(
        `The run was cut off while it moved ${tag}; that is finished now: ${from ?? 'nothing'} → ${to ?? 'nothing'}.`,
      );
    }
  }
  if (deployed !== undefined) {
    const lambda = connectLambda({ region, credentials, signal });
    await recoverDeploy(deployed, { lambda, log, clock, signal });
  }
}
