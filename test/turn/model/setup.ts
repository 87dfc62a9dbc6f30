// What the model checker is given, and what it tells of each step.
import type { OrderKey } from '../../../src/turn/keys.ts';
import * as protocol from '../../../src/turn/protocol.ts';
import type { Config, Event, Step } from '../../../src/turn/protocol.ts';

/** The machine under test: the production one, or a mutant of it. */
export interface Machine {
  readonly start: (config: Config) => Step;
  readonly step: (config: Config, state: protocol.State, event: Event) => Step;
  readonly resume: (config: Config) => Step;
}

export const production: Machine = {
  start: protocol.start,
  step: protocol.step,
  resume: () => protocol.resume(),
};

export interface RunSetup {
  /** Its lane; runs of other lanes share the tag only. Default `a`. */
  readonly lane?: string;
  /** Which image it builds; runs with the same number build the same. Default: its own. */
  readonly image?: number;
  /** Begins when that run (by index) is over. For re-runs. */
  readonly after?: number;
  /** The key it believes to have, for mutants. Default: its place. */
  readonly key?: OrderKey;
  /** GitHub run it is an attempt of, by index. */
  readonly attemptOf?: number;
}

export interface Setup {
  /** In the order of events: a later one is newer. */
  readonly runs: readonly RunSetup[];
  readonly inTurn: boolean;
  /** How many crashes (kill without a word, in main or post), copies of writes, stale lists there may be. */
  readonly crashes?: number;
  readonly copies?: number;
  readonly lags?: number;
  /** Whether builds may fail, runs be cancelled before they announce. */
  readonly failures?: boolean;
  /** Whether order-timeout may strike. */
  readonly timeouts?: boolean;
  /** Whom a run waits for: all earlier live runs, or (mutant) only the one before. */
  readonly waitsFor?: 'all' | 'previous';
  /** `set`: announcements add up. `last` (mutant): the last write wins. */
  readonly register?: 'set' | 'last';
  /** Whether the tag is at a foreign image at first. */
  readonly foreign?: boolean;
}

/** A run's life. `dead`: killed, its post step may come or not. */
export const Life = { live: 0, ended: 1, dead: 2, failed: 3, post: 4, repaired: 5 } as const;

export type World = readonly number[];

/** What a transition did that a property may forbid. */
export interface Seen {
  /** The tag went from a newer run's image to an older one's. */
  back?: boolean;
  /** A run ended, with what, and what the register then held. */
  ended?: { run: number; result: protocol.Result };
  /** A run that the register showed to be superseded went on to wait. */
  waitedSuperseded?: number;
  /** The register's value fell. */
  fell?: boolean;
}

export type Visit = (next: World, label: string, seen: Seen) => void;
