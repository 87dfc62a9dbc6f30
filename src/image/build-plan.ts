import type { RunContext } from '../context.ts';
import { ActionError } from '../errors.ts';
import type { Inputs } from '../inputs/inputs.ts';
import { planAttestations } from './attestations.ts';
import { isBuild } from './build-arguments.ts';
import { attributes } from './csv.ts';
import type { Builder, BuildPlan, CachePlan } from './plan.ts';

export interface PlanRequest {
  readonly inputs: Pick<Inputs, 'build' | 'image'>;
  readonly context: RunContext;
  readonly builder: Builder;
  /** `host/name`. */
  readonly repository: string;
  /** Pushed under these tags. */
  readonly tags: readonly string[];
  /** Whether anything is pushed: not by pull requests from forks. */
  readonly push: boolean;
  readonly cache: Pick<CachePlan, 'from' | 'to'>;
  /** Ready `--secret` specs, see writeSecrets. */
  readonly secrets: readonly string[];
  readonly metadataFile: string;
}

/**
 * What is asked (inputs), where (builder, repository) and what was found out (caches, secrets) as one
 * plan for `docker buildx build`, and what of it was left out.
 *
 * @throws ActionError when attestations, or several platforms to load, can't be had with this builder.
 */
export function planBuild(request: PlanRequest): {
  readonly plan: BuildPlan;
  readonly notices: readonly string[];
} {
  const { inputs, context, builder, cache } = request;
  const { build, image } = inputs;
  const builds = isBuild(build.call);
  const named = (tags: readonly string[]) => tags.map((tag) => `${request.repository}:${tag}`);
  const references = named(request.tags);
  const outputs = request.push ? build.outputs : build.outputs.filter((item) => !isPush(item));
  const notices =
    outputs.length === build.outputs.length
      ? []
      : ['Outputs that push are left out: this run pushes nothing.'];
  const attestations = builds
    ? planAttestations({ ...build, outputs }, context, builder)
    : { provenance: undefined, sbom: undefined, attests: [] };
  requireLoadable(build, builder);
  return {
    plan: {
      builder,
      references: request.push && builds ? references : [],
      // A run that pushes nothing may have no tags to push; what it loads still needs a name.
      localReferences: references.length > 0 ? references : named(image.tags),
      context: build.context,
      file: build.file,
      target: build.target,
      platforms: build.platforms,
      buildArgs: build.buildArgs,
      buildContexts: build.buildContexts,
      secrets: request.secrets,
      ssh: build.ssh,
      network: build.network,
      shmSize: build.shmSize,
      ulimit: build.ulimit,
      addHosts: build.addHosts,
      allow: build.allow,
      cgroupParent: build.cgroupParent,
      pull: build.pull,
      noCache: build.noCache,
      noCacheFilters: build.noCacheFilters,
      labels: image.labels,
      annotations: image.annotations,
      load: build.load,
      outputs,
      ...attestations,
      call: build.call,
      cacheFrom: cache.from,
      cacheTo: cache.to,
      metadataFile: request.metadataFile,
    },
    notices,
  };
}

function isPush(output: string): boolean {
  const found = attributes(output);
  return found.get('type') === 'registry' || /^(true|1)$/i.test(found.get('push') ?? '');
}

/** BuildKit's docker exporter, by which other drivers load, takes one platform. */
function requireLoadable(build: Inputs['build'], builder: Builder): void {
  const several = build.platforms.length > 1;
  if (!build.load || !several || (builder.driver === 'docker' && builder.cacheExport)) return;
  throw new ActionError(
    `load can't take an image of several platforms (${build.platforms.join(', ')}) from the ${builder.driver} builder.`,
    { hint: 'Load one platform, or use the docker driver with the containerd image store.' },
  );
}
