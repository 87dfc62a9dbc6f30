import { withSignal, type Job } from './job.ts';
import { later } from './settle.ts';

/** Runs the pipeline's parts side by side, each under its name in the timeline. */
export interface Parts {
  /** The job with a signal that a part's failure aborts as well as a cancel. */
  readonly job: Job;
  /** @param stops whether a failure stops the other parts. Default true. */
  readonly part: <T>(name: string, work: () => Promise<T>, stops?: boolean) => Promise<T>;
  /** A part that was asked for, or `otherwise`, shown as skipped. */
  readonly optional: <T>(
    asked: boolean,
    name: string,
    otherwise: T,
    work: () => Promise<T>,
  ) => Promise<T>;
  /** Stops all parts. */
  readonly stop: (why: string) => void;
}

export function openParts(job: Job): Parts {
  const { timeline } = job;
  const stopping = new AbortController();
  const stop = (why: string) => stopping.abort(new DOMException(why, 'AbortError'));
  const part: Parts['part'] = (name, work, stops = true) =>
    later(
      timeline.phase(name, work).catch((error: unknown) => {
        if (stops) stop(`${name} failed.`);
        throw error;
      }),
    );
  return {
    job: withSignal(job, AbortSignal.any([job.signal, stopping.signal])),
    part,
    stop,
    optional(asked, name, otherwise, work) {
      if (asked) return part(name, work);
      timeline.skipped(name);
      return Promise.resolve(otherwise);
    },
  };
}
