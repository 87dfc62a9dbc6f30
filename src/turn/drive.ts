import type { Log } from '../systems/runner.ts';
import { duration, type Clock } from '../wait.ts';
import {
  step,
  type Announced,
  type Config,
  type Effect,
  type Event,
  type Step,
} from './protocol.ts';
import type { Ahead, Blocker, Register } from './register.ts';

/** After a cancel the runner kills the process in 7.5 s; this much of that is used to finish. */
const FINISH_WITHIN = 6_000;
/**
 * The pause between two looks grows to this share of the time already waited, up to so many ms. Each run in
 * a row of waiting ones adds its own delay, so that is little. Answers of 304 are free, but GitHub's
 * secondary limit is 900 requests a minute, which all waiting runs share.
 */
const SHARE = 0.05;
const LONGEST_PAUSE = 10_000;
/** How often a wait that doesn't change is shown again, in ms. */
const SHOW_EVERY = 60_000;
/** How often a waiting run reads the register, in ms: in ECR that lists the repository's tags. */
const READ_EVERY = 60_000;

/** One moving tag. `put` gives false when the image is no longer in the repository. */
export interface MovingTag {
  read(): Promise<string | undefined>;
  put(image: Announced): Promise<boolean>;
}

export interface Driven {
  readonly register: Register;
  readonly tag: MovingTag | undefined;
  readonly ahead: Ahead | undefined;
  /** Longest wait for earlier runs and the pause between two looks, in ms. */
  readonly timeout: number;
  readonly interval: number;
  readonly log: Log;
  readonly clock: Clock;
}

/** Called after each effect, for counting and for tests that crash a run. */
export type Watch = (effect: Effect, event: Event) => void;

/**
 * Carries out the protocol's effects until it says `ready` or `end`.
 *
 * A cancel ends it at once before anything is announced. From the announcement on, it is finished
 * instead: one PUT and the read that verifies it take less time than the runner gives.
 *
 * @returns the step whose effect is `ready` or `end`, not carried out.
 */
export async function drive(
  config: Config,
  from: Step,
  driven: Driven,
  signal: AbortSignal | undefined,
  watch: Watch = () => {},
): Promise<Step> {
  const waiting = waitingRoom(driven, signal);
  let cancelledAt: number | undefined;
  const cancel = () => (cancelledAt ??= driven.clock.now());
  signal?.addEventListener('abort', cancel, { once: true });
  let at = from;
  while (at.effect.do !== 'ready' && at.effect.do !== 'end') {
    if (signal?.aborted === true) {
      const critical = at.state.announced || at.state.rounds > 0;
      if (!critical || driven.clock.now() - cancel() > FINISH_WITHIN) signal.throwIfAborted();
    }
    const event = await carryOut(at.effect, config, driven, waiting);
    watch(at.effect, event);
    at = step(config, at.state, event);
    if (event.on === 'register') waiting.heard(event.view.own);
  }
  signal?.removeEventListener('abort', cancel);
  return at;
}

async function carryOut(
  effect: Exclude<Effect, { do: 'ready' | 'end' }>,
  config: Config,
  { register, tag }: Driven,
  waiting: WaitingRoom,
): Promise<Event> {
  switch (effect.do) {
    case 'readRegister':
      return { on: 'register', view: await register.read(config.lane) };
    case 'look':
      return { on: 'looked', blocked: await waiting.look() };
    case 'sleep':
      return { on: 'slept', ...(await waiting.sleep()) };
    case 'announce':
      await register.announce({ key: config.key, lane: config.lane, digest: effect.digest });
      return { on: 'announced' };
    case 'readTag':
      return { on: 'tag', digest: await tag?.read() };
    default:
      effect satisfies { do: 'putTag' };
      return (await tag?.put(effect.to)) === false ? { on: 'gone' } : { on: 'put' };
  }
}

interface WaitingRoom {
  /** What the register held when it was last read. */
  heard(announced: Announced | undefined): void;
  look(): Promise<boolean>;
  sleep(): Promise<{ timeUp: boolean; readAgain: boolean }>;
}

/** Looks ahead, sleeps in between, and tells people whom the run waits for. */
function waitingRoom(driven: Driven, signal: AbortSignal | undefined): WaitingRoom {
  const { ahead, log, clock, timeout, interval } = driven;
  const began = clock.now();
  let atLeast = 0;
  let shown: { text: string; at: number } | undefined;
  let last = 'earlier runs';
  let announced: Announced | undefined;
  let readAt = began;

  const show = (text: string) => {
    if (shown?.text === text && clock.now() - shown.at < SHOW_EVERY) return;
    const so = clock.now() - began;
    log.info(so < 1000 ? text : `${text} Waited ${duration(so)} so far.`);
    shown = { text, at: clock.now() };
  };

  return {
    heard(own) {
      announced = own;
      readAt = clock.now();
    },

    async look() {
      if (ahead === undefined) return false;
      const found = await ahead.look(announced);
      atLeast = 0;
      if (found.is === 'free') return false;
      if (found.is === 'blocked') {
        last = describe(found.by);
        show(`Waiting for ${last}.`);
      } else {
        atLeast = found.retryAfterMs ?? 0;
        last = 'earlier runs';
        show(`Earlier runs can't be seen now (${found.why}); asking again.`);
      }
      return true;
    },

    async sleep() {
      const left = timeout - (clock.now() - began);
      if (left > 0) {
        const pause = Math.max(interval, Math.min((timeout - left) * SHARE, LONGEST_PAUSE));
        const jittered = pause * (0.75 + clock.random() / 2);
        await clock.sleep(Math.min(Math.max(jittered, atLeast), left), signal);
        if (clock.now() - began < timeout) {
          return { timeUp: false, readAgain: clock.now() - readAt >= READ_EVERY };
        }
      }
      log.warning(
        `Waited ${duration(timeout)} (order-timeout) for ${last}, in vain; going on. Tags still never move to an older run's image, so a run that finishes later than this one is superseded.`,
        { title: 'Order: waited long enough' },
      );
      return { timeUp: true, readAgain: false };
    },
  };
}

function describe(by: Blocker): string {
  return `${by.name}, ${by.doing}${by.url === undefined ? '' : `: ${by.url}`}`;
}
