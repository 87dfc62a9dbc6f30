import type { ProbedObjectStore } from '../../systems/s3.ts';
import { ActionError } from '../../errors.ts';
import type { Clock } from '../../wait.ts';
import { compareKeys } from '../keys.ts';
import { isRecord, sharedObject, type SharedObject } from '../object.ts';
import type { Announced, View } from '../protocol.ts';
import { higher, type Register } from '../register.ts';

/** Where the order's objects are. `prefix` ends with `/`; `where` is what messages call the store. */
export interface Place {
  readonly store: ProbedObjectStore;
  readonly prefix: string;
  readonly where: string;
  readonly clock: Clock;
}

/** The place of a repository's order in `bucket`. @param uri `host/name` as ECR returns it. */
export function orderPlace(
  store: ProbedObjectStore,
  bucket: string,
  uri: string,
  clock: Clock,
): Place {
  return { store, prefix: `${uri}/`, where: `the bucket ${bucket}`, clock };
}

/** The shared object `name` of a place. */
export function orderObject(place: Place, name: string): { object: SharedObject; where: string } {
  const key = `${place.prefix}${name}.json`;
  const where = `${key} in ${place.where}`;
  return { object: sharedObject(place.store, key, where, place.clock), where };
}

/**
 * A register in one S3 object: the highest announcement of each lane. Compare-and-set keeps it from
 * falling. The first announcement into a new object proves that the store has compare-and-set at all.
 */
export function s3Register(place: Place, id: string): Register {
  const { object, where } = orderObject(place, id);

  return {
    id,

    async read(lane) {
      return viewOf(announcements(await object.read(), where), lane);
    },

    async announce(image) {
      let proved = (await object.read()) !== undefined;
      await object.update(
        (now) => {
          const lanes = announcements(now, where);
          const there = lanes.get(image.lane);
          const order = there === undefined ? 1 : compareKeys(image.key, there.key);
          if (order < 0 || (order === 0 && there?.digest === image.digest)) return undefined;
          lanes.set(image.lane, image);
          return { ...now, register: id, lanes: Object.fromEntries(lanes) };
        },
        async () => {
          if (!proved) await place.store.probe();
          proved = true;
        },
      );
    },

    // Each lane holds one announcement; nothing grows.
    prune: async () => {},
  };
}

function viewOf(lanes: ReadonlyMap<string, Announced>, lane: string): View {
  let top: Announced | undefined;
  for (const announced of lanes.values()) top = higher(top, announced);
  return { top, own: lanes.get(lane) };
}

function announcements(
  object: Readonly<Record<string, unknown>> | undefined,
  where: string,
): Map<string, Announced> {
  const lanes = new Map<string, Announced>();
  if (object === undefined) return lanes;
  if (!isRecord(object['lanes'])) throw unreadable(where, 'lanes');
  for (const [lane, value] of Object.entries(object['lanes'])) {
    const key = isRecord(value) ? value['key'] : undefined;
    const digest = isRecord(value) ? value['digest'] : undefined;
    const runId = isRecord(key) ? key['runId'] : undefined;
    const runAttempt = isRecord(key) ? key['runAttempt'] : undefined;
    if (
      !Number.isSafeInteger(runId) ||
      typeof runId !== 'number' ||
      typeof runAttempt !== 'number' ||
      typeof digest !== 'string' ||
      !digest.startsWith('sha256:')
    ) {
      throw unreadable(where, `lanes.${lane}`);
    }
    lanes.set(lane, { key: { runId, runAttempt }, lane, digest });
  }
  return lanes;
}

function unreadable(where: string, field: string): ActionError {
  return new ActionError(
    `The order's object ${where} isn't as this action writes it: "${field}".`,
    {
      hint: 'Restore the last good version of the object, or delete it: the next run begins a new one.',
    },
  );
}
