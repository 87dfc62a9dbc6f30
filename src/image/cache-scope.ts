import { createHash } from 'node:crypto';
import type { RunContext } from '../context.ts';
import type { Inputs } from '../inputs/inputs.ts';

/** Where a build's cache is kept, and where else it may be read. */
export interface CacheScopes {
  /** Written and read first. */
  readonly own: string;
  /** Read after it: a pull request's base branch, then the default branch. */
  readonly others: readonly string[];
}

/**
 * The cache's names by themselves: one for each image (repository, context, Dockerfile, target,
 * platforms) and branch. Two images in one workflow never share one, so neither overwrites the other;
 * a new branch starts from its base's and the default branch's layers.
 *
 * A scope is fit for a registry tag and a cache key, at most 100 characters, and no scope is the
 * beginning of another (backends look keys up by their beginning): each ends with a hash of one length.
 *
 * @param platform the builder's own platform, meant when no `platforms` are asked for.
 */
export function cacheScopes(
  inputs: Pick<Inputs, 'cache' | 'image' | 'build'>,
  context: RunContext,
  platform: string,
): CacheScopes {
  const asked = inputs.cache.scope;
  if (asked !== '') return { own: asked, others: [] };
  const { build, image } = inputs;
  const platforms = build.platforms.length === 0 ? [platform] : [...build.platforms].sort();
  const identity = [image.repository, build.context, build.file, build.target, platforms.join()];
  const scopeOf = (branch: string) => {
    const hash = createHash('sha256')
      .update([...identity, branch].join('\0'))
      .digest('hex');
    const name = image.repository.split('/').at(-1) ?? '';
    return [slug(name, 32), slug(branch, 40), hash.slice(0, 12)]
      .filter((part) => part !== '')
      .join('-');
  };
  const [own = '', ...others] = branches(context).map(scopeOf);
  return { own, others: others.filter((scope) => scope !== own) };
}

/** The run's own branch first, then those whose layers are worth reading, each once. */
export function branches(context: RunContext): readonly string[] {
  const queued = /^refs\/heads\/gh-readonly-queue\/(.+)\/[^/]+$/.exec(context.ref)?.[1];
  let own = context.refName;
  let base = context.baseRef;
  if (queued !== undefined) {
    // Every entry of a merge queue has a branch of its own, which is gone a moment later.
    own = `merge-queue-${queued}`;
    base = queued;
  } else if (context.headRef !== '') {
    // A fork's branch is named apart: its `main` isn't ours.
    own = context.fork ? `fork-${context.headRef}` : context.headRef;
  } else if (context.ref.startsWith('refs/tags/')) {
    // Each tag is built once: releases share one cache.
    own = 'tags';
  }
  return [...new Set([own, base, context.defaultBranch])].filter((branch) => branch !== '');
}

function slug(text: string, length: number): string {
  return text
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, length)
    .replace(/-$/, '');
}
