import { ActionError } from '../errors.ts';
import type { ObjectStore } from '../systems/s3.ts';
import type { Clock } from '../wait.ts';

/** Version of what is written. A reader that finds a higher one stops: it doesn't know what it means. */
const SCHEMA = 1;

/** JSON objects in a store with compare-and-set. */
export interface SharedObject {
  read(): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Applies `change` to the latest value until it sticks; `change` gives undefined when nothing is to do. */
  update(
    change: (
      now: Readonly<Record<string, unknown>> | undefined,
    ) => Readonly<Record<string, unknown>> | undefined,
    /** Awaited before each write. */
    before?: () => Promise<void>,
  ): Promise<void>;
}

/**
 * One JSON object at `key`. `where` names it in messages (`key in the bucket x`).
 *
 * A put whose answer was lost and that was sent again comes back as "changed"; the next read then shows
 * our own value and `change` has nothing to do.
 */
export function sharedObject(
  store: ObjectStore,
  key: string,
  where: string,
  clock: Clock,
): SharedObject {
  const fetch = async () => {
    const found = await store.get(key);
    return found === undefined
      ? { value: undefined, etag: undefined }
      : { value: parse(found.body, where), etag: found.etag };
  };
  return {
    read: async () => (await fetch()).value,

    async update(change, before) {
      const tries = 40;
      for (let attempt = 1; attempt <= tries; attempt += 1) {
        const { value, etag } = await fetch();
        const next = change(value);
        if (next === undefined) return;
        await before?.();
        const body = `${JSON.stringify({ schema: SCHEMA, ...next }, null, 1)}\n`;
        if ((await store.put(key, body, etag)) === 'written') return;
        await clock.sleep(Math.round((20 + 15 * Math.min(attempt, 12)) * (0.5 + clock.random())));
      }
      throw new ActionError(
        `The order's object ${where} was changed by others ${tries} times in a row while we tried.`,
        {
          hint: 'Run the job again. If this comes back, see what else writes to that object.',
        },
      );
    },
  };
}

function parse(body: string, where: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new ActionError(`The order's object ${where} isn't JSON.`, {
      cause,
      hint: 'Something else wrote it. Look at its versions, restore the last good one, or delete it: the next run begins a new one.',
    });
  }
  if (!isRecord(value) || typeof value['schema'] !== 'number') {
    throw new ActionError(`The order's object ${where} has no schema number.`, {
      hint: 'Something else wrote it. Use another order-bucket, or delete the object: the next run begins a new one.',
    });
  }
  if (value['schema'] > SCHEMA) {
    throw new ActionError(
      `The order's object ${where} has schema ${value['schema']}; this version of the action knows ${SCHEMA}.`,
      { hint: 'A newer version of the action wrote it. Use the same version in all workflows.' },
    );
  }
  return value;
}

/** A plain JSON object, not an array or null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
