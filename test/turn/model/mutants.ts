// Deliberate weakenings of the protocol. Each wraps the production machine or the world around it, and
// each must be caught by the checker: a checker that lets one pass proves nothing.
import type { OrderKey } from '../../../src/turn/keys.ts';
import type { Config, Event, State, Step, View } from '../../../src/turn/protocol.ts';
import { production, type Machine, type Setup } from './setup.ts';

export interface Mutant {
  readonly name: string;
  /** What real tool or plausible mistake it stands for. */
  readonly because: string;
  readonly machine?: Machine;
  readonly world?: Partial<Setup>;
  /** The worlds it is tried in. */
  readonly setups: readonly Setup[];
}

const newest = (runs: number, more: Partial<Setup> = {}): Setup => ({
  runs: Array.from({ length: runs }, () => ({})),
  inTurn: false,
  ...more,
});
const inTurn = (runs: number, more: Partial<Setup> = {}): Setup =>
  newest(runs, { inTurn: true, ...more });
const CRASH = [newest(2), newest(2, { crashes: 1 })];

function mutate(
  change: (inner: Machine['step'], config: Config, state: State, event: Event) => Step,
): Machine {
  return {
    ...production,
    step: (config, state, event) => change(production.step, config, state, event),
  };
}

function ofMe(config: Config, state: State): View {
  const me = { key: config.key, lane: config.lane, digest: state.digest ?? '' };
  return { top: me, own: me };
}

function finish(state: State, kind: 'moved' | 'superseded', to: string | undefined): Step {
  const by = kind === 'superseded' ? state.view.own : undefined;
  const result = { kind, by, from: state.from, to, gone: false, contended: false };
  return { state: { ...state, at: 'end' }, effect: { do: 'end', result } };
}

export const mutants: readonly Mutant[] = [
  {
    name: 'no guard',
    because: 'every push-and-tag action: the last to finish wins',
    machine: mutate((step, config, state, event) =>
      event.on === 'register' && state.digest !== undefined
        ? step(config, state, { on: 'register', view: ofMe(config, state) })
        : step(config, state, event),
    ),
    setups: CRASH,
  },
  {
    name: 'check, then put, then forget',
    because: 'a look before the put, but no verify after it',
    machine: mutate((step, config, state, event) =>
      event.on === 'put'
        ? finish(state, 'moved', state.view.top?.digest)
        : step(config, state, event),
    ),
    setups: CRASH,
  },
  {
    name: 'verify the tag, not the register',
    because: 'after the put only the tag is read back',
    machine: mutate((step, config, state, event) =>
      event.on === 'put'
        ? { state: { ...state, at: 'tag' }, effect: { do: 'readTag' } }
        : step(config, state, event),
    ),
    setups: CRASH,
  },
  {
    name: 'no help',
    because: 'a superseded run simply ends; the newer one died in between',
    machine: mutate((step, config, state, event) => {
      const next = step(config, state, event);
      const superseded =
        state.at === 'check' && event.on === 'register' && next.state.at !== 'announce';
      return superseded ? finish(next.state, 'superseded', undefined) : next;
    }),
    setups: CRASH,
  },
  {
    name: 'puts its own image',
    because: "the tag is moved to the mover instead of to the register's value",
    machine: mutate((step, config, state, event) => {
      const next = step(config, state, event);
      const own = ofMe(config, state).top;
      return next.effect.do === 'putTag' && own !== undefined
        ? { ...next, effect: { do: 'putTag', to: own } }
        : next;
    }),
    setups: CRASH,
  },
  {
    name: 'trusts what it read before it announced',
    because: 'one read of the register for the whole publication',
    machine: mutate((step, config, state, event) =>
      state.at === 'announce' && event.on === 'announced'
        ? {
            state: { ...state, at: 'tag', announced: true, view: ofMe(config, state) },
            effect: { do: 'readTag' },
          }
        : state.at === 'put' && event.on === 'put'
          ? finish(state, 'moved', state.digest)
          : step(config, state, event),
    ),
    setups: CRASH,
  },
  {
    name: 'moves first, announces afterwards',
    because: 'the flag is written when the work is done',
    machine: {
      ...production,
      step(config, state, event) {
        const me = ofMe(config, state).top;
        if (state.at === 'announce' && event.on === 'announced') {
          return finish(state, 'moved', state.digest);
        }
        const next = production.step(config, state, event);
        if (state.at === 'check' && next.effect.do === 'announce' && me !== undefined) {
          return { state: { ...next.state, at: 'put' }, effect: { do: 'putTag', to: me } };
        }
        if (state.at === 'put' && event.on === 'put' && !state.announced) {
          const digest = state.digest ?? '';
          return {
            state: { ...state, at: 'announce', announced: true },
            effect: { do: 'announce', digest },
          };
        }
        return next;
      },
    },
    setups: CRASH,
  },
  {
    name: 'never announces',
    because: 'the moving tag itself is taken for the register',
    machine: mutate((step, config, state, event) => {
      const next = step(config, state, event);
      const me = ofMe(config, state).top;
      return next.effect.do === 'announce' && me !== undefined
        ? { state: { ...next.state, at: 'put' }, effect: { do: 'putTag', to: me } }
        : next;
    }),
    setups: CRASH,
  },
  {
    name: 'the timeout forces its way',
    because: 'a wait that gives up and moves the tag no matter what',
    machine: mutate((step, config, state, event) =>
      event.on === 'register' && state.at !== 'first'
        ? step(config, state, { on: 'register', view: ofMe(config, state) })
        : step(config, state, event),
    ),
    setups: [inTurn(2, { timeouts: true })],
  },
  {
    name: 'waits for N-1 only',
    because: 'the GitHub API script of the source article: N-1 is cancelled, N-2 still publishes',
    world: { waitsFor: 'previous' },
    setups: [inTurn(3, { failures: true })],
  },
  {
    name: 'trusts a stale list',
    because: 'a filtered list of runs comes from a search index that lags',
    // The stale list is given, but the promise is asked for as if there were none.
    machine: {
      ...production,
      step: (config, state, event) =>
        event.on === 'looked'
          ? production.step(config, state, { on: 'looked', blocked: false })
          : production.step(config, state, event),
    },
    setups: [inTurn(2)],
  },
  {
    name: 'a superseded run waits',
    because: 'an old run, run again, queues up behind live ones before it looks',
    machine: mutate((step, config, state, event) =>
      state.at === 'first'
        ? { state: { ...state, at: 'look' }, effect: { do: 'look' } }
        : step(config, state, event),
    ),
    setups: [inTurn(2, { timeouts: true })],
  },
  {
    name: 'the register is a plain variable',
    because: 'an S3 flag without compare-and-set, or one well-known tag as register',
    world: { register: 'last' },
    setups: CRASH,
  },
  {
    name: 're-runs are new',
    because: 'turnstyle orders a re-run by its start: old code takes the tag back',
    world: {
      runs: [{}, { after: 0, attemptOf: 0, key: late(900) }, {}],
    },
    setups: [newest(3), inTurn(3)],
  },
  {
    name: 'the post step undoes',
    because: 'clean-up that puts the tag back where this run had it',
    machine: {
      ...production,
      resume(config) {
        const me = {
          key: config.key,
          lane: config.lane,
          digest: `sha256:${config.key.runId - 99}`,
        };
        const { state } = production.resume(config);
        return {
          state: { ...state, at: 'put', rounds: 10, view: { top: me, own: me } },
          effect: { do: 'putTag', to: me },
        };
      },
      step: (config, state, event) =>
        state.rounds === 10 && event.on === 'put'
          ? finish(state, 'moved', undefined)
          : production.step(config, state, event),
    },
    setups: [newest(2, { crashes: 1 })],
  },
  {
    name: 'gives up after one put',
    because: 'a verify that sees another image and leaves it',
    machine: mutate((step, config, state, event) => {
      const next = step(config, state, event);
      return next.effect.do === 'putTag' && state.rounds > 0
        ? finish(state, 'moved', state.view.top?.digest)
        : next;
    }),
    setups: CRASH,
  },
];

function late(runId: number): OrderKey {
  return { runId, runAttempt: 1 };
}
