import type { RunContext } from '../context.ts';

/** Tags that this action writes for itself: content digests, order keys, protected deployments. */
const machineTags = /^(content-[0-9a-f]|lane-|live-)/;

/** Whether a tag's name is one of those this action keeps for its own records. */
export function isMachineTag(tag: string): boolean {
  return machineTags.test(tag);
}

/** The run's tag for people: `run-7`, from a second attempt on `run-7.2`. */
export function runTag(context: Pick<RunContext, 'runNumber' | 'runAttempt'>): string {
  const attempt = context.runAttempt > 1 ? `.${context.runAttempt}` : '';
  return `run-${context.runNumber}${attempt}`;
}

/** Tags set at push when `tags` is empty: the commit's SHA and the run's tag. */
export function defaultTags(
  context: Pick<RunContext, 'sha' | 'runNumber' | 'runAttempt'>,
): readonly string[] {
  return [context.sha, runTag(context)];
}
