import { cacheTypeOf, type Vertex } from './progress.ts';

/** What a build that ended with an exit code other than 0 left behind. */
export interface FailedBuild {
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly vertexes: readonly Vertex[];
  /** stderr without the progress. */
  readonly plain: readonly string[];
  readonly stdout: string;
}

export type PushReason = 'interrupted' | 'denied' | 'immutable' | 'no-repository' | 'refused';

export type BuildFailure = { readonly text: string } & (
  | {
      /** buildx ended before BuildKit did anything: no plugin, no builder, a refused option. */
      readonly kind: 'not-started';
    }
  | {
      readonly kind: 'push';
      /**
       * `interrupted`: the network or the registry's 5xx; `denied`: 401, 403, an expired token;
       * `immutable`: the tag is there on another image; `no-repository`; `refused`: anything else.
       */
      readonly reason: PushReason;
    }
  | {
      readonly kind: 'cache';
      readonly direction: 'import' | 'export';
      /** `type=…` of the cache; undefined: BuildKit doesn't say. */
      readonly type: string | undefined;
    }
  /** A base image or frontend that could not be found or pulled. */
  | { readonly kind: 'base'; readonly transient: boolean; readonly name: string }
  /** A step of the Dockerfile. */
  | { readonly kind: 'step'; readonly name: string; readonly exitCode: number | undefined }
  /** The connection to BuildKit broke. */
  | { readonly kind: 'builder-lost' }
  | { readonly kind: 'other' }
);

/** The network's and the registries' passing failures, in the words of Go's net/http, containerd and registries. */
const passing =
  /connection (reset|refused)|broken pipe|unexpected EOF|: EOF\b|i\/o timeout|TLS handshake timeout|context deadline exceeded|deadline exceeded while|temporary failure in name resolution|server misbehaving|network is unreachable|use of closed network connection|http2: |stream error|toomanyrequests|too many requests|rate exceeded|\b(429|500|502|503|504)\b|bad gateway|service unavailable|gateway timeout|internal server error|server closed idle connection/i;

const denying =
  /\b(401|403)\b|unauthorized|forbidden|denied|authorization token|token has expired|no basic auth credentials|authentication required|not authorized|authorization failed|ExpiredToken/i;

/**
 * BuildKit on the containerd image store words some of ECR's refusals as `unknown: …`, and a 403 on
 * HEAD has no text of the registry's at all (only the status).
 */
const unknown = /unexpected status from (HEAD|GET|POST|PUT|PATCH) request.*: 4\d\d|: unknown: /i;

/** Blobs of an imported cache are fetched late, when a step needs them: the step's error then speaks of the cache. */
const brokenCache =
  /failed to (load cache|get read closer|load ref|copy: httpReadSeeker)|httpReadSeeker: failed open|failed to fetch .*cache|lazy|missing descriptor|unable to (fetch|find) descriptor|could not (fetch|read) content descriptor|failed to extract layer|invalid (cache|checksum)|unexpected commit digest|failed commit on ref/i;

/** Whether a text speaks of something that passes by itself. */
export function isPassing(text: string): boolean {
  return passing.test(text);
}

/**
 * Finds out what failed: by the vertex whose error ended the build, by buildx's last words only where
 * no vertex carries it.
 */
export function classifyFailure(build: FailedBuild): BuildFailure {
  const last = finalError(build.plain);
  const backend = /unknown cache (exporter|importer): "(\w+)"/.exec(last);
  if (backend !== null) {
    const direction = backend[1] === 'exporter' ? 'export' : 'import';
    return { kind: 'cache', direction, type: backend[2], text: last };
  }
  if (build.vertexes.every(({ begun }) => !begun)) return { kind: 'not-started', text: last };
  const vertex = causeOf(build.vertexes, last);
  const text = vertex?.error ?? last;
  switch (vertex?.kind) {
    case 'cache-export':
      return { kind: 'cache', direction: 'export', type: cacheTypeOf(vertex.name), text };
    case 'cache-import':
      return { kind: 'cache', direction: 'import', type: cacheTypeOf(vertex.name), text };
    case 'export':
      return exportFailure(text);
    case 'base':
      return { kind: 'base', transient: passing.test(text), name: vertex.name, text };
    case 'step': {
      if (isCachesFault(text, build.vertexes)) {
        return { kind: 'cache', direction: 'import', type: undefined, text };
      }
      const code = /exit code: (\d+)/.exec(text)?.[1];
      const exitCode = code === undefined ? undefined : Number(code);
      return { kind: 'step', name: vertex.name, exitCode, text };
    }
    default:
      return failureByWords(last === '' ? text : last);
  }
}

/**
 * Whether a step failed because of layers that a cache promised. The words for a cut, wrong or missing
 * blob are many (`short read`, `gzip: invalid header`), so where a cache was read, every failure counts
 * but the user's own: a command that ended badly, a file to copy that isn't there. One more build
 * without the cache then tells.
 */
function isCachesFault(text: string, vertexes: readonly Vertex[]): boolean {
  if (/did not complete successfully/.test(text)) return false;
  if (brokenCache.test(text)) return true;
  if (/failed to calculate checksum of ref .*: not found$/.test(text)) return false;
  return vertexes.some(
    ({ kind, begun, error }) => kind === 'cache-import' && begun && error === '',
  );
}

/** When one vertex fails, the others end with "context canceled"; caches that failed may have been ignored. */
function causeOf(vertexes: readonly Vertex[], last: string): Vertex | undefined {
  const failed = vertexes.filter(
    ({ error }) => error !== '' && !error.endsWith('context canceled'),
  );
  const named = failed.findLast(({ error }) => last.includes(error));
  return named ?? failed.findLast(({ kind }) => kind !== 'cache-import' && kind !== 'cache-export');
}

/** Writing the image: only a push talks to a registry, but it also writes what a cache left to be fetched. */
function exportFailure(text: string): BuildFailure {
  if (!/failed to push/.test(text) && brokenCache.test(text)) {
    return { kind: 'cache', direction: 'import', type: undefined, text };
  }
  if (/failed to push|failed to do request|unexpected status/.test(text) || passing.test(text)) {
    return { kind: 'push', reason: pushReason(text), text };
  }
  return { kind: 'other', text };
}

function failureByWords(text: string): BuildFailure {
  if (/failed to push/i.test(text)) return { kind: 'push', reason: pushReason(text), text };
  if (
    /error reading from server|transport is closing|failed to (list workers|receive status)/i.test(
      text,
    )
  ) {
    return { kind: 'builder-lost', text };
  }
  const cache =
    /failed to (?:configure|initialize|resolve|export|import) .*cache (exporter|importer)?/i.exec(
      text,
    );
  if (cache !== null) {
    const direction = cache[1] === 'importer' ? 'import' : 'export';
    return { kind: 'cache', direction, type: undefined, text };
  }
  return { kind: 'other', text };
}

function pushReason(text: string): PushReason {
  // ECR: "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the tag is immutable."
  if (/immutable|tag invalid/i.test(text)) return 'immutable';
  // ECR: "name unknown: The repository with name 'app' does not exist in the registry with id '…'".
  if (
    /name unknown|NAME_UNKNOWN|repository with name .* does not exist|RepositoryNotFound/i.test(
      text,
    )
  ) {
    return 'no-repository';
  }
  if (denying.test(text)) return 'denied';
  if (passing.test(text)) return 'interrupted';
  return unknown.test(text) ? 'denied' : 'refused';
}

/** buildx's last words without `ERROR: ` and its own wrapping. */
export function finalError(plain: readonly string[]): string {
  const at = plain.findLastIndex((line) => line.startsWith('ERROR: '));
  const lines = at < 0 ? plain.filter((line) => line.trim() !== '').slice(-5) : plain.slice(at);
  return lines
    .join('\n')
    .trim()
    .replace(/^ERROR: (failed to build: )?(failed to solve: )?/, '');
}

/**
 * BuildKit's error block as its plain progress writes it: the failed step with its last output, the
 * lines of the Dockerfile with a marker, the error.
 */
export function failureBlock(build: FailedBuild, lastLines = 20): string {
  const parts: string[] = [];
  for (const vertex of build.vertexes) {
    if (vertex.error === '' || vertex.error.endsWith('context canceled')) continue;
    if (vertex.kind === 'internal' && vertex.output.length === 0) continue;
    parts.push('------', ` > ${vertex.name}:`, ...vertex.output.slice(-lastLines), '------');
  }
  return [...parts, ...build.plain].join('\n').trimEnd();
}

/** Where in the Dockerfile it failed, from the excerpt that buildx prints (`Dockerfile:3`, then dashes). */
export function failedLine(
  plain: readonly string[],
): { readonly file: string; readonly line: number } | undefined {
  for (const [index, text] of plain.entries()) {
    const match = /^(\S.*):(\d+)$/.exec(text);
    if (match !== null && plain[index + 1]?.startsWith('--------') === true) {
      // The excerpt's title names its first marked line.
      return { file: match[1] ?? '', line: Number(match[2]) };
    }
  }
  return undefined;
}
