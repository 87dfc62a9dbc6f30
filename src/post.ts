import { rm } from 'node:fs/promises';
import process from 'node:process';
import { cleanUp } from './clean-up.ts';
import { readContext } from './context.ts';
import { explain } from './errors.ts';
import { loadState } from './state.ts';
import { run } from './systems/process.ts';
import { useProxy } from './systems/proxy.ts';
import { connectRunner } from './systems/runner.ts';
import { systemClock } from './wait.ts';

// Post only warns: the job's result is main's.
const runner = connectRunner();
const { log } = runner;
try {
  useProxy(process.env, log);
  const state = loadState(runner, log);
  if (state !== undefined) {
    try {
      const context = readContext(process.env);
      await cleanUp({ state, context, env: process.env, runner, log, run, clock: systemClock });
    } finally {
      // Whatever else went wrong: the private folder holds the login and the secrets' files.
      if (state.temp !== undefined) await rm(state.temp, { recursive: true, force: true });
    }
  }
} catch (error) {
  log.warning(`Cleaning up did not end well: ${explain(error)}`);
}
