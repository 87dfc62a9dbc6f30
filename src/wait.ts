import { ActionError, isAbort } from './errors.ts';

/** Time and chance, injected so that tests need neither. Times are milliseconds. */
export interface Clock {
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A number in [0, 1), for jitter. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(reasonOf(signal));
        return;
      }
      const stop = () => {
        clearTimeout(timer);
        reject(reasonOf(signal));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      signal?.addEventListener('abort', stop, { once: true });
    }),
};

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException('Aborted', 'AbortError');
}

/**
 * A signal that aborts `ms` after `signal` does, for work that is finished after a cancel, but not for
 * ever: a request that hangs then ends before the runner's SIGKILL.
 */
export function graceAfter(signal: AbortSignal, ms: number): AbortSignal {
  const late = new AbortController();
  const begin = () => {
    setTimeout(() => late.abort(signal.reason), ms).unref();
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return late.signal;
}

export interface RetryOptions {
  /** How often to try in all, the first time included. */
  tries: number;
  /** Wait before the second try in ms; doubles each time, with ±25 % jitter. Default 500. */
  firstDelay?: number;
  /** Longest single wait in ms. Default 15,000. */
  longestDelay?: number;
  /** Whether another try can help. Default: always (an abort never is). */
  retryable?: (error: unknown) => boolean;
  /** Told before each wait. */
  onRetry?: (error: unknown, attempt: number, delay: number) => void;
  signal?: AbortSignal | undefined;
  clock?: Clock | undefined;
}

/** Tries `work` until it succeeds, a failure is not retryable, or the tries are used up. */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { tries, firstDelay = 500, longestDelay = 15_000, clock = systemClock } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      const last = attempt >= tries || isAbort(error) || options.signal?.aborted === true;
      if (last || options.retryable?.(error) === false) throw error;
      const base = Math.min(firstDelay * 2 ** (attempt - 1), longestDelay);
      const delay = Math.round(base * (0.75 + clock.random() / 2));
      options.onRetry?.(error, attempt, delay);
      await clock.sleep(delay, options.signal);
    }
  }
}

export interface PollOptions {
  /** What is waited for, for the message when time is up ("function x to settle"). */
  what: string;
  /** Wait after the first look in ms; grows by half each time up to `longestInterval`. */
  interval: number;
  longestInterval?: number;
  /** Give up after this many ms. */
  timeout: number;
  /** What to do when time was up, for the error. */
  hint?: string | undefined;
  signal?: AbortSignal | undefined;
  clock?: Clock | undefined;
}

/**
 * Looks until `look` returns something other than undefined.
 *
 * @throws ActionError when `timeout` ms have passed; whatever `look` throws, at once.
 */
export async function poll<T>(
  look: (looks: number) => Promise<T | undefined>,
  options: PollOptions,
): Promise<T> {
  const { clock = systemClock, longestInterval = options.interval } = options;
  const until = clock.now() + options.timeout;
  let interval = options.interval;
  for (let looks = 1; ; looks += 1) {
    const found = await look(looks);
    if (found !== undefined) return found;
    const left = until - clock.now();
    if (left <= 0) {
      throw new ActionError(`Waited ${duration(options.timeout)} for ${options.what}, in vain.`, {
        hint: options.hint,
      });
    }
    await clock.sleep(Math.min(interval, left), options.signal);
    interval = Math.min(interval * 1.5, longestInterval);
  }
}

/** A time span for people: `850 ms`, `8.4 s`, `2 min 05 s`, `3 h 10 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  }
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
