import type { Builder, BuildPlan } from '../src/image/plan.ts';
import type { BuilderInputs } from '../src/inputs/inputs.ts';

/** The docker driver's builder on an engine with the containerd image store. */
export const dockerBuilder: Builder = {
  name: 'default',
  driver: 'docker',
  pushByDigest: false,
  cacheExport: true,
  s3Cache: false,
  buildkitVersion: undefined,
  created: false,
};

/** A plan of a plain build, changed by `change`. */
export function planOf(change: Partial<BuildPlan> = {}): BuildPlan {
  return {
    builder: dockerBuilder,
    references: [],
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
    call: '',
    cacheFrom: [],
    cacheTo: [],
    metadataFile: '',
    ...change,
  };
}

/** The builder's inputs as they are when nothing is asked for. */
export const plainBuilder: BuilderInputs = {
  driver: 'auto',
  builder: '',
  buildxVersion: '',
  driverOpts: [],
  buildkitdFlags: '',
  buildkitdConfig: '',
  buildkitdConfigInline: '',
  endpoint: '',
  cacert: '',
  cert: '',
  key: '',
  keepState: false,
  cleanup: true,
};
