import { compareKeys, keyText, type OrderKey } from '../keys.ts';
import { isRecord } from '../object.ts';
import type { OrderEcr, Register } from '../register.ts';
import { orderObject, type Place } from '../registers/s3.ts';
import type { Flag, FlagStore } from './flags.ts';

const FLAG_TAG = /^begun-[0-9a-f]{8}\.(\d{1,16})\.(\d{1,6})\.(\d{1,12})$/;

/**
 * Flags as tags in the image repository: `begun-<8 hex lane>.<run_id>.<attempt>.<epoch seconds>`.
 *
 * A tag needs an image to sit on: the highest announced one, never another, because ECR removes an image
 * with its last tag and an announced image always keeps its key tag. Before the first announcement there
 * are no flags: the first runs of a repository don't wait for each other. Flags older than `keep` ms are
 * swept out by whoever raises one.
 */
export function registryFlags(
  ecr: OrderEcr,
  repository: string,
  lane: string,
  register: Register,
  keep: number,
): FlagStore {
  const prefix = `begun-${lane}.`;
  const flagsOf = (tags: Iterable<string>) => [...tags].flatMap((tag) => parseFlagTag(tag) ?? []);
  const mine = async (key: OrderKey) => [
    ...(await ecr.tagged(repository, `${prefix}${keyText(key)}.`)).keys(),
  ];

  return {
    async raise(flag) {
      const { top } = await register.read(lane);
      const manifest = top && (await ecr.manifest(repository, top.digest));
      if (manifest === undefined) return;
      const tag = `${prefix}${keyText(flag.key)}.${Math.floor(flag.since / 1000)}`;
      await ecr.putTag(repository, tag, manifest);
      const dead = [...(await ecr.tagged(repository, prefix)).keys()].filter((other) => {
        const since = parseFlagTag(other)?.since;
        return since !== undefined && flag.since - since >= keep;
      });
      if (dead.length > 0) await ecr.deleteTags(repository, dead);
    },
    async lower(key) {
      const tags = await mine(key);
      if (tags.length > 0) await ecr.deleteTags(repository, tags);
    },
    all: async () => flagsOf((await ecr.tagged(repository, prefix)).keys()),
  };
}

function parseFlagTag(tag: string): Flag | undefined {
  const [, runId, runAttempt, since] = FLAG_TAG.exec(tag) ?? [];
  if (!runId || !runAttempt || !since) return undefined;
  return {
    key: { runId: Number(runId), runAttempt: Number(runAttempt) },
    since: Number(since) * 1000,
    url: undefined,
  };
}

/** Flags in one S3 object of the lane. Flags older than `keep` ms are swept out by whoever writes. */
export function s3Flags(place: Place, lane: string, keep: number): FlagStore {
  const { object } = orderObject(place, `${lane}.live`);
  const read = (value: Readonly<Record<string, unknown>> | undefined): Flag[] => {
    const runs = value === undefined ? {} : value['runs'];
    if (!isRecord(runs)) return [];
    return Object.entries(runs).flatMap(([name, flag]) => {
      const [runId, runAttempt] = name.split('.').map(Number);
      if (!runId || !runAttempt || !isRecord(flag)) return [];
      const since = flag['since'];
      const url = flag['url'];
      if (typeof since !== 'number') return [];
      return [
        { key: { runId, runAttempt }, since, url: typeof url === 'string' ? url : undefined },
      ];
    });
  };
  const write = (flags: readonly Flag[]) => ({
    lane,
    runs: Object.fromEntries(
      flags.map(({ key, since, url }) => [keyText(key), { since, ...(url && { url }) }]),
    ),
  });

  return {
    async raise(flag) {
      let first = false;
      await object.update(
        (now) => {
          first = now === undefined;
          const others = read(now)
            .filter((other) => compareKeys(other.key, flag.key) !== 0)
            .filter((other) => flag.since - other.since < keep);
          return write([...others, flag]);
        },
        () => (first ? place.store.probe() : Promise.resolve()),
      );
    },
    async lower(key) {
      await object.update((now) => {
        const flags = read(now);
        const others = flags.filter((other) => compareKeys(other.key, key) !== 0);
        return others.length === flags.length ? undefined : write(others);
      });
    },
    all: async () => read(await object.read()),
  };
}
