import type { Source } from './select.ts';
import type { ContextTree } from './tree.ts';

/** Something of a stage that counts. */
export type Piece =
  | { readonly text: unknown }
  | { readonly files: { readonly tree: ContextTree; readonly source: Source } }
  | { readonly stage: StagePlan };

/** One instruction: a `step` makes a layer, `state` (ENV, ARG, …) matters to later steps only. */
export interface StageRecord {
  readonly weight: 'step' | 'state' | 'metadata';
  readonly pieces: readonly Piece[];
}

/** A stage with all it is made from, the stages it starts from included. */
export interface StagePlan {
  readonly records: readonly StageRecord[];
}

/**
 * What of a stage matters to a stage that copies from it: its files, so neither metadata nor
 * variables that no later step sees.
 */
export function filesOnly(plan: StagePlan): StagePlan {
  const records = plan.records.filter(({ weight }) => weight !== 'metadata');
  const last = records.findLastIndex(({ weight }) => weight === 'step');
  return { records: records.slice(0, last + 1) };
}

/** Every distinct request for files in a plan. */
export function fileRequests(
  plan: StagePlan,
): ReadonlyMap<string, { tree: ContextTree; source: Source }> {
  const found = new Map<string, { tree: ContextTree; source: Source }>();
  const seen = new Set<StagePlan>();
  const visit = (stage: StagePlan): void => {
    if (seen.has(stage)) return;
    seen.add(stage);
    for (const piece of stage.records.flatMap(({ pieces }) => pieces)) {
      if ('files' in piece) found.set(requestKey(piece.files), piece.files);
      if ('stage' in piece) visit(piece.stage);
    }
  };
  visit(plan);
  return found;
}

/** The same for the same files of the same folder. */
export function requestKey({ tree, source }: { tree: ContextTree; source: Source }): string {
  return JSON.stringify([tree.root.real, source]);
}
