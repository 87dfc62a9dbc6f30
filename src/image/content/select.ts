import { baseName, rootedPath } from '../dockerfile/text.ts';
import { Undecidable } from '../dockerfile/undecidable.ts';
import { globRegExp, hasWildcard } from './glob.ts';
import { Patterns, type Matched } from './patterns.ts';
import type { ContextTree, Entry } from './tree.ts';

/** Which files of a context one source of a `COPY`, `ADD` or bind mount reads. */
export interface Source {
  /** As in the instruction, variables replaced. */
  readonly path: string;
  /** `--exclude`. */
  readonly excludes: readonly string[];
  /** `--parents`: the path is a pattern in its own right, folders keep their names. */
  readonly parents: boolean;
  /** Bind mounts know no patterns. */
  readonly wildcards: boolean;
}

export interface Selected {
  /** Where it stands below the source. */
  readonly name: string;
  readonly entry: Entry;
}

/** Hands the processor to others now and then, so that network answers aren't kept waiting. */
export type Breathe = () => Promise<void>;

/**
 * What BuildKit hashes for a source: the file, or a folder with all that is in it. Links on the way
 * and the source itself are followed inside of the context; links inside of a folder are kept.
 *
 * @returns empty when there is nothing (the build then fails, or copies nothing).
 */
export async function select(
  tree: ContextTree,
  source: Source,
  breathe: Breathe,
): Promise<readonly Selected[]> {
  if (source.parents) return selectParents(tree, source, breathe);
  const path = rootedPath(source.path);
  if (source.wildcards && hasWildcard(path)) return selectWildcard(tree, path, source, breathe);
  const entry = resolve(tree, path, true);
  if (entry === undefined) return [];
  return below(tree, entry, '', filterOf([], source.excludes), breathe);
}

async function selectParents(
  tree: ContextTree,
  source: Source,
  breathe: Breathe,
): Promise<readonly Selected[]> {
  const pivot = source.path.indexOf('/./');
  const base = rootedPath(pivot === -1 ? '/' : source.path.slice(0, pivot));
  if (hasWildcard(base)) throw new Undecidable('COPY --parents has a pattern before its /./');
  const pattern = rootedPath(pivot === -1 ? source.path : source.path.slice(pivot + 3));
  const entry = resolve(tree, base, true);
  if (entry === undefined) return [];
  return below(tree, entry, '', filterOf([pattern.slice(1)], source.excludes), breathe);
}

async function selectWildcard(
  tree: ContextTree,
  path: string,
  source: Source,
  breathe: Breathe,
): Promise<readonly Selected[]> {
  const parts = path.slice(1).split('/');
  const plain = parts.findIndex((part) => hasWildcard(part));
  const prefix = parts.slice(0, plain);
  const base = resolve(tree, rootedPath(...prefix), true);
  if (base === undefined) return [];
  const found: Selected[] = [];
  const deeper = async (folder: Entry, name: string, rest: readonly string[]): Promise<void> => {
    const [part, ...after] = rest;
    if (part === undefined) return;
    await breathe();
    const pattern = globRegExp(part);
    for (const child of tree.children(folder)) {
      const childName = baseName(child.path);
      if (!pattern.test(childName)) continue;
      const at = `${name}/${childName}`;
      if (after.length > 0) {
        await deeper(child, at, after);
        continue;
      }
      const target = child.kind === 'link' ? resolve(tree, child.path, true) : child;
      // A link to nothing makes the build fail; it is kept, so that mending it counts.
      if (target === undefined) found.push({ name: at, entry: child });
      else {
        const filter = filterOf([], source.excludes);
        found.push(...(await below(tree, target, at, filter, breathe)));
      }
    }
  };
  await deeper(base, '', parts.slice(plain));
  return found;
}

type Filter = (name: string, parent: Filtered) => Filtered;

interface Filtered {
  readonly taken: boolean;
  readonly include: Matched;
  readonly exclude: Matched;
}

function filterOf(includes: readonly string[], excludes: readonly string[]): Filter | undefined {
  if (includes.length === 0 && excludes.length === 0) return undefined;
  const include = includes.length === 0 ? undefined : new Patterns(includes);
  const exclude = excludes.length === 0 ? undefined : new Patterns(excludes);
  return (name, parent) => {
    const taken = include?.match(name, parent.include) ?? { hit: true, matched: [] };
    // What isn't included isn't asked for exclusion either, so its folder's match is not known.
    if (!taken.hit) return { taken: false, include: taken.matched, exclude: [] };
    const left = exclude?.match(name, parent.exclude) ?? { hit: false, matched: [] };
    return { taken: !left.hit, include: taken.matched, exclude: left.matched };
  };
}

// The entry itself, then all below it; with a filter, folders stay when something in them does.
async function below(
  tree: ContextTree,
  top: Entry,
  name: string,
  filter: Filter | undefined,
  breathe: Breathe,
): Promise<readonly Selected[]> {
  const found: Selected[] = [{ name, entry: top }];
  const none: Filtered = { taken: true, include: [], exclude: [] };
  const walk = async (folder: Entry, at: string, relative: string, parent: Filtered) => {
    await breathe();
    for (const child of tree.children(folder)) {
      const childName = baseName(child.path);
      const inside = relative === '' ? childName : `${relative}/${childName}`;
      const state = filter?.(inside, parent) ?? none;
      const before = found.length;
      found.push({ name: `${at}/${childName}`, entry: child });
      if (child.kind === 'folder') await walk(child, `${at}/${childName}`, inside, state);
      if (!state.taken && found.length === before + 1) found.pop();
    }
  };
  if (top.kind === 'folder') await walk(top, name, '', none);
  return found;
}

/**
 * The entry at a path, links on the way followed inside of the context.
 *
 * @param last whether a link at the end is followed too.
 */
export function resolve(tree: ContextTree, path: string, last: boolean): Entry | undefined {
  let rest = path.split('/').filter(Boolean);
  let at: Entry[] = [tree.root];
  for (let links = 0; rest.length > 0;) {
    const [part = '', ...after] = rest;
    rest = after;
    if (part === '.') continue;
    if (part === '..') {
      if (at.length > 1) at.pop();
      continue;
    }
    const folder = at.at(-1);
    const next = folder === undefined ? undefined : tree.child(folder, part);
    if (next === undefined) {
      if (!rest.includes('..')) return undefined;
      throw new Undecidable(`${path} leads through ${part}/.., which is not there`);
    }
    if (next.kind !== 'link' || (!last && rest.length === 0)) {
      at.push(next);
      continue;
    }
    links += 1;
    if (links > 255) throw new Undecidable(`${path} leads through too many links`);
    if (next.target.startsWith('/')) at = [tree.root];
    rest = [...next.target.split('/').filter(Boolean), ...rest];
  }
  return at.at(-1);
}
