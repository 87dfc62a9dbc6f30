import { ActionError } from '../errors.ts';
import type { ImageTags } from '../image/plan.ts';
import { defaultTags } from '../image/tags.ts';
import type { Job } from '../job.ts';
import { tagIsFixed, TagImmutableError, type Manifest } from '../systems/ecr.ts';
import type { Decision } from './decision.ts';
import type { Destination } from './destination.ts';

/**
 * A tag of the run that exists and can't be moved: fine when it is at the digest that is shipped, an
 * error before the build otherwise. Tags that nobody asked for (the defaults) are left out instead.
 */
export function refuseFixedTags(job: Job, there: Destination, decision: Decision): void {
  const asked = new Set(job.inputs.image.tags);
  for (const tag of defaultTags(job.context)) asked.delete(tag);
  for (const tag of asked) {
    const at = fixedAt(there, tag);
    if (at === undefined) continue;
    if (decision.kind === 'unchanged' && decision.manifest.digest === at) continue;
    throw new ActionError(
      `tags: ${tag} exists in ${there.repository.uri} at ${at}, and the repository is ${there.repository.mutability}: it can't be set to what this run builds.`,
      {
        hint: 'Set tags to names that are new in each run (the default: the commit and run-<number>), or exclude this tag from immutability.',
      },
    );
  }
}

/** Those of the run's tags that can be set; what is left out is told. */
export function ownTags(job: Job, there: Destination, decision: Decision): readonly string[] {
  const digest = decision.kind === 'unchanged' ? decision.manifest.digest : undefined;
  return job.inputs.image.tags.filter((tag) => {
    const at = fixedAt(there, tag);
    if (at === undefined || at === digest) return true;
    job.log.notice(
      `The tag ${tag} exists at ${at} and can't be moved (${there.repository.mutability}); this run's image goes without it.`,
    );
    return false;
  });
}

/** The content's tag goes with the image, unless it is at another image and can't be moved. */
export async function contentTagFor(
  there: Destination | undefined,
  tag: string | undefined,
): Promise<readonly string[]> {
  if (there === undefined || tag === undefined) return [];
  const { ecr, repository } = there;
  const taken =
    tagIsFixed(repository, tag) && (await ecr.tagDigests(repository.name, [tag])).has(tag);
  return taken ? [] : [tag];
}

function fixedAt({ existing, repository }: Destination, tag: string): string | undefined {
  const at = existing.get(tag);
  return at !== undefined && tagIsFixed(repository, tag) ? at : undefined;
}

/**
 * Puts on an image in the repository those of the run's tags that it has not been pushed under: one
 * request each, side by side, where each further name costs BuildKit some ten, one after the other.
 */
export async function putOwnTags(
  { ecr, repository }: Pick<Destination, 'ecr' | 'repository'>,
  manifest: Manifest,
  { named, content }: ImageTags,
): Promise<void> {
  const put = (tag: string) => ecr.putTag(repository.name, tag, manifest);
  const putContent = async (tag: string) => {
    try {
      await put(tag);
    } catch (error) {
      // Another run has built the same content meanwhile, and its image is as good to find.
      if (!(error instanceof TagImmutableError)) throw error;
    }
  };
  await Promise.all([...named.map(put), ...content.map(putContent)]);
}
