import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { compareBytes } from '../dockerfile/text.ts';
import { Undecidable } from '../dockerfile/undecidable.ts';
import type { Matched, Patterns } from './patterns.ts';

/** A file, folder, link or special file of a context, as BuildKit is sent it. */
export interface Entry {
  /** From the context's root, with a slash at the start: `/src/a.py`. The root is empty. */
  readonly path: string;
  /** Where it really is. */
  readonly real: string;
  readonly kind: 'folder' | 'file' | 'link' | 'other';
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly size: number;
  /** Target of a link; device number of a special file. */
  readonly target: string;
}

interface Node extends Entry {
  readonly excluded: boolean;
  readonly matched: Matched;
}

/**
 * A folder as a build context, seen through its ignore patterns. Folders are read when they are
 * asked for, so what no instruction reaches costs nothing.
 *
 * As in BuildKit (fsutil's filter): an ignored folder is there when something in it is taken back
 * by a `!` pattern; owners and times don't exist.
 */
export class ContextTree {
  readonly root: Entry;
  private readonly patterns: Patterns | undefined;
  // Whether `!` patterns are plain paths, so that most ignored folders needn't be looked into.
  private readonly plainExceptions: boolean;
  private readonly folders = new Map<string, readonly Node[]>();
  private readonly shown = new Map<string, boolean>();

  constructor(folder: string, patterns: Patterns | undefined) {
    this.patterns = patterns;
    const exceptions = patterns?.all.filter((pattern) => pattern.exception) ?? [];
    this.plainExceptions = exceptions.every(({ text }) => !/[*[\]?^\\]/.test(withoutGlob(text)));
    // The root's own mode is never sent.
    this.root = { path: '', real: folder, kind: 'folder', mode: 0o755, size: 0, target: '' };
  }

  /** What is in a folder, in byte order of the names; empty for anything but a folder. */
  children(folder: Entry): readonly Entry[] {
    return this.nodes(folder).filter((node) => this.isShown(node));
  }

  /** One entry of a folder. */
  child(folder: Entry, name: string): Entry | undefined {
    const path = `${folder.path}/${name}`;
    const node = this.nodes(folder).find((each) => each.path === path);
    return node !== undefined && this.isShown(node) ? node : undefined;
  }

  private nodes(folder: Entry): readonly Node[] {
    if (folder.kind !== 'folder') return [];
    const known = this.folders.get(folder.path);
    if (known !== undefined) return known;
    const parent = folder === this.root ? [] : (folder as Node).matched;
    const nodes = readFolder(folder.real).flatMap((name) => this.node(folder, name, parent) ?? []);
    this.folders.set(folder.path, nodes);
    return nodes;
  }

  private node(folder: Entry, name: string, parent: Matched): Node | undefined {
    const path = `${folder.path}/${name}`;
    const real = `${folder.real}/${name}`;
    const stats = statEntry(real);
    if (stats === undefined) return undefined;
    const found = this.patterns?.match(path.slice(1), parent) ?? { hit: false, matched: [] };
    const isFolder = stats.isDirectory();
    if (found.hit && (!isFolder || !this.mayHoldExceptions(path.slice(1)))) return undefined;
    return {
      path,
      real,
      kind: kindOf(stats),
      mode: stats.isSymbolicLink() ? 0o777 : stats.mode & 0o7777,
      size: stats.size,
      target: targetOf(real, stats),
      excluded: found.hit,
      matched: found.matched,
    };
  }

  private mayHoldExceptions(path: string): boolean {
    if (this.patterns === undefined || !this.plainExceptions) return true;
    return this.patterns.all.some(
      ({ exception, text }) => exception && `${withoutGlob(text)}/`.startsWith(`${path}/`),
    );
  }

  private isShown(node: Node): boolean {
    if (!node.excluded) return true;
    const known = this.shown.get(node.path);
    if (known !== undefined) return known;
    const shown = this.nodes(node).some((child) => this.isShown(child));
    this.shown.set(node.path, shown);
    return shown;
  }
}

function withoutGlob(text: string): string {
  return text.replace(/\/\*\*$/, '').replace(/\/\*$/, '');
}

function readFolder(folder: string): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new Undecidable(`${folder} can't be read (${codeOf(error)})`, { cause: error });
  }
  const odd = names.find((name) => name.includes('\ufffd'));
  if (odd !== undefined) {
    throw new Undecidable(`the name of ${folder}/${odd} is not UTF-8`);
  }
  return names.toSorted(compareNames);
}

// Byte order and UTF-16 order differ only for characters beyond the basic plane.
function compareNames(a: string, b: string): number {
  // eslint-disable-next-line no-control-regex
  if (/^[\x00-\x7f]*$/.test(a + b)) return a < b ? -1 : 1;
  return compareBytes(a, b);
}

function statEntry(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    // Gone since the folder was listed: BuildKit leaves it out as well.
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Undecidable(`${path} can't be read (${codeOf(error)})`, { cause: error });
  }
}

function kindOf(stats: Stats): Entry['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  return stats.isSymbolicLink() ? 'link' : 'other';
}

function targetOf(path: string, stats: Stats): string {
  if (stats.isSymbolicLink()) return readlinkSync(path);
  return stats.isFile() || stats.isDirectory() ? '' : `${stats.mode & 0o170000} ${stats.rdev}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
