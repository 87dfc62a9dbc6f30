import { compareAnnounced, compareKeys, type OrderKey } from './keys.ts';

/**
 * The ordering protocol as a pure state machine: `start` and `step` say what to do next (an Effect),
 * whoever drives it does that and says what happened (an Event). Production drives it in drive.ts,
 * the model checker in test/turn/model; there is no other copy of these rules.
 *
 * A max register R holds the highest run that has announced a good image. A run announces itself if
 * it isn't superseded, then reconciles: while the moving tag isn't at R's image, put it there and look
 * again. Everybody moves the tag to R, never to itself, so a superseded run finishes (helps) the move
 * of a newer one that died in between. See docs/ordering.md.
 */

/** An image that a run has announced as good. */
export interface Announced {
  readonly key: OrderKey;
  readonly lane: string;
  readonly digest: string;
}

/** What the register holds: the highest of all, and the highest of the reader's own lane. */
export interface View {
  readonly top: Announced | undefined;
  readonly own: Announced | undefined;
}

export interface Config {
  readonly key: OrderKey;
  readonly lane: string;
  /** Whether to wait for earlier live runs (`in-turn`). */
  readonly inTurn: boolean;
  /** False: only a register (a run without moving tags). */
  readonly hasTag: boolean;
}

/** After so many moves of the tag something outside the order must be moving it too. */
export const MAX_ROUNDS = 10;

export type Effect =
  | { readonly do: 'readRegister' }
  /** Find out whether an earlier live run hasn't published yet. */
  | { readonly do: 'look' }
  | { readonly do: 'sleep' }
  /** The wait is over: hand in the image when it is built and checked. */
  | { readonly do: 'ready' }
  | { readonly do: 'announce'; readonly digest: string }
  | { readonly do: 'readTag' }
  | { readonly do: 'putTag'; readonly to: Announced }
  | { readonly do: 'end'; readonly result: Result };

export type Event =
  | { readonly on: 'register'; readonly view: View }
  | { readonly on: 'looked'; readonly blocked: boolean }
  /** `readAgain`: the register wasn't read for a while; a newer run may have announced since. */
  | { readonly on: 'slept'; readonly timeUp: boolean; readonly readAgain: boolean }
  | { readonly on: 'image'; readonly digest: string }
  | { readonly on: 'announced' }
  | { readonly on: 'tag'; readonly digest: string | undefined }
  | { readonly on: 'put' }
  /** The image to put is no longer in the repository. */
  | { readonly on: 'gone' };

export interface Result {
  /** `superseded`: a newer run of the same lane has announced; this run is to end without deploying. */
  readonly kind: 'moved' | 'unchanged' | 'superseded';
  /** The newer run that holds the tag; of another lane when `kind` isn't `superseded`. */
  readonly by: Announced | undefined;
  /** The tag's digest when first looked at, and now. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** The image of `by` is gone from the repository, so the tag couldn't be moved there. */
  readonly gone: boolean;
  /** Something outside the order kept moving the tag. */
  readonly contended: boolean;
}

type At =
  | 'first'
  | 'look'
  | 'sleep'
  | 'ready'
  | 'check'
  | 'announce'
  | 'settle'
  | 'tag'
  | 'put'
  | 'end';

export interface State {
  readonly at: At;
  readonly digest: string | undefined;
  readonly announced: boolean;
  readonly view: View;
  readonly looked: boolean;
  readonly from: string | undefined;
  readonly rounds: number;
}

export interface Step {
  readonly state: State;
  readonly effect: Effect;
}

const NOTHING: View = { top: undefined, own: undefined };

const BEGIN: Omit<State, 'at'> = {
  digest: undefined,
  announced: false,
  view: NOTHING,
  looked: false,
  from: undefined,
  rounds: 0,
};

/** A run's beginning: first the wait (in-turn), or at once `ready`. */
export function start(config: Config): Step {
  return config.inTurn
    ? { state: { at: 'first', ...BEGIN }, effect: { do: 'readRegister' } }
    : { state: { at: 'ready', ...BEGIN }, effect: { do: 'ready' } };
}

/** What is left to do for a run that was cut off: move the tag to whatever the register holds. */
export function resume(): Step {
  return { state: { at: 'settle', ...BEGIN }, effect: { do: 'readRegister' } };
}

/** @throws TypeError when `event` isn't an answer to the last effect: the driver is wrong. */
export function step(config: Config, state: State, event: Event): Step {
  switch (state.at) {
    case 'first':
      if (event.on !== 'register') break;
      // A superseded run (an old one run again) waits for nobody.
      return isSuperseded(config, event.view)
        ? go(state, 'ready', { do: 'ready' })
        : go(state, 'look', { do: 'look' });
    case 'look':
      if (event.on !== 'looked') break;
      return event.blocked
        ? go(state, 'sleep', { do: 'sleep' })
        : go(state, 'ready', { do: 'ready' });
    case 'sleep':
      if (event.on !== 'slept') break;
      if (event.timeUp) return go(state, 'ready', { do: 'ready' });
      return event.readAgain
        ? go(state, 'first', { do: 'readRegister' })
        : go(state, 'look', { do: 'look' });
    case 'ready':
      if (event.on !== 'image') break;
      return go({ ...state, digest: event.digest }, 'check', { do: 'readRegister' });
    case 'check':
      if (event.on !== 'register' || state.digest === undefined) break;
      return isSuperseded(config, event.view)
        ? reconcile(config, state, event.view)
        : go(state, 'announce', { do: 'announce', digest: state.digest });
    case 'announce':
      if (event.on !== 'announced') break;
      return go({ ...state, announced: true }, 'settle', { do: 'readRegister' });
    case 'settle':
      if (event.on !== 'register') break;
      return reconcile(config, state, withOwn(config, state, event.view));
    case 'tag': {
      if (event.on !== 'tag') break;
      const seen = state.looked ? state : { ...state, looked: true, from: event.digest };
      const top = seen.view.top;
      if (top === undefined || event.digest === top.digest) return end(config, seen, event.digest);
      if (seen.rounds >= MAX_ROUNDS) return end(config, seen, event.digest, { contended: true });
      return go({ ...seen, rounds: seen.rounds + 1 }, 'put', { do: 'putTag', to: top });
    }
    case 'put':
      if (event.on === 'gone') return end(config, state, state.from, { gone: true });
      if (event.on !== 'put') break;
      // Look at the register again, not only at the tag: a newer run may have announced, moved the
      // tag and finished before this put arrived.
      return go(state, 'settle', { do: 'readRegister' });
    case 'end':
      break;
  }
  throw new TypeError(`The order's state "${state.at}" has no answer to "${event.on}".`);
}

function go(state: State, at: At, effect: Effect): Step {
  return { state: { ...state, at }, effect };
}

function isSuperseded(config: Config, view: View): boolean {
  return view.own !== undefined && compareKeys(view.own.key, config.key) > 0;
}

/** A read that lags behind must not hide what this run has announced itself. */
function withOwn(config: Config, state: State, view: View): View {
  if (!state.announced || state.digest === undefined) return view;
  const mine = { key: config.key, lane: config.lane, digest: state.digest };
  const higher = (other: Announced | undefined) =>
    other !== undefined && compareAnnounced(other, mine) >= 0 ? other : mine;
  return { top: higher(view.top), own: higher(view.own) };
}

function reconcile(config: Config, state: State, view: View): Step {
  const next = { ...state, view };
  return config.hasTag && view.top !== undefined
    ? go(next, 'tag', { do: 'readTag' })
    : end(config, next, undefined);
}

function end(
  config: Config,
  state: State,
  to: string | undefined,
  trouble: { gone?: boolean; contended?: boolean } = {},
): Step {
  const { top, own } = state.view;
  const superseded = isSuperseded(config, state.view);
  const overtaken = top !== undefined && compareKeys(top.key, config.key) > 0;
  const moved = !overtaken && config.hasTag && to !== undefined && state.from !== to;
  const result: Result = {
    kind: superseded ? 'superseded' : moved ? 'moved' : 'unchanged',
    by: superseded ? own : overtaken ? top : undefined,
    from: state.from,
    to,
    gone: trouble.gone === true,
    contended: trouble.contended === true,
  };
  return go(state, 'end', { do: 'end', result });
}
