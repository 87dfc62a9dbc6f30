import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { BuilderDriver, DockerFacts } from '../../src/image/plan.ts';
import type { BuilderInputs } from '../../src/inputs/inputs.ts';
import type { BuilderRequest } from '../../src/steps/builder.ts';
import type { downloadBuildx } from '../../src/systems/buildx-download.ts';
import { unique, type Bench } from './build-kit.ts';
import { plainBuilder } from '../build-plan.ts';

export interface BuilderChange {
  readonly driver: BuilderDriver;
  readonly inputs?: Partial<BuilderInputs>;
  readonly allow?: readonly string[];
  readonly runId?: number;
  readonly runnerName?: string;
  readonly userEnv?: NodeJS.ProcessEnv;
  readonly download?: typeof downloadBuildx;
}

/** A request for a builder, with a private DOCKER_CONFIG of its own. */
export function builderRequest(
  bench: Bench,
  change: BuilderChange & { readonly facts: DockerFacts },
): BuilderRequest {
  const folder = join(bench.dockerConfig, unique());
  mkdirSync(folder);
  symlinkSync(join(bench.dockerConfig, 'cli-plugins'), join(folder, 'cli-plugins'));
  return {
    inputs: {
      builder: { ...plainBuilder, ...change.inputs },
      build: { allow: change.allow ?? [] },
    },
    facts: change.facts,
    choice: { driver: change.driver, why: 'the test says so' },
    folder,
    context: {
      repository: 'o/r',
      runId: change.runId ?? 7,
      runAttempt: 1,
      job: 'ship',
      runnerName: change.runnerName ?? 'runner',
      workflowRef: 'o/r/.github/workflows/ship.yml@refs/heads/main',
      workspace: bench.workspace,
    },
    toolCache: join(folder, 'tools'),
    env: { ...bench.env, DOCKER_CONFIG: folder },
    userEnv: change.userEnv ?? bench.engine.env,
  };
}
