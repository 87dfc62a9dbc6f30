import type { Clock } from '../../src/wait.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Time that jumps to the next sleeper when all work has come to rest. */
export class SimulatedClock implements Clock {
  #now = Date.parse('2026-11-21T00:00:00Z');
  #sleepers: Sleeper[] = [];
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    // mulberry32: small, seeded, good enough for jitter.
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(reasonOf(signal));
        return;
      }
      const stop = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(reasonOf(signal));
      };
      const wake = () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const sleeper = { at: this.#now + ms, wake };
      this.#insert(sleeper);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /** Kept with the next to wake at the end; of two for the same moment, the one that came first. */
  #insert(sleeper: Sleeper): void {
    let from = 0;
    let to = this.#sleepers.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      const other = this.#sleepers[middle];
      if (other !== undefined && other.at > sleeper.at) from = middle + 1;
      else to = middle;
    }
    this.#sleepers.splice(from, 0, sleeper);
  }

  /** Runs until `work` is over, letting time jump whenever nothing else happens. */
  async run<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const done = work.finally(() => (over = true));
    done.catch(() => {});
    for (;;) {
      await new Promise(setImmediate);
      if (over) return done;
      const first = this.#sleepers.pop();
      if (first === undefined) continue;
      this.#now = Math.max(this.#now, first.at);
      first.wake();
    }
  }
}

function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error
    ? signal.reason
    : new DOMException('Aborted', 'AbortError');
}
