import type { Job } from '../job.ts';
import type { Manifest } from '../systems/ecr.ts';
import type { Destination } from './destination.ts';
import type { DockerHome } from './docker-home.ts';

/** Whether there is anything to build, and why. */
export type Decision =
  | {
      readonly kind: 'unchanged';
      readonly why: string;
      readonly manifest: Manifest;
      readonly tag: string | undefined;
    }
  | { readonly kind: 'build'; readonly why: string; readonly tag: string | undefined };

export function decide(
  _job: Job,
  _there: Destination | undefined,
  _home: DockerHome,
): Promise<Decision> {
  return Promise.resolve({ kind: 'build', why: 'stub', tag: undefined });
}
