import type { AwsInputs, OrderInputs } from './inputs/inputs.ts';
import type { Log } from './systems/runner.ts';

/**
 * What main has acquired and post must undo, finish or save. One JSON value, saved again at each
 * change, since a cancelled main gets no chance to save at its end. Holds no secret.
 */
export interface State {
  readonly version: 1;
  /** Private folder: Docker configuration, secrets' files, metadata. Removed by post. */
  temp?: string;
  /** What repairing needs of the inputs: they are not read again, since their files may be gone. */
  asked?: Asked;
  builder?: unknown;
  python?: unknown;
  mounts?: unknown;
  localCache?: unknown;
  /** Order: written before the run announces its image; cleared when tags are settled. */
  publish?: unknown;
  /** Deploy: written before the first function is changed; cleared when all are settled. */
  deploy?: unknown;
}

export interface Asked {
  readonly aws: AwsInputs;
  readonly order: OrderInputs;
  readonly registryId?: string | undefined;
}

const NAME = 'ship-to-ecr';

/** Saves state through the runner: each change is written at once. */
export interface StateStore {
  readonly state: Readonly<State>;
  set<K extends Exclude<keyof State, 'version'>>(key: K, value: State[K]): void;
}

export function openState(runner: { saveState(name: string, value: string): void }): StateStore {
  const state: State = { version: 1 };
  return {
    state,
    set(key, value) {
      if (value === undefined) delete state[key];
      else state[key] = value;
      runner.saveState(NAME, JSON.stringify(state));
    },
  };
}

/**
 * State as main left it; undefined when main never came to acquire anything.
 * State of another version of this action (never within one job) is refused with a warning.
 */
export function loadState(runner: { getState(name: string): string }, log: Log): State | undefined {
  const text = runner.getState(NAME);
  if (text === '') return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null && 'version' in value && value.version === 1) {
    return value as State;
  }
  log.warning('The state that the main step left is of another version; nothing is cleaned up.');
  return undefined;
}
