import { expect } from 'vitest';
import { ship, unique, whole, type World, type WorldResult, type WorldRun } from './kit.ts';

/** An image whose steps can be pruned from the local build cache, and counted. */
export interface Project {
  /** What the names of its steps, and of nothing else on this machine, contain. */
  readonly mark: string;
  readonly files: Readonly<Record<string, string>>;
  /** The same with other code: the first stage stays as it was. */
  changed(code: string): Readonly<Record<string, string>>;
}

/** Steps of a project's Dockerfile, without FROM. */
export const steps = 5;
/** Those that `changed` leaves as they were. */
export const unchangedSteps = 3;

/**
 * Two stages, the first of which is not in the image. A random number is made in it: a build with the
 * same layers as another one has them from a cache.
 *
 * @param base where the builder finds the base image.
 */
export function project(base = 'sandbox/busybox:1', folder = ''): Project {
  const mark = `mark-${unique()}`;
  const dockerfile = [
    `FROM ${base} AS tools`,
    `RUN cat /proc/sys/kernel/random/uuid > /tool-${mark}`,
    `RUN cp /tool-${mark} /tool2-${mark}`,
    `FROM ${base}`,
    `COPY --from=tools /tool2-${mark} /tool-${mark}`,
    `COPY code /code-${mark}`,
    `RUN cat /code-${mark} /tool-${mark} > /result-${mark}`,
    '',
  ].join('\n');
  const changed = (code: string) => ({
    [`${folder}Dockerfile`]: dockerfile,
    [`${folder}code`]: code,
  });
  return { mark, files: changed('one'), changed };
}

/** Removes a project's layers from the machine's build cache, as on a runner that is new. */
export async function prune(world: World, ...projects: readonly Project[]): Promise<void> {
  for (const { mark } of projects) {
    const filter = `description~=${mark}`;
    await world.engine.must(['builder', 'prune', '--all', '--force', '--filter', filter]);
  }
}

/** A run that builds, whatever the repository has already. */
export function build(world: World, request: WorldRun): Promise<WorldResult> {
  return ship(world, { ...request, inputs: { 'skip-unchanged': 'false', ...request.inputs } });
}

/** Asserts how many of the steps came from a cache. */
export function expectCached(result: WorldResult, cached: number): void {
  const ratio = (cached / steps).toFixed(2);
  expect(result.main.outputs['cache-hit-ratio'], whole(result)).toBe(ratio);
}

/** The digests of an image's layers. */
export function layers(world: World, { main }: WorldResult): readonly string[] {
  const children = JSON.parse(main.outputs['platform-digests'] ?? '{}') as Record<string, string>;
  const [digest = main.outputs['digest'] ?? ''] = Object.values(children);
  const manifest = world.aws.ecr.image(world.repository, digest)?.manifest ?? '{}';
  const { layers = [] } = JSON.parse(manifest) as { layers?: readonly { digest: string }[] };
  return layers.map((layer) => layer.digest);
}

/** A pull request's run: `refs/pull/<number>/merge`. */
export function pullRequest(
  number: number,
  branches: { readonly head: string; readonly base: string; readonly from?: string },
): NonNullable<WorldRun['run']> {
  const repository = branches.from ?? 'octo/shop';
  return {
    eventName: 'pull_request',
    ref: `refs/pull/${number}/merge`,
    headRef: branches.head,
    baseRef: branches.base,
    event: {
      pull_request: { number, head: { ref: branches.head, repo: { full_name: repository } } },
    },
  };
}
