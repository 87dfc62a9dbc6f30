import type { GitHubActions } from '../../systems/github.ts';
import type { Clock } from '../../wait.ts';
import { answerOf } from './github.ts';
import { compareKeys, keyText, type OrderKey } from '../keys.ts';
import type { Ahead, Look } from '../register.ts';

/** A flag that a run raised when it began and lowers when it has published or given up. */
export interface Flag {
  readonly key: OrderKey;
  /** When it was raised, in ms since 1970, by the clock of the runner that raised it. */
  readonly since: number;
  readonly url: string | undefined;
}

/** Where flags are kept. */
export interface FlagStore {
  raise(flag: Flag): Promise<void>;
  lower(key: OrderKey): Promise<void>;
  all(): Promise<readonly Flag[]>;
}

/** How long a flag is believed before GitHub is asked whether its run still lives, in ms. */
const ASK_AFTER = 60_000;

export interface FlagOptions {
  readonly key: OrderKey;
  readonly url: string | undefined;
  /** A flag older than this many ms (order-timeout) is that of a dead run. */
  readonly timeout: number;
  /** Link to a run by its id. */
  readonly urlOf: (runId: number) => string;
  /** Asked whether a run that is waited for long still lives, where it may be asked. */
  readonly github: GitHubActions | undefined;
}

/**
 * Learns of earlier live runs from flags they raised themselves, without GitHub's API. A run that hasn't
 * begun yet has no flag and isn't waited for. A run whose machine died leaves its flag: it is ignored
 * once it is older than `timeout`, or as soon as GitHub (where `actions: read` allows) says it is over.
 */
export function flagAhead(flags: FlagStore, options: FlagOptions, clock: Clock): Ahead {
  const { key } = options;
  let raised = false;
  let askGitHub = options.github !== undefined;
  const firstSeen = new Map<number, number>();

  const isOver = async (runId: number): Promise<boolean> => {
    const since = firstSeen.get(runId) ?? clock.now();
    firstSeen.set(runId, since);
    if (!askGitHub || options.github === undefined || clock.now() - since < ASK_AFTER) return false;
    try {
      const run = await options.github.run(runId);
      return run === undefined || run.status === 'completed';
    } catch (error) {
      // This mode promises to work without that permission; without an answer the flag's age decides.
      const { status } = answerOf(error);
      if (status === 403 || status === 401) askGitHub = false;
      return false;
    }
  };

  return {
    async begin() {
      await flags.raise({ key, since: clock.now(), url: options.url });
      raised = true;
    },

    async look(announced): Promise<Look> {
      const earlier = (await flags.all())
        .filter((flag) => compareKeys(flag.key, key) < 0 && flag.key.runId !== key.runId)
        .filter((flag) => clock.now() - flag.since < options.timeout)
        .filter((flag) => flag.key.runId >= (announced?.key.runId ?? 0))
        .sort((a, b) => compareKeys(b.key, a.key));
      for (const flag of earlier) {
        if (await isOver(flag.key.runId)) continue;
        return {
          is: 'blocked',
          by: {
            runId: flag.key.runId,
            name: `run ${keyText(flag.key)}`,
            url: flag.url ?? options.urlOf(flag.key.runId),
            doing: 'not yet published',
          },
        };
      }
      return { is: 'free' };
    },

    async finish() {
      if (raised) await flags.lower(key);
      raised = false;
    },
  };
}
