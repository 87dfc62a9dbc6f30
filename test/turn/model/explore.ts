import type { Config } from '../../../src/turn/protocol.ts';
import { production, type Machine, type Seen, type Setup, type World } from './setup.ts';
import { LATE, REGISTER, worldOf, type Model } from './world.ts';

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  readonly atRest: number;
  /** Windows: what is allowed to happen, how often it was seen. */
  readonly windows: Readonly<Record<Window, number>>;
  /** The first broken promise and how it came to it. */
  readonly broken: { readonly promise: string; readonly trace: readonly string[] } | undefined;
}

/** What the protocol can't exclude in a registry without compare-and-set; see docs/ordering.md. */
export type Window =
  /** The tag stood at an older image for the moment between a put and the read that verifies it. */
  | 'steps back for a moment'
  /** At rest at the wrong image because a killed run's write landed when all others had finished. */
  | 'late write of a killed run'
  /** At rest at the wrong image because a run was killed in between and its post step never came. */
  | 'killed, no post';

export interface Limits {
  readonly states?: number;
}

/** Breadth-first through every interleaving of `setup`, checking every promise in every state. */
export function explore(
  setup: Setup,
  machine: Machine = production,
  limits: Limits = {},
): Explored {
  const model = worldOf(setup, machine);
  const windows = { ...NO_WINDOWS };
  const most = limits.states ?? 5_000_000;
  const ids = new Map<string, number>();
  const worlds: World[] = [];
  const parents: number[] = [];
  const labels: string[] = [];
  let transitions = 0;
  let atRest = 0;
  let broken: Explored['broken'];

  const add = (world: World, parent: number, label: string): number => {
    const name = String.fromCharCode(...world);
    let id = ids.get(name);
    if (id !== undefined) return id;
    id = worlds.push(world) - 1;
    ids.set(name, id);
    parents.push(parent);
    labels.push(label);
    return id;
  };
  const trace = (id: number, last: string): string[] => {
    const lines = [last];
    for (let at = id; at > 0; at = parents[at] ?? 0) lines.push(labels[at] ?? '');
    return lines.toReversed();
  };

  add(model.first, 0, '');
  for (let id = 0; id < worlds.length && broken === undefined; id += 1) {
    const world = worlds[id] ?? [];
    if (model.atRest(world)) {
      atRest += 1;
      const verdict = judgeRest(model, machine, world);
      if (verdict.window !== undefined) windows[verdict.window] += 1;
      if (verdict.broken !== undefined) broken = { promise: verdict.broken, trace: trace(id, '') };
    }
    let ways = 0;
    model.visit(world, (then, label, seen) => {
      transitions += 1;
      ways += 1;
      if (seen.back === true) windows['steps back for a moment'] += 1;
      const promise = judgeStep(setup, model, world, then, seen);
      if (promise !== undefined) broken ??= { promise, trace: trace(id, label) };
      add(then, id, label);
    });
    if (ways === 0 && !model.atRest(world)) {
      broken ??= { promise: 'nobody waits for ever', trace: trace(id, '') };
    }
    if (worlds.length > most) throw new Error(`More than ${most} states.`);
  }
  return { states: worlds.length, transitions, atRest, windows, broken };
}

export const NO_WINDOWS: Record<Window, number> = {
  'steps back for a moment': 0,
  'late write of a killed run': 0,
  'killed, no post': 0,
};

/** Nothing goes wrong: no kill, no copy, no stale list, no timeout. */
function faultless(setup: Setup): boolean {
  return (
    (setup.crashes ?? 0) + (setup.copies ?? 0) + (setup.lags ?? 0) === 0 && setup.timeouts !== true
  );
}

/** The promises about each step. @returns the one that is broken. */
export function judgeStep(
  setup: Setup,
  model: Model,
  _before: World,
  after: World,
  seen: Seen,
): string | undefined {
  if (seen.fell === true) return 'the register never falls';
  if (seen.waitedSuperseded !== undefined) return 'a superseded run makes no wait';
  // A re-run is superseded by whatever has announced before it began: that is no fault of waiting.
  const inOrder =
    setup.inTurn && faultless(setup) && setup.runs.every((run) => run.after === undefined);
  if (inOrder && seen.back === true) return 'in turn and without faults the tag never steps back';
  if (seen.ended === undefined) return undefined;
  const { run, result } = seen.ended;
  const register = after[REGISTER] ?? 0;
  if (result.kind === 'superseded') {
    if (inOrder) return 'in turn and without faults nobody is superseded';
    const lane = model.configs[run]?.lane;
    const newer = model.configs.some(
      (config, other) => other > run && config.lane === lane && (register & (1 << other)) !== 0,
    );
    return newer ? undefined : 'superseded only by a newer announced run of the lane';
  }
  if (model.newest(register) < run) return 'a run that ends well has announced itself';
  return undefined;
}

/** The promises about a world at rest. */
export function judgeRest(
  model: Model,
  machine: Machine,
  world: World,
): { broken?: string; window?: Window } {
  if (model.settled(world)) return {};
  const late = world[LATE] === 1;
  if (!late && !model.lost(world)) return { broken: 'at rest the tag is at the newest announced' };
  // Whatever was cut off, the next run that comes by puts it right, also one that is superseded.
  const lane = model.configs[model.newest(world[REGISTER] ?? 0)]?.lane ?? 'a';
  const old: Config = { key: { runId: 1, runAttempt: 1 }, lane, inTurn: false, hasTag: true };
  if (!model.heals(world, old, machine.start(old))) return { broken: 'a superseded run helps' };
  if (!model.heals(world, old, machine.resume(old))) return { broken: 'the post step heals' };
  return { window: late ? 'late write of a killed run' : 'killed, no post' };
}
