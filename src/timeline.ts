import { systemClock, type Clock } from './wait.ts';

/** One phase as it happened, in ms since the action began. */
export interface Phase {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly result: 'done' | 'failed' | 'skipped';
}

/** Measures phases that may overlap. */
export interface Timeline {
  phase<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** A phase that there was nothing to do for, shown as such. */
  skipped(name: string): void;
  readonly phases: readonly Phase[];
  /** ms since the action began. */
  elapsed(): number;
}

export function startTimeline(clock: Clock = systemClock): Timeline {
  const began = clock.now();
  const phases: Phase[] = [];
  const elapsed = () => clock.now() - began;
  return {
    phases,
    elapsed,
    skipped(name) {
      phases.push({ name, start: elapsed(), end: elapsed(), result: 'skipped' });
    },
    async phase(name, work) {
      const start = elapsed();
      try {
        const value = await work();
        phases.push({ name, start, end: elapsed(), result: 'done' });
        return value;
      } catch (error) {
        phases.push({ name, start, end: elapsed(), result: 'failed' });
        throw error;
      }
    },
  };
}
