import type { Job } from '../job.ts';
import type { Destination } from './destination.ts';
import type { InRepository } from './read-back.ts';
import type { Told } from './report.ts';

/** Tells which tags would move from where to where; asks, and changes nothing. */
export async function showPlan(
  { inputs }: Pick<Job, 'inputs'>,
  { ecr, repository }: Pick<Destination, 'ecr' | 'repository'>,
  { image }: InRepository,
  told: Told,
): Promise<void> {
  const { movingTags } = inputs.image;
  const now = await ecr.tagDigests(repository.name, movingTags);
  told.order = {
    result: 'off',
    supersededBy: undefined,
    waitedMs: 0,
    tags: movingTags.map((tag) => ({ tag, from: now.get(tag), to: image.digest })),
  };
}
