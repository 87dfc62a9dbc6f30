import type { Ecr } from '../systems/ecr.ts';
import { compareAnnounced } from './keys.ts';
import type { Announced, View } from './protocol.ts';

/** What the order needs of ECR. `tagged`: tag → digest of every tag that begins with `prefix`. */
export type OrderEcr = Pick<
  Ecr,
  'tagDigests' | 'manifest' | 'putTag' | 'deleteTags' | 'tagsOf' | 'repository'
> & {
  tagged(repository: string, prefix: string): Promise<ReadonlyMap<string, string>>;
};

/**
 * The max register of one moving tag. Its value never falls: announcing a lower key than what is
 * there changes nothing that `read` shows as `top`.
 */
export interface Register {
  /** 8 hex digits. */
  readonly id: string;
  /** The highest of all and the highest of `lane`. */
  read(lane: string): Promise<View>;
  /** Makes `image` visible to all later reads. Announcing the same again is fine. */
  announce(image: Announced): Promise<void>;
  /** Tidies up what `image` makes useless. Never needed for correctness. */
  prune(image: Announced): Promise<void>;
}

/** A run that is before this one and hasn't published yet. */
export interface Blocker {
  readonly runId: number;
  /** `run #17 (attempt 2)`, as people know it. */
  readonly name: string;
  /** Link to it, where known. */
  readonly url: string | undefined;
  /** What it is doing, for people: `publishing`, `hasn't started`. */
  readonly doing: string;
}

export type Look =
  | { readonly is: 'free' }
  | { readonly is: 'blocked'; readonly by: Blocker }
  /** No answer that can be relied on; ask again, after `retryAfterMs` where the other side said so. */
  | { readonly is: 'unknown'; readonly why: string; readonly retryAfterMs: number | undefined };

/** How a run learns of the earlier live ones, for in-turn: GitHub's list, or flags the runs raise. */
export interface Ahead {
  /** Called once when the run begins, as early as possible. */
  begin(): Promise<void>;
  /**
   * The newest earlier run of the lane that is still to publish.
   * @param announced the newest of the lane that has announced: anything before it is superseded.
   */
  look(announced: Announced | undefined): Promise<Look>;
  /** Called when the run has published or given up; also by the post step. Never throws for a missing flag. */
  finish(): Promise<void>;
}

/** The higher of two. */
export function higher(a: Announced | undefined, b: Announced | undefined): Announced | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareAnnounced(b, a) > 0 ? b : a;
}
