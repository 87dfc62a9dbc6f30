import { createHash } from 'node:crypto';

/**
 * A run's place in the order. Run ids are one growing sequence on a GitHub server and survive the
 * rename of a workflow file; a re-run keeps its id and counts its attempts up, so a re-run of an old
 * run stays old. (Run numbers start again at 1 after a rename, so they can't order anything.)
 */
export interface OrderKey {
  readonly runId: number;
  readonly runAttempt: number;
}

/** A key tag taken apart. `lane` says which runs supersede each other, `register` what they order. */
export interface KeyTag {
  readonly register: string;
  readonly key: OrderKey;
  readonly lane: string;
}

/** Below 0: `a` is older than `b`; 0: the same attempt of the same run. */
export function compareKeys(a: OrderKey, b: OrderKey): number {
  return a.runId - b.runId || a.runAttempt - b.runAttempt;
}

/** The same, and two jobs of one run that publish to one tag in an order that all agree on. */
export function compareAnnounced(
  a: { readonly key: OrderKey; readonly lane: string },
  b: { readonly key: OrderKey; readonly lane: string },
): number {
  return compareKeys(a.key, b.key) || (a.lane < b.lane ? -1 : Number(a.lane > b.lane));
}

/** `17345678901.2`, for messages and the S3 register. */
export function keyText(key: OrderKey): string {
  return `${key.runId}.${key.runAttempt}`;
}

/** First 8 hex digits of the SHA-256 of `parts`, which no concatenation can confuse. */
export function shortHash(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 8);
}

/**
 * The register of one moving tag. It is the tag's, not the workflow's: whoever moves `latest` of a
 * repository is ordered with all others who do, so renaming a workflow, a job or a branch changes nothing.
 * @param server host of the GitHub server, because run ids of two servers can't be compared.
 */
export function tagRegister(server: string, tag: string): string {
  return shortHash('tag', server, tag);
}

/** The register of runs that move no tag: the lane's own. */
export function laneRegister(server: string, lane: string): string {
  return shortHash('lane', server, lane);
}

/** The register of what one Lambda function runs. @param arn the function's ARN without version or alias. */
export function functionRegister(arn: string): string {
  return shortHash('function', arn);
}

/** Prefix of all key tags of a register. */
export function keyTagPrefix(register: string): string {
  return `lane-${register}.`;
}

/** `lane-<8 hex register>.<run_id>.<attempt>-<8 hex lane>`: the tag by which a run announces an image. */
export function keyTag(register: string, key: OrderKey, lane: string): string {
  return `${keyTagPrefix(register)}${keyText(key)}-${lane}`;
}

const KEY_TAG = /^lane-([0-9a-f]{8})\.(\d{1,16})\.(\d{1,6})-([0-9a-f]{8})$/;

/** Undefined: not a key tag. */
export function parseKeyTag(tag: string): KeyTag | undefined {
  const [, register, runId, runAttempt, lane] = KEY_TAG.exec(tag) ?? [];
  if (!register || !runId || !runAttempt || !lane) return undefined;
  const key = { runId: Number(runId), runAttempt: Number(runAttempt) };
  return Number.isSafeInteger(key.runId) ? { register, key, lane } : undefined;
}

/** The highest key of `register` among `tags`; of one lane only when `lane` is given. */
export function highestKey(
  tags: Iterable<string>,
  register: string,
  lane?: string,
): KeyTag | undefined {
  let highest: KeyTag | undefined;
  for (const tag of tags) {
    const parsed = parseKeyTag(tag);
    if (parsed === undefined || parsed.register !== register) continue;
    if (lane !== undefined && parsed.lane !== lane) continue;
    if (highest === undefined || compareAnnounced(parsed, highest) > 0) highest = parsed;
  }
  return highest;
}

/** Key tags of `register` that a higher one of the same lane on the same image makes useless. */
export function uselessKeyTags(tags: readonly string[], register: string): string[] {
  return tags.filter((tag) => {
    const parsed = parseKeyTag(tag);
    if (parsed === undefined || parsed.register !== register) return false;
    const highest = highestKey(tags, register, parsed.lane);
    return highest !== undefined && compareKeys(parsed.key, highest.key) < 0;
  });
}

/**
 * Which run announced `digest` in `register`: the highest, when several built the same image.
 * Undefined: nobody did; it came from outside the order. Throws what `tagsOf` throws.
 */
export async function keyOfDigest(
  ecr: { tagsOf(repository: string, digest: string): Promise<readonly string[]> },
  repository: string,
  register: string,
  digest: string,
): Promise<OrderKey | undefined> {
  return highestKey(await ecr.tagsOf(repository, digest), register)?.key;
}
