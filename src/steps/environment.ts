import type { Job } from '../job.ts';
import { connectCache } from '../systems/cache.ts';
import { preparePython } from './python.ts';
import type { Told } from './report.ts';
import { runVerify } from './verify.ts';

/**
 * The Python environment that `verify` and the job's later steps work in.
 *
 * @returns variables to add to a command's environment.
 */
export async function openPython(job: Job, told: Told): Promise<NodeJS.ProcessEnv> {
  const { inputs, context, env, run, log, runner, signal, store } = job;
  const python = await preparePython({
    python: inputs.python,
    workspace: context.workspace,
    temp: context.temp,
    env,
    fork: context.fork,
    cache: connectCache({ env, log }),
    run,
    log,
    runner,
    signal,
  });
  told.pipCacheHit = python.hit;
  store.set('python', python.record);
  return python.env;
}

/** Runs `verify`. @throws ActionError that names the command which failed. */
export async function verify(job: Job, python: NodeJS.ProcessEnv): Promise<void> {
  const { inputs, context, env, run, log, signal, folder } = job;
  const result = await runVerify(inputs.verify, {
    cwd: context.workspace,
    env: { ...env, ...python },
    temp: folder,
    run,
    log,
    signal,
  });
  if (!result.ok) throw result.error;
}
