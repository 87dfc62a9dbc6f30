import { StringDecoder } from 'node:string_decoder';
import type { SolveStatus, SolveWarning } from './solve-status.ts';
import { duration } from '../wait.ts';

/**
 * What a vertex of BuildKit's graph does, told by its name (BuildKit gives no other sign):
 * `step` an instruction of the Dockerfile that has a cache entry, `base` finding and pulling a base
 * image or frontend, `export` writing and pushing the image, `cache-export` and `cache-import` a
 * `--cache-to` or `--cache-from`, `internal` everything BuildKit does for itself.
 */
export type VertexKind = 'step' | 'base' | 'export' | 'cache-export' | 'cache-import' | 'internal';

export interface Vertex {
  readonly digest: string;
  /** 1, 2, … in the order in which they are shown, as BuildKit's plain progress numbers them; 0: not shown. */
  readonly number: number;
  readonly name: string;
  readonly kind: VertexKind;
  readonly cached: boolean;
  /** Empty: none. */
  readonly error: string;
  /** Time spent, ms; pauses between two intervals of work don't count. */
  readonly ms: number;
  readonly begun: boolean;
  readonly completed: boolean;
  /** The last lines of its output. */
  readonly output: readonly string[];
}

/** Reads `--progress=rawjson` line by line. */
export interface ProgressReader {
  /** Takes a line of stderr; returns what to show of it. */
  read(line: string): readonly string[];
  vertexes(): readonly Vertex[];
  /** Warnings of BuildKit's checks, each once (several platforms repeat them). */
  warnings(): readonly SolveWarning[];
  /** Lines that are no progress: buildx's own words, with the Dockerfile excerpt and `ERROR:`. */
  plain(): readonly string[];
  /** Bytes of the build context that were sent, and of base images and caches that were pulled. */
  bytes(): { readonly context: number; readonly pulled: number };
  /** Digest under which each reference was pushed. */
  pushed(): ReadonlyMap<string, string>;
}

/** How many lines of a step's output are kept for the error block. BuildKit's own keeps 10. */
const keptLines = 30;

interface Entry extends Vertex {
  number: number;
  cached: boolean;
  error: string;
  ms: number;
  begun: boolean;
  completed: boolean;
  output: string[];
  start: number | undefined;
  rest: string;
  /** A chunk may end in the middle of a character. */
  decoder: StringDecoder;
  announced: boolean;
  /** What its last line said; a vertex may end several times, and tell something new. */
  ended: string;
}

export function readProgress(): ProgressReader {
  const entries = new Map<string, Entry>();
  const transfers = new Map<string, { kind: 'context' | 'pulled'; bytes: number }>();
  const warnings = new Map<string, SolveWarning>();
  const pushed = new Map<string, string>();
  const plain: string[] = [];
  let numbered = 0;
  const announce = (entry: Entry): string => {
    entry.announced = true;
    entry.number = numbered += 1;
    return `#${entry.number} ${entry.name}`;
  };

  const read = (line: string): readonly string[] => {
    const status = parse(line);
    if (status === undefined) {
      if (line.trim() !== '' || plain.length > 0) plain.push(line);
      return [];
    }
    const shown: string[] = [];
    for (const vertex of status.vertexes ?? []) {
      const entry = entries.get(vertex.digest) ?? newEntry(vertex.digest, vertex.name ?? '');
      entries.set(vertex.digest, entry);
      time(entry, vertex.started, vertex.completed);
      entry.cached ||= vertex.cached === true;
      entry.error = vertex.error ?? entry.error;
      // Looking up a base image's digest takes no time worth a line until it has taken some.
      const worth = entry.kind !== 'internal' && !entry.name.startsWith('[internal]');
      if (entry.begun && !entry.cached && !entry.announced && worth) shown.push(announce(entry));
    }
    for (const log of status.logs ?? []) {
      const entry = entries.get(log.vertex);
      if (entry === undefined) continue;
      if (!entry.announced) shown.push(announce(entry));
      shown.push(...output(entry, log.data ?? ''));
    }
    for (const { vertex, id, current = 0, total = 0 } of status.statuses ?? []) {
      const entry = entries.get(vertex);
      const [, reference, digest] =
        /^pushing manifest for (.+)@(sha256:[0-9a-f]{64})/.exec(id) ?? [];
      if (reference !== undefined && digest !== undefined) pushed.set(reference, digest);
      // A context's transfer has no total; a pulled layer's `current` starts again when it unpacks.
      if (id.startsWith('transferring ')) keep(transfers, vertex + id, 'context', current);
      else if (entry?.kind === 'base' || entry?.kind === 'step') {
        if (id.startsWith('sha256:'))
          keep(transfers, vertex + id, 'pulled', Math.max(current, total));
      }
    }
    for (const warning of status.warnings ?? []) {
      const line = warning.range?.[0]?.start?.line ?? 0;
      warnings.set(`${warning.sourceInfo?.filename}:${line}:${warning.short}`, warning);
    }
    for (const vertex of status.vertexes ?? []) {
      const entry = entries.get(vertex.digest);
      if (entry !== undefined) shown.push(...ending(entry, announce));
    }
    return shown;
  };

  return {
    read,
    vertexes: () => [...entries.values()],
    warnings: () => [...warnings.values()],
    plain: () => plain,
    pushed: () => pushed,
    bytes: () => {
      const sum = { context: 0, pulled: 0 };
      for (const { kind, bytes } of transfers.values()) sum[kind] += bytes;
      return sum;
    },
  };
}

/** What the cache saved: steps that were found in it, and steps that ran. */
export function countSteps(vertexes: readonly Vertex[]): {
  readonly cached: number;
  readonly run: number;
} {
  const steps = vertexes.filter(
    ({ kind, completed, error }) => kind === 'step' && completed && error === '',
  );
  const cached = steps.filter((step) => step.cached).length;
  return { cached, run: steps.length - cached };
}

/** The vertexes that took longest, first the slowest; what BuildKit does in no time is left out. */
export function slowestOf(
  vertexes: readonly Vertex[],
  count = 10,
): readonly { readonly name: string; readonly ms: number; readonly cached: boolean }[] {
  return vertexes
    .filter(({ kind, ms }) => kind !== 'internal' && ms >= 1)
    .toSorted((a, b) => b.ms - a.ms)
    .slice(0, count)
    .map(({ name, ms, cached }) => ({ name, ms, cached }));
}

/** The kind of a vertex by its name; names as BuildKit 0.12 to 0.32 and buildx write them. */
export function kindOf(name: string): VertexKind {
  const step = /^\[(?:[^\]]* )?\d+\/\d+\] (.*)/s.exec(name);
  if (step !== null) return step[1]?.startsWith('FROM ') === true ? 'base' : 'step';
  if (/^(\[internal\] load metadata for|resolve image config for)/.test(name)) return 'base';
  if (name.startsWith('importing cache manifest from ')) return 'cache-import';
  if (
    /^(exporting (cache|inline cache|content cache)|exporting to GitHub|preparing build cache)/.test(
      name,
    )
  ) {
    return 'cache-export';
  }
  if (/^(exporting to|sending tarball|pushing |merging manifest list)/.test(name)) return 'export';
  return 'internal';
}

/** The cache's type by the name of the vertex that reads or writes it, as in `type=…`. */
export function cacheTypeOf(name: string): string | undefined {
  const exported = /^exporting (?:cache )?to (.*)/.exec(name)?.[1];
  if (exported !== undefined) {
    const types: Record<string, string> = {
      'GitHub Actions Cache': 'gha',
      registry: 'registry',
      'client directory': 'local',
      'Amazon S3': 's3',
      'Azure Blob Storage': 'azblob',
    };
    return types[exported];
  }
  if (name.startsWith('exporting inline cache')) return 'inline';
  const imported = /^importing cache manifest from (.*)/.exec(name)?.[1];
  if (imported === undefined) return undefined;
  return /^(gha|s3|local|azblob):/.exec(imported)?.[1] ?? 'registry';
}

function parse(line: string): SolveStatus | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    const known = ['vertexes', 'statuses', 'logs', 'warnings'];
    if (typeof value !== 'object' || value === null) return undefined;
    return known.some((key) => key in value) ? value : undefined;
  } catch {
    // A line of a Dockerfile excerpt may start with a brace too: then it is text.
    return undefined;
  }
}

function newEntry(digest: string, name: string): Entry {
  const flags = { cached: false, begun: false, completed: false, announced: false };
  const text = { error: '', output: [], rest: '', decoder: new StringDecoder('utf8'), ended: '' };
  return {
    digest,
    number: 0,
    name,
    kind: kindOf(name),
    ms: 0,
    start: undefined,
    ...text,
    ...flags,
  };
}

/** A vertex may be worked on several times: BuildKit then reports a later start. */
function time(entry: Entry, started: string | undefined, completed: string | undefined): void {
  if (started === undefined) return;
  entry.begun = true;
  const start = Date.parse(started);
  if (completed === undefined) {
    entry.start ??= start;
    entry.completed = false;
  } else {
    // The same interval is reported again with `cached` or `error` added: count it once.
    if (!entry.completed) entry.ms += Math.max(0, Date.parse(completed) - (entry.start ?? start));
    entry.start = undefined;
    entry.completed = true;
  }
}

function output(entry: Entry, data: string): readonly string[] {
  const text = entry.decoder.write(Buffer.from(data, 'base64'));
  const parts = (entry.rest + text).split('\n');
  entry.rest = parts.pop() ?? '';
  return parts.map((part) => keepLine(entry, part));
}

/** A progress bar redraws its line after `\r`: only its last state is worth a line. */
function keepLine(entry: Entry, raw: string): string {
  const text = raw.replace(/\r+$/, '').split('\r').at(-1) ?? '';
  entry.output.push(text);
  if (entry.output.length > keptLines) entry.output.shift();
  return `#${entry.number} │ ${text}`;
}

/** Shorter work of BuildKit for itself, and of base images that are there, is not worth a line. ms */
const noticeable = 1000;

function ending(entry: Entry, announce: (entry: Entry) => string): readonly string[] {
  if (!entry.completed) return [];
  const lines: string[] = [];
  if (entry.rest !== '') lines.push(keepLine(entry, entry.rest));
  entry.rest = '';
  let how = `done in ${duration(entry.ms)}`;
  if (entry.cached) how = 'CACHED';
  if (entry.error !== '') how = `failed: ${entry.error}`;
  const silent = entry.kind === 'internal' || entry.kind === 'base';
  if (silent && !entry.cached && entry.error === '' && entry.ms < noticeable) return lines;
  if (entry.kind === 'internal' && entry.cached) return lines;
  // The same end is reported again when other vertexes change.
  if (entry.ended === how) return lines;
  entry.ended = how;
  if (!entry.announced) lines.push(announce(entry));
  lines.push(`#${entry.number} ${how}`);
  return lines;
}

function keep(
  transfers: Map<string, { kind: 'context' | 'pulled'; bytes: number }>,
  key: string,
  kind: 'context' | 'pulled',
  bytes: number,
): void {
  transfers.set(key, { kind, bytes: Math.max(bytes, transfers.get(key)?.bytes ?? 0) });
}
