import type { ImageTags } from '../image/plan.ts';
import { TagImmutableError, type Manifest } from '../systems/ecr.ts';
import type { Destination } from './destination.ts';

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
