import { asError } from './errors.ts';
import type { Job } from './job.ts';
import { openParts, type Parts } from './parts.ts';
import { later, settle } from './settle.ts';
import type { DeployReport } from './steps/deploy.ts';
import { openDockerHome } from './steps/docker-home.ts';
import { openDestination, type Destination } from './steps/destination.ts';
import { deployFunctions, lookAtFunctions, rehearse } from './steps/functions.ts';
import { choose } from './steps/build-image.ts';
import { makeImage } from './steps/image.ts';
import { mayMove, openOrder } from './steps/order.ts';
import { putOwnTags } from './steps/own-tags.ts';
import { openPython, verify } from './steps/environment.ts';
import type { Turn } from './steps/publish.ts';
import { readBack, type InRepository } from './steps/read-back.ts';
import { tellDeployed, tellPublished, type Told } from './steps/report.ts';
import { showPlan } from './steps/dry-run.ts';

/**
 * The whole pipeline. What doesn't depend on each other runs side by side; nothing that others use
 * changes before the image is in the repository and `verify` has passed.
 *
 * @param told is filled as the run goes, for outputs and summary of a failed run too.
 */
export async function ship(job: Job, told: Told): Promise<void> {
  const parts = openParts(job);
  tellLimits(job);
  const ready = await prepare(parts, told);
  if (ready !== undefined && mayMove(job.context)) await publish(job, parts, ready, told);
}

/** An image in the repository that has passed everything, and the turn to publish it in. */
interface Ready {
  readonly there: Destination;
  readonly turn: Turn;
  /** AWS's dry run of the functions' updates; undefined: there are none. */
  readonly rehearsed: DeployReport | undefined;
  readonly found: InRepository;
}

/**
 * Everything up to the turn. A failed part stops the others, except that a failed build lets the
 * checks come to their end.
 *
 * @returns undefined when nothing was to be pushed (a fork, `call`).
 */
async function prepare(parts: Parts, told: Told): Promise<Ready | undefined> {
  const { job, part, optional } = parts;
  const { inputs } = job;
  const publishing = publishes(job);
  const moving = publishing && mayMove(job.context);

  const destination = publishing
    ? part('account', () => openDestination(job))
    : Promise.resolve(undefined);
  const home = later(destination.then((there) => openDockerHome(job, there?.login)));
  const builder = part('docker', () => choose(job));
  const python = optional(inputs.python.requirements.length > 0, 'python', {}, () =>
    openPython(job, told),
  );
  const verified = later(
    python.then((environment) =>
      optional(inputs.verify !== '', 'verify', undefined, () => verify(job, environment)),
    ),
  );
  const functions = later(
    destination.then((there) =>
      there !== undefined && moving && inputs.lambda.functions.length > 0
        ? part('functions', () => lookAtFunctions(job, there))
        : [],
    ),
  );
  const turn = later(destination.then((there) => there && openOrder(job, there)));
  const waited = later(
    turn.then((mine) => (mine && moving ? part('turn', () => mine.wait(job.signal)) : 0)),
  );
  const made = later(
    Promise.all([destination, home, builder]).then(([there, docker, chosen]) =>
      makeImage({ job, there, home: docker, chosen, part, told }),
    ),
  );

  // The turn is waited for beside the build, but a build or check that failed needn't wait for it.
  const works = [destination, turn, made, home, functions, verified, builder] as const;
  const [there, mine, image, docker, plans] = await settle(works).catch(async (error: unknown) => {
    parts.stop('Another part failed.');
    // A turn that failed is what stopped the others: its failure is the one to tell.
    await settle([Promise.reject(asError(error)), waited]);
    throw error;
  });
  if (there === undefined || mine === undefined || image === undefined) return undefined;

  const found = await part('read back', () => readBack(there, docker.registry, image.digest, job));
  told.image = found.image;
  await part('own tags', () => putOwnTags(there, found.manifest, image.tags));
  await waited;
  const rehearsed =
    plans.length === 0
      ? undefined
      : await part('dry run', () => rehearse(job, there, plans, found));
  return { there, turn: mine, rehearsed, found };
}

/** What others see: tags and functions, in turn. A dry run tells what it would do instead. */
async function publish(
  job: Job,
  { part }: Parts,
  { there, turn, rehearsed, found }: Ready,
  told: Told,
): Promise<void> {
  if (job.inputs.dryRun) {
    await showPlan(job, there, found, told);
    if (rehearsed !== undefined) tellDeployed(told, rehearsed);
    return;
  }
  const published = await part('tags', () => turn.publish(found.manifest, job.signal));
  tellPublished(told, published);
  if (published.result === 'superseded') return;
  if (rehearsed !== undefined) {
    tellDeployed(told, await part('deploy', () => deployFunctions(job, there, turn, found)));
  }
  // Settled: post has nothing to repair.
  job.store.set('publish', undefined);
  job.store.set('deploy', undefined);
}

/** Whether the run pushes an image at all. */
function publishes({ inputs, context }: Job): boolean {
  return !context.fork && inputs.build.call === 'build';
}

/** Says in one line what this run will not do. */
function tellLimits(job: Job): void {
  const { context, inputs, log } = job;
  if (context.fork) {
    log.notice(
      'A pull request from a fork or of Dependabot: the image is built with a read-only cache; nothing is pushed, tagged or deployed.',
    );
  } else if (!publishes(job)) {
    return;
  } else if (!mayMove(context)) {
    log.info(
      'A pull request: the image is pushed under its own tags; no tag moves, no function changes.',
    );
  } else if (inputs.dryRun) {
    log.info(
      'A dry run: the image is pushed under its own tags; no tag moves, no function changes. The plan is at the end.',
    );
  }
}
