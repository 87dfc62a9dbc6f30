import { ActionError } from '../errors.ts';
import type { GitHubActions } from '../systems/github.ts';
import type { Log } from '../systems/runner.ts';
import type { ProbedObjectStore } from '../systems/s3.ts';
import type { Clock } from '../wait.ts';
import type { MovingTag } from './drive.ts';
import type { OrderKey } from './keys.ts';
import type { OrderEcr, Register } from './register.ts';
import type { TurnRecord } from './record.ts';
import { registryRegister } from './registers/registry.ts';
import { orderPlace, s3Register, type Place } from './registers/s3.ts';
import { registryFlags, s3Flags } from './ahead/flag-stores.ts';
import type { FlagStore } from './ahead/flags.ts';

/** The outside of the order. `github`, `store`: undefined where the mode doesn't use them. */
export interface TurnSystems {
  readonly ecr: OrderEcr;
  readonly github: GitHubActions | undefined;
  /** The bucket named by order-bucket. */
  readonly store: ProbedObjectStore | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

/** How many requests the order made, by the system asked. */
export interface Requests {
  ecr: number;
  github: number;
  s3: number;
}

/** The same systems, their calls counted. */
export function counted(systems: TurnSystems): { systems: TurnSystems; requests: Requests } {
  const requests: Requests = { ecr: 0, github: 0, s3: 0 };
  const count = <T extends object>(port: T, name: keyof Requests): T =>
    new Proxy(port, {
      get(target, property, receiver) {
        const value: unknown = Reflect.get(target, property, receiver);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          requests[name] += 1;
          return Reflect.apply(value, target, args);
        };
      },
    });
  return {
    requests,
    systems: {
      ...systems,
      ecr: count(systems.ecr, 'ecr'),
      github: systems.github && count(systems.github, 'github'),
      store: systems.store && count(systems.store, 's3'),
    },
  };
}

/** The parts of an order that main and post build alike, from what the record tells. */
export function openParts(
  record: TurnRecord,
  systems: TurnSystems,
  newer?: () => readonly { key: OrderKey; lane: string }[],
) {
  const { ecr } = systems;
  const { name } = record.repository;
  const place = (): Place => {
    if (systems.store === undefined) {
      throw new ActionError('The order is to be kept in S3, but there is no bucket.', {
        hint: 'Set order-bucket to a bucket in Amazon S3, or order-state to registry.',
      });
    }
    return orderPlace(systems.store, record.bucket, record.repository.uri, systems.clock);
  };
  const register = (id: string): Register =>
    record.state === 's3' ? s3Register(place(), id) : registryRegister(ecr, name, id, newer);

  return {
    registers: record.registers.map(({ id, tag }) => ({
      register: register(id),
      name: tag,
      tag: tag === undefined ? undefined : movingTag(ecr, name, tag),
    })),
    /** Undefined for `github`, which needs no flags. */
    flags(): FlagStore | undefined {
      const first = record.registers[0];
      if (record.state === 'github' || first === undefined) return undefined;
      return record.state === 's3'
        ? s3Flags(place(), record.lane, record.timeout)
        : registryFlags(ecr, name, record.lane, register(first.id), record.timeout);
    },
  };
}

/** A moving tag in ECR. */
export function movingTag(ecr: OrderEcr, repository: string, tag: string): MovingTag {
  return {
    read: async () => (await ecr.tagDigests(repository, [tag])).get(tag),
    async put(image) {
      const manifest = await ecr.manifest(repository, image.digest);
      if (manifest === undefined) return false;
      try {
        await ecr.putTag(repository, tag, manifest);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'TagImmutableError') throw error;
        throw new ActionError(
          `The tag "${tag}" of ${repository} can't be moved: it is immutable.`,
          {
            cause: error,
            hint: `Set the repository's mutability to IMMUTABLE_WITH_EXCLUSION with a filter that matches "${tag}", or leave the tag out of moving-tags.`,
          },
        );
      }
      return true;
    },
  };
}
