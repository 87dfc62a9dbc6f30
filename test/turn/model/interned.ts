import type { Config, Event, Step } from '../../../src/turn/protocol.ts';
import type { Machine } from './setup.ts';

/** What is at `index`, which must be there. */
export function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(`Nothing at ${index}.`);
  return found;
}

/** Steps and events are kept once each and stand for their numbers; the machine is asked once for each. */
export function interned(machine: Machine, configs: readonly Config[]) {
  const steps: Step[] = [];
  const stepIds = new Map<string, number>();
  const events: Event[] = [];
  const eventIds = new Map<string, number>();
  const known = new Map<number, number>();

  const stepId = (run: number, step: Step): number => {
    const name = `${run}${JSON.stringify(step)}`;
    let id = stepIds.get(name);
    if (id === undefined) stepIds.set(name, (id = steps.push(step) - 1));
    return id;
  };
  const eventId = (event: Event): number => {
    const name = JSON.stringify(event);
    let id = eventIds.get(name);
    if (id === undefined) eventIds.set(name, (id = events.push(event) - 1));
    return id;
  };
  /** The step that follows `step` of `run` after `event`. */
  const next = (run: number, step: number, event: number): number => {
    const name = step * 4096 + event;
    let id = known.get(name);
    if (id === undefined) {
      const result = machine.step(at(configs, run), at(steps, step).state, at(events, event));
      known.set(name, (id = stepId(run, result)));
    }
    return id;
  };
  return { steps, events, stepId, eventId, next };
}
