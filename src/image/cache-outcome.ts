import { cacheEntryType } from './build-retries.ts';
import type { BuildPlan } from './plan.ts';
import { cacheTypeOf, type Vertex } from './progress.ts';

/**
 * What happened to the caches of a build that succeeded, where it isn't what was asked for. A cache
 * never fails a build, but it is never silently nothing either.
 *
 * @param confirmed the metadata file has `cache.manifest`: registry and local exports wrote one.
 */
export function cacheNotices(
  plan: Pick<BuildPlan, 'cacheFrom' | 'cacheTo'>,
  vertexes: readonly Vertex[],
  confirmed: boolean,
): readonly string[] {
  const notices: string[] = [];
  for (const type of new Set(plan.cacheTo.map(cacheEntryType))) {
    // Inline cache is part of the image: the push tells whether it was written.
    if (type === 'inline') continue;
    const written = vertexes.filter(
      ({ kind, name }) => kind === 'cache-export' && (cacheTypeOf(name) ?? type) === type,
    );
    const error = written.find((vertex) => vertex.error !== '')?.error;
    if (error !== undefined) {
      notices.push(
        `The cache type=${type} was not written, the next build may be slower: ${error}`,
      );
    } else if (written.length === 0) {
      // Without the runner's variables buildx drops a gha cache without a word.
      notices.push(`The cache type=${type} was asked for, but BuildKit did not write it.`);
    } else if ((type === 'registry' || type === 'local') && !confirmed) {
      notices.push(
        `The cache type=${type} may not have been written: BuildKit did not confirm its manifest.`,
      );
    }
  }
  for (const { kind, name, error } of vertexes) {
    // Before the first build there is nothing to read: that is no news.
    if (
      kind !== 'cache-import' ||
      error === '' ||
      /not found|404|does not exist|NoSuchKey/i.test(error)
    )
      continue;
    const where = name.replace(/^importing cache manifest from /, '');
    notices.push(`The cache ${where} could not be read, so the build did without it: ${error}`);
  }
  return notices;
}
