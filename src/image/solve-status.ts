/**
 * One line of `docker buildx build --progress=rawjson`: BuildKit's `client.SolveStatus` as JSON.
 * Byte strings are base64. Only the fields that are read here.
 */
export interface SolveStatus {
  readonly vertexes?: readonly SolveVertex[];
  readonly statuses?: readonly SolveTransfer[];
  readonly logs?: readonly { readonly vertex: string; readonly data?: string }[];
  readonly warnings?: readonly SolveWarning[];
}

export interface SolveVertex {
  readonly digest: string;
  readonly name?: string;
  /** RFC 3339. */
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: boolean;
  readonly error?: string;
}

export interface SolveTransfer {
  readonly id: string;
  readonly vertex: string;
  readonly current?: number;
  readonly total?: number;
}

export interface SolveWarning {
  /** base64: `RuleName: what is wrong (line 3)`. */
  readonly short?: string;
  /** base64 each. */
  readonly detail?: readonly string[];
  readonly url?: string;
  readonly sourceInfo?: { readonly filename?: string };
  readonly range?: readonly SourceRange[];
}

/** Lines count from 1. */
export interface SourceRange {
  readonly start?: { readonly line?: number };
  readonly end?: { readonly line?: number };
}
