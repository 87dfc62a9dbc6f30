import type { ImageTags } from '../image/plan.ts';
import { buildImage, type Site } from './build-image.ts';
import { decide } from './decision.ts';
import { contentTagFor, ownTags, refuseFixedTags } from './own-tags.ts';

/** An image in the repository, and those of the run's tags that are still to be put on it. */
export interface MadeImage {
  readonly digest: string;
  readonly tags: ImageTags;
}

/**
 * The image in the repository: the one that has this content already, or a new one that is built and
 * pushed under one of the run's own tags.
 *
 * @returns undefined when nothing was to be pushed (a fork, `call`).
 */
export async function makeImage(site: Site): Promise<MadeImage | undefined> {
  const { job, there, home, chosen, part, told } = site;
  const { facts, choice } = chosen;
  const decision = await part('content', () =>
    decide(job, there, home, { driver: choice.driver, facts }),
  );
  told.why = decision.why;
  if (there !== undefined) refuseFixedTags(job, there, decision);
  const tags = there === undefined ? [] : ownTags(job, there, decision);
  told.tags = tags;

  if (decision.kind === 'unchanged' && there !== undefined) {
    job.log.info(`${decision.why} Nothing is built.`);
    told.outcome = 'unchanged';
    return { digest: decision.manifest.digest, tags: { named: tags, content: [] } };
  }
  job.log.info(decision.why);
  const contentTags = await contentTagFor(
    there,
    decision.kind === 'build' ? decision.contentTag : undefined,
  );
  // What is pushed needs a name: one that no other run or attempt has, if none is left.
  const [first = `run-${job.context.runId}.${job.context.runAttempt}`, ...others] = tags;
  if (there !== undefined) told.tags = [first, ...others];
  // The runner's Docker knows an image by the names that it was pushed under.
  const references = there === undefined || job.inputs.build.load ? told.tags : [first];
  const digest = await buildImage(site, references);
  if (digest === undefined) return undefined;
  const named = told.tags.filter((tag) => !references.includes(tag));
  return { digest, tags: { named, content: contentTags } };
}
