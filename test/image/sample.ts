import type { Builder, BuildPlan, DockerFacts } from '../../src/image/plan.ts';

/** Docker's own BuildKit with the containerd image store. */
export const dockerBuilder: Builder = {
  name: 'default',
  driver: 'docker',
  pushByDigest: false,
  cacheExport: true,
  s3Cache: false,
  buildkitVersion: undefined,
  created: false,
};

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
  return {
    builder: dockerBuilder,
    references: ['host.test/team/app:run-7'],
    context: '.',
    file: '',
    target: '',
    platforms: [],
    buildArgs: [],
    buildContexts: [],
    secrets: [],
    ssh: [],
    network: '',
    shmSize: '',
    ulimit: [],
    addHosts: [],
    allow: [],
    cgroupParent: '',
    pull: false,
    noCache: false,
    noCacheFilters: [],
    labels: [],
    annotations: [],
    load: false,
    outputs: [],
    provenance: undefined,
    sbom: undefined,
    attests: [],
    call: 'build',
    cacheFrom: [],
    cacheTo: [],
    metadataFile: '/tmp/runner/metadata.json',
    ...changes,
  };
}
