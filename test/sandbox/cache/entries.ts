import type { Scope } from './token.ts';

/** One cache entry; invisible until it is finalized. */
export interface Entry {
  readonly id: number;
  readonly key: string;
  readonly version: string;
  readonly scope: string;
  /** Name of its blob. */
  readonly blob: string;
  size: number | undefined;
  /** How often it was looked up with success. */
  hits: number;
}

/**
 * GitHub's rule: the run's own scope first, then the next ones; in each the key exactly, then the
 * key as a prefix, then the restore keys as prefixes in their order; the newest wins.
 */
export function findEntry(
  entries: readonly Entry[],
  scopes: readonly Scope[],
  wanted: { key: string; restoreKeys: readonly string[]; version: string },
): Entry | undefined {
  for (const scope of scopes.filter((scope) => (scope.Permission & 1) !== 0)) {
    const here = entries
      .filter(
        (entry) =>
          entry.scope === scope.Scope &&
          entry.version === wanted.version &&
          entry.size !== undefined,
      )
      .sort((a, b) => b.id - a.id);
    const exact = here.find((entry) => entry.key === wanted.key);
    if (exact !== undefined) return exact;
    for (const prefix of [wanted.key, ...wanted.restoreKeys]) {
      const found = here.find((entry) => entry.key.startsWith(prefix));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
