import { ActionError, asError } from '../../errors.ts';
import { highestKey, keyTag, keyTagPrefix, uselessKeyTags, type OrderKey } from '../keys.ts';
import type { Announced } from '../protocol.ts';
import type { OrderEcr, Register } from '../register.ts';

/**
 * A register made of key tags in the image repository: announcing puts a tag, named by the run's key,
 * on its image; the value is the highest such tag that exists. ECR knows no compare-and-set, but tags
 * of different names can't overwrite each other, so a set of them is a max register.
 *
 * @param newer keys of newer runs known otherwise (GitHub's list). ECR is asked for their tags by name:
 *   a listing may lag behind a put, a read by name doesn't.
 */
export function registryRegister(
  ecr: OrderEcr,
  repository: string,
  id: string,
  newer: () => readonly { key: OrderKey; lane: string }[] = () => [],
): Register {
  const put = async (image: Announced) => {
    const manifest = await ecr.manifest(repository, image.digest);
    if (manifest === undefined) {
      throw new ActionError(`${image.digest} is no longer in the repository ${repository}.`, {
        hint: "A lifecycle rule or a person removed it between push and publish. Look at the repository's lifecycle policy.",
      });
    }
    await ecr.putTag(repository, keyTag(id, image.key, image.lane), manifest);
  };
  const pruneDigest = async (digest: string) => {
    const useless = uselessKeyTags(await ecr.tagsOf(repository, digest), id);
    // The highest of each lane stays, so the image never loses its last tag by this.
    if (useless.length > 0) await ecr.deleteTags(repository, useless);
    return useless.length;
  };

  return {
    id,

    async read(lane) {
      const tags = new Map(await ecr.tagged(repository, keyTagPrefix(id)));
      const named = newer()
        .map(({ key, lane }) => keyTag(id, key, lane))
        .filter((tag) => !tags.has(tag));
      if (named.length > 0) {
        for (const [tag, digest] of await ecr.tagDigests(repository, named)) tags.set(tag, digest);
      }
      const announced = (wanted?: string): Announced | undefined => {
        const found = highestKey(tags.keys(), id, wanted);
        if (found === undefined) return undefined;
        const digest = tags.get(keyTag(id, found.key, found.lane));
        return digest === undefined ? undefined : { key: found.key, lane: found.lane, digest };
      };
      return { top: announced(), own: announced(lane) };
    },

    async announce(image) {
      try {
        await put(image);
      } catch (error) {
        // ECR allows 1,000 tags on one image. One that never changes gets a key tag from each run.
        if (!isTagLimit(error) || (await pruneDigest(image.digest)) === 0) throw error;
        await put(image);
      }
    },

    async prune(image) {
      await pruneDigest(image.digest);
    },
  };
}

/** Whether ECR refused a put because the image carries 1,000 tags. */
export function isTagLimit(error: unknown): boolean {
  for (let at: unknown = error; at !== undefined && at !== null;) {
    if (asError(at).name === 'LimitExceededException') return true;
    at = at instanceof Error ? at.cause : undefined;
  }
  return false;
}
