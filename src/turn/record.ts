import type { OrderKey } from './keys.ts';

/**
 * What the post step must know to finish a publication that was cut off. Plain JSON, no secrets.
 * `phase`: `waiting`: nothing announced; `publishing`: an announcement may have been sent and tags may
 * not be moved yet; `done`: nothing is left to do.
 */
export interface TurnRecord {
  readonly schema: 1;
  readonly phase: 'waiting' | 'publishing' | 'done';
  readonly key: OrderKey;
  readonly lane: string;
  readonly repository: { readonly name: string; readonly uri: string };
  readonly registers: readonly RegisterRecord[];
  readonly state: 'github' | 'registry' | 's3';
  readonly bucket: string;
  /** Whether this run may have raised a flag that others wait for. */
  readonly flag: boolean;
  /** ms, as order-timeout. */
  readonly timeout: number;
  readonly digest: string | undefined;
}

export interface RegisterRecord {
  readonly id: string;
  /** Undefined: a register without a moving tag. */
  readonly tag: string | undefined;
}

/** Reads back what was saved as JSON. Undefined: not a record of this version. */
export function readTurnRecord(json: unknown): TurnRecord | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  return 'schema' in json && json.schema === 1 && 'phase' in json && 'registers' in json
    ? (json as TurnRecord)
    : undefined;
}
