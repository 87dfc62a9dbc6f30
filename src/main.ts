import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { readContext } from './context.ts';
import { ActionError, asError, explain, isAbort } from './errors.ts';
import { readInputs } from './inputs/read.ts';
import type { Job } from './job.ts';
import { ship } from './run.ts';
import { openState } from './state.ts';
import { closingLines, report, startTold } from './steps/report.ts';
import { run } from './systems/process.ts';
import { useProxy } from './systems/proxy.ts';
import { connectRunner } from './systems/runner.ts';
import { startTimeline } from './timeline.ts';
import { systemClock } from './wait.ts';

const runner = connectRunner();
const { log } = runner;

// A cancelled run: SIGINT, 7.5 s later SIGTERM, 2.5 s later the end. What runs is stopped; a tag's
// move that has begun is finished (turn/), and post does what is left.
const cancel = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!cancel.signal.aborted) log.info(`The run was cancelled (${signal}); stopping.`);
    cancel.abort(new DOMException('The run was cancelled.', 'AbortError'));
  });
}

async function main(): Promise<void> {
  useProxy(process.env, log);
  const context = readContext(process.env);
  const inputs = readInputs(process.env, context, { mask: (secret) => runner.mask(secret) });
  for (const warning of inputs.warnings) log.warning(warning);

  const store = openState(runner);
  const folder = await mkdtemp(join(context.temp, 'ship-to-ecr-'));
  store.set('temp', folder);
  const { aws, order, image } = inputs;
  store.set('asked', { aws, order, registryId: image.registryId });
  const job: Job = {
    inputs,
    context,
    env: process.env,
    runner,
    log,
    run,
    clock: systemClock,
    timeline: startTimeline(),
    store,
    folder,
    signal: cancel.signal,
  };

  const told = startTold();
  let failure: unknown;
  try {
    await ship(job, told);
  } catch (error) {
    failure = error;
  }
  try {
    await report(job, told, failure);
  } catch (cause) {
    const lost = new ActionError('The outputs and the job summary could not be written.', {
      cause: asError(cause),
    });
    // What the run failed with first is what is to be mended.
    if (failure === undefined) failure = lost;
    else log.warning(explain(lost));
  }
  for (const line of closingLines(job, told)) log.info(line);
  if (failure !== undefined) throw failure;
}

try {
  await main();
} catch (error) {
  runner.setFailed(
    isAbort(error) && cancel.signal.aborted ? 'The run was cancelled.' : explain(error),
  );
}
