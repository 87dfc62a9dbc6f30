import type { Builder, BuildPlan, DockerFacts } from '../../src/image/plan.ts';
import { dockerBuilder, planOf } from '../build-plan.ts';

export { dockerBuilder };

export const plainDockerBuilder: Builder = { ...dockerBuilder, cacheExport: false };

export const containerBuilder: Builder = {
  name: 'ship-1',
  driver: 'docker-container',
  pushByDigest: true,
  cacheExport: true,
  s3Cache: true,
  buildkitVersion: '0.25.1',
  created: true,
};

export const dockerFacts: DockerFacts = {
  serverVersion: '28.5.2',
  containerdStore: true,
  buildxVersion: '0.29.1',
  platform: 'linux/amd64',
  problem: undefined,
};

/** A build of the checkout that pushes one tag. */
export function samplePlan(changes: Partial<BuildPlan> = {}): BuildPlan {
  return planOf({
    references: ['host.test/team/app:run-7'],
    call: 'build',
    metadataFile: '/tmp/runner/metadata.json',
    ...changes,
  });
}
