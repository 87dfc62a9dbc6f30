import type { BuilderDriver, DockerFacts } from '../image/plan.ts';
import type { Job } from '../job.ts';
import type { Manifest } from '../systems/ecr.ts';
import { connectLocalImages } from '../systems/local-images.ts';
import type { Destination } from './destination.ts';
import type { DockerHome } from './docker-home.ts';
import { decideUnchanged } from './unchanged.ts';

/** Whether there is anything to build, and why, in one sentence. */
export type Decision =
  | { readonly kind: 'unchanged'; readonly why: string; readonly manifest: Manifest }
  | {
      readonly kind: 'build';
      readonly why: string;
      /** The content's tag, to be pushed with the image; undefined: not known. */
      readonly contentTag?: string | undefined;
    };

/** Asks the repository for an image with this content, where that can be known. */
export async function decide(
  job: Job,
  there: Destination | undefined,
  home: DockerHome,
  builder: { readonly driver: BuilderDriver; readonly facts: DockerFacts },
): Promise<Decision> {
  const { inputs, context, run, signal } = job;
  if (there === undefined) {
    const { call } = inputs.build;
    const why =
      call === 'build' ? 'Building; nothing is pushed.' : `Nothing is built: call: ${call}.`;
    return { kind: 'build', why };
  }
  const { ecr, repository } = there;
  const { driver, facts } = builder;
  // Elsewhere the builder's platform is known only when it has been asked, unless platforms says it.
  const here = driver === 'docker' || driver === 'docker-container';
  const decision = await decideUnchanged(
    {
      inputs,
      workspace: context.workspace,
      env: job.env,
      repository: repository.name,
      builderPlatform: here ? facts.platform : undefined,
    },
    {
      registry: home.registry,
      ecr,
      signal,
      // Docker's own BuildKit takes the images that are there, unless `pull` asks for new ones.
      ...(driver === 'docker' && !inputs.build.pull
        ? { local: connectLocalImages(run, home.env, signal) }
        : {}),
    },
  );
  if (decision.kind === 'build') return decision;
  const manifest = await ecr.manifest(repository.name, decision.digest);
  if (manifest !== undefined) return { kind: 'unchanged', why: decision.why, manifest };
  return {
    kind: 'build',
    why: `Building, because ${decision.contentTag} is at ${decision.digest}, which is gone from ${repository.name}.`,
    contentTag: decision.contentTag,
  };
}
