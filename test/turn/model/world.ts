// The world around the protocol's machine, for the model checker: a register, one moving tag, and
// messages that are sent, delivered and acknowledged as separate steps, may be lost with their sender,
// sent again, or arrive late. Everything is small integers, so that millions of states fit.
import { compareKeys } from '../../../src/turn/keys.ts';
import type { Announced, Config, Event, Step, View } from '../../../src/turn/protocol.ts';
import { at, interned } from './interned.ts';
import { Life, type Machine, type Seen, type Setup, type Visit, type World } from './setup.ts';

// World layout: what is shared, then four numbers a run.
export const REGISTER = 0;
export const TAG = 1;
const CRASHES = 2;
const COPIES = 3;
const LAGS = 4;
/** 1 once a write arrived that its sender no longer waited for, and changed something. */
export const LATE = 5;
const SHARED = 6;
const PER_RUN = 4;
const LIFE = 0;
const STEP = 1;
const ANSWER = 2;
/** Copies of writes still on their way: bit 0 the announcement, bit d a put of image d. */
const FLYING = 3;

const FOREIGN = 15;

export function worldOf(setup: Setup, machine: Machine) {
  const count = setup.runs.length;
  const configs: readonly Config[] = setup.runs.map((run, at) => ({
    key: run.key ?? { runId: 100 + at, runAttempt: 1 },
    lane: run.lane ?? 'a',
    inTurn: setup.inTurn,
    hasTag: true,
  }));
  const imageOf = (run: number) => setup.runs[run]?.image ?? run + 1;
  const digestOf = (image: number) => `sha256:${image}`;
  const imageIn = (digest: string) => Number(digest.slice('sha256:'.length));
  /** The newest run that builds `image`; -1: none of ours. */
  const newestOf = (image: number) => setup.runs.findLastIndex((_, run) => imageOf(run) === image);

  const { steps, events, stepId, eventId, next } = interned(machine, configs);

  const announcedBy = (run: number): Announced => {
    const { key, lane } = at(configs, run);
    return { key, lane, digest: digestOf(imageOf(run)) };
  };
  const views = new Map<string, View>();
  const viewOf = (register: number, lane: string): View => {
    const name = `${register}${lane}`;
    let view = views.get(name);
    if (view === undefined) {
      let top: Announced | undefined;
      let own: Announced | undefined;
      for (let run = 0; run < count; run += 1) {
        if ((register & (1 << run)) === 0) continue;
        const one = announcedBy(run);
        if (top === undefined || compareKeys(one.key, top.key) > 0) top = one;
        if (one.lane === lane && (own === undefined || compareKeys(one.key, own.key) > 0))
          own = one;
      }
      views.set(name, (view = { top, own }));
    }
    return view;
  };
  /** The newest run, by the order of events, that the register holds; -1: none. */
  const newest = (register: number) => 31 - Math.clz32(register);

  const slot = (run: number, what: number) => SHARED + run * PER_RUN + what;
  const life = (world: World, run: number) => at(world, slot(run, LIFE));

  const announce = (world: number[], run: number) => {
    const before = at(world, REGISTER);
    world[REGISTER] = setup.register === 'last' ? 1 << run : before | (1 << run);
    return newest(at(world, REGISTER)) < newest(before);
  };
  const put = (world: number[], image: number) => {
    const before = newestOf(at(world, TAG));
    world[TAG] = image;
    return newestOf(image) < before;
  };

  const blocked = (world: World, run: number): boolean => {
    const own = newest(at(world, REGISTER));
    const root = (one: number) => setup.runs[one]?.attemptOf ?? one;
    for (let other = run - 1; other >= 0; other -= 1) {
      if (life(world, other) === Life.live && other >= own && root(other) !== root(run)) {
        const { after } = at(setup.runs, other);
        if (after === undefined || life(world, after) !== Life.live) return true;
      }
      if (setup.waitsFor === 'previous') return false;
    }
    return false;
  };

  const first: World = [
    0,
    setup.foreign === true ? FOREIGN : 0,
    setup.crashes ?? 0,
    setup.copies ?? 0,
    setup.lags ?? 0,
    0,
    ...configs.flatMap((config, run) => [Life.live, stepId(run, machine.start(config)), 0, 0]),
  ];

  function settled(world: World): boolean {
    const top = newest(at(world, REGISTER));
    return top < 0 || at(world, TAG) === imageOf(top);
  }

  /** All that can happen next. */
  function visit(world: World, tell: Visit): void {
    for (let run = 0; run < count; run += 1) {
      const flying = at(world, slot(run, FLYING));
      for (let bit = 0; flying >> bit > 0; bit += 1) {
        if ((flying & (1 << bit)) !== 0) land(world, run, bit, tell);
      }
      const alive = life(world, run);
      if (alive === Life.dead) {
        const then = [...world];
        then[slot(run, LIFE)] = Life.post;
        then[slot(run, STEP)] = stepId(run, machine.resume(at(configs, run)));
        then[slot(run, ANSWER)] = 0;
        tell(then, `${run} post`, {});
      }
      if (alive !== Life.live && alive !== Life.post) continue;
      const after = setup.runs[run]?.after;
      if (after !== undefined && life(world, after) === Life.live) continue;
      if (at(world, slot(run, ANSWER)) === 0) deliver(world, run, tell);
      else acknowledge(world, run, tell);
      if (at(world, CRASHES) > 0) crash(world, run, tell);
    }
  }

  /** A copy of a write arrives whose sender doesn't listen any more, or listens to another copy. */
  function land(world: World, run: number, bit: number, tell: Visit): void {
    const then = [...world];
    then[slot(run, FLYING)] = at(world, slot(run, FLYING)) & ~(1 << bit);
    const seen: Seen = {};
    if (bit === 0) seen.fell = announce(then, run);
    else seen.back = put(then, bit);
    if (then[REGISTER] !== world[REGISTER] || then[TAG] !== world[TAG]) then[LATE] = 1;
    tell(then, `${run} late ${bit === 0 ? 'announce' : `put ${bit}`}`, seen);
  }

  /** The effect happens in the world; its answer is on the way back. */
  function deliver(world: World, run: number, tell: Visit): void {
    const { effect } = at(steps, at(world, slot(run, STEP)));
    const answer = (event: Event, label: string, change?: (then: number[]) => Seen | undefined) => {
      const then = [...world];
      then[slot(run, ANSWER)] = eventId(event) + 1;
      tell(then, `${run} ${label}`, change?.(then) ?? {});
    };
    const copy = (bit: number) => {
      const flying = at(world, slot(run, FLYING));
      if (at(world, COPIES) === 0 || (flying & (1 << bit)) !== 0) return;
      const then = [...world];
      then[COPIES] = at(world, COPIES) - 1;
      then[slot(run, FLYING)] = flying | (1 << bit);
      tell(then, `${run} sends again`, {});
    };
    // The build fails, or somebody cancels, while nothing is announced yet.
    const fail = () => {
      if (setup.failures !== true) return;
      const then = [...world];
      then[slot(run, LIFE)] = Life.failed;
      then[slot(run, STEP)] = 0;
      tell(then, `${run} fails`, {});
    };
    switch (effect.do) {
      case 'readRegister': {
        const view = viewOf(at(world, REGISTER), at(configs, run).lane);
        return answer({ on: 'register', view }, 'reads the register');
      }
      case 'look': {
        const is = blocked(world, run);
        answer({ on: 'looked', blocked: is }, is ? 'is blocked' : 'is free');
        if (is && at(world, LAGS) > 0) {
          answer({ on: 'looked', blocked: false }, 'sees a stale list', (then) => {
            then[LAGS] = at(world, LAGS) - 1;
            return undefined;
          });
        }
        return;
      }
      case 'sleep':
        // Waking up to see the same again would only make the world bigger.
        if (!blocked(world, run)) {
          answer({ on: 'slept', timeUp: false, readAgain: true }, 'wakes and reads');
          answer({ on: 'slept', timeUp: false, readAgain: false }, 'wakes');
        }
        if (setup.timeouts === true) {
          answer({ on: 'slept', timeUp: true, readAgain: false }, 'has waited enough');
        }
        fail();
        return;
      case 'ready':
        answer({ on: 'image', digest: digestOf(imageOf(run)) }, 'has its image');
        fail();
        return;
      case 'announce':
        answer({ on: 'announced' }, 'announces', (then) => ({ fell: announce(then, run) }));
        return copy(0);
      case 'readTag': {
        const tag = at(world, TAG);
        const digest = tag === 0 ? undefined : digestOf(tag);
        return answer({ on: 'tag', digest }, `reads the tag (${tag})`);
      }
      case 'putTag': {
        const image = imageIn(effect.to.digest);
        answer({ on: 'put' }, `puts ${image}`, (then) => ({ back: put(then, image) }));
        return copy(image);
      }
      case 'end':
        return;
    }
  }

  /** The run hears the answer and sends its next request. */
  function acknowledge(world: World, run: number, tell: Visit): void {
    const event = at(world, slot(run, ANSWER)) - 1;
    const then = [...world];
    const id = next(run, at(world, slot(run, STEP)), event);
    then[slot(run, ANSWER)] = 0;
    then[slot(run, STEP)] = id;
    const seen: Seen = {};
    const { effect } = at(steps, id);
    const heard = at(events, event);
    if (heard.on === 'register' && effect.do === 'look') {
      const { own } = heard.view;
      if (own !== undefined && compareKeys(own.key, at(configs, run).key) > 0) {
        seen.waitedSuperseded = run;
      }
    }
    if (effect.do === 'end') {
      const post = life(world, run) === Life.post;
      then[slot(run, LIFE)] = post ? Life.repaired : Life.ended;
      // What a finished run once knew makes no difference any more.
      then[slot(run, STEP)] = 0;
      if (!post) seen.ended = { run, result: effect.result };
    }
    tell(then, `${run} hears`, seen);
  }

  /** Killed without a word. A write on its way is lost, or lands some time later. */
  function crash(world: World, run: number, tell: Visit): void {
    const then = [...world];
    const { effect } = at(steps, at(world, slot(run, STEP)));
    then[CRASHES] = at(world, CRASHES) - 1;
    then[slot(run, LIFE)] = Life.dead;
    then[slot(run, STEP)] = 0;
    then[slot(run, ANSWER)] = 0;
    tell(then, `${run} is killed`, {});
    if (at(world, slot(run, ANSWER)) !== 0) return;
    const bit =
      effect.do === 'announce' ? 0 : effect.do === 'putTag' ? imageIn(effect.to.digest) : undefined;
    if (bit === undefined) return;
    const flies = [...then];
    flies[slot(run, FLYING)] = at(world, slot(run, FLYING)) | (1 << bit);
    tell(flies, `${run} is killed, its write on the way`, {});
  }

  /** Whether everything that was begun is over and no message is on its way. */
  function atRest(world: World): boolean {
    for (let run = 0; run < count; run += 1) {
      const alive = life(world, run);
      if (alive === Life.live || alive === Life.post) return false;
      if (at(world, slot(run, FLYING)) !== 0) return false;
    }
    return true;
  }

  /** Whether a run was killed and its post step hasn't come (its machine is lost). */
  function lost(world: World): boolean {
    return configs.some((_, run) => life(world, run) === Life.dead);
  }

  /** Lets one more machine run alone to its end. @returns whether the tag then is where it belongs. */
  function heals(world: World, config: Config, from: Step): boolean {
    let { state, effect } = from;
    let tag = at(world, TAG);
    const register = at(world, REGISTER);
    for (let round = 0; effect.do !== 'end'; round += 1) {
      if (round > 50) return false;
      let event: Event;
      if (effect.do === 'readRegister') {
        event = { on: 'register', view: viewOf(register, config.lane) };
      } else if (effect.do === 'readTag') {
        event = { on: 'tag', digest: tag === 0 ? undefined : digestOf(tag) };
      } else if (effect.do === 'putTag') {
        tag = imageIn(effect.to.digest);
        event = { on: 'put' };
      } else if (effect.do === 'ready') {
        event = { on: 'image', digest: digestOf(14) };
      } else return false;
      ({ state, effect } = machine.step(config, state, event));
    }
    return tag === imageOf(newest(register));
  }

  return { configs, first, visit, atRest, lost, settled, newest, heals };
}

export type Model = ReturnType<typeof worldOf>;
