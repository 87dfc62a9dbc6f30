import { asError } from './errors.ts';
import { settle, later } from './settle.ts';
import { withSignal, type Job } from './job.ts';
import { openDockerHome } from './steps/docker-home.ts';
import { openDestination } from './steps/destination.ts';
import { deployFunctions, lookAtFunctions, requireFit } from './steps/functions.ts';
import { choose, makeImage } from './steps/image.ts';
import { mayMove, openOrder } from './steps/order.ts';
import { putOwnTags } from './steps/own-tags.ts';
import { openPython, verify } from './steps/environment.ts';
import { readBack } from './steps/read-back.ts';
import { tellDeployed, tellPublished, type Told } from './steps/report.ts';
import { showPlan } from './steps/dry-run.ts';

/**
 * The whole pipeline. What doesn't depend on each other runs side by side; nothing that others use
 * changes before the image is in the repository and `verify` has passed.
 *
 * @param told is filled as the run goes, for outputs and summary of a failed run too.
 */
export async function ship(job: Job, told: Told): Promise<void> {
  const { inputs, context, timeline, log } = job;
  const publishing = !context.fork && inputs.build.call === 'build';
  const moving = publishing && mayMove(context);
  if (context.fork) {
    log.notice(
      'A pull request from a fork or of Dependabot: the image is built with a read-only cache; nothing is pushed, tagged or deployed.',
    );
  } else if (publishing && !moving) {
    log.info(
      'A pull request: the image is pushed under its own tags; no tag moves, no function changes.',
    );
  } else if (publishing && inputs.dryRun) {
    log.info(
      'A dry run: the image is pushed under its own tags; no tag moves, no function changes. The plan is at the end.',
    );
  }

  // A failed step stops the others, except that a failed build lets the checks come to their end.
  const stop = new AbortController();
  const all = withSignal(job, AbortSignal.any([job.signal, stop.signal]));
  const part = <T>(name: string, work: () => Promise<T>, stops = true): Promise<T> =>
    later(
      timeline.phase(name, work).catch((error: unknown) => {
        if (stops) stop.abort(new DOMException(`${name} failed.`, 'AbortError'));
        throw error;
      }),
    );

  const optional = <T>(asked: boolean, name: string, otherwise: T, work: () => Promise<T>) => {
    if (asked) return part(name, work);
    timeline.skipped(name);
    return Promise.resolve(otherwise);
  };

  const destination = publishing
    ? part('account', () => openDestination(all))
    : later(Promise.resolve(undefined));
  const docker = later(destination.then((there) => openDockerHome(all, there?.login)));
  const python = optional(inputs.python.requirements.length > 0, 'python', {}, () =>
    openPython(all, told),
  );
  const verified = later(
    python.then((environment) =>
      optional(inputs.verify !== '', 'verify', undefined, () => verify(all, environment)),
    ),
  );
  const functions = later(
    destination.then((there) =>
      there !== undefined && moving && inputs.lambda.functions.length > 0
        ? part('functions', () => lookAtFunctions(all, there))
        : [],
    ),
  );
  const turn = later(
    destination.then((there) => (there === undefined ? undefined : openOrder(all, there))),
  );
  const waited = later(
    turn.then((mine) =>
      mine !== undefined && moving ? part('turn', () => mine.wait(all.signal)) : 0,
    ),
  );
  const builder = part('docker', () => choose(all));
  const made = later(
    Promise.all([destination, docker, builder]).then(([there, home, chosen]) =>
      makeImage(all, there, home, chosen, part, told),
    ),
  );

  // The turn is waited for beside the build, but a build or check that failed needn't wait for it.
  const [there, plans, mine, image, home] = await settle([
    destination,
    functions,
    turn,
    made,
    docker,
    verified,
    builder,
  ]).catch(async (error: unknown) => {
    stop.abort(new DOMException('Another step failed.', 'AbortError'));
    // A turn that failed is what stopped the others: its failure is the one to tell.
    await settle([Promise.reject(asError(error)), waited]);
    throw error;
  });
  if (there === undefined || mine === undefined || image === undefined) return;

  const { ecr, repository } = there;
  const found = await part('read back', () =>
    readBack(
      { repository: repository.name, uri: repository.uri, digest: image.digest },
      { ecr, registry: home.registry, clock: job.clock },
      job.signal,
    ),
  );
  told.image = found.image;
  await part('own tags', () => putOwnTags(there, found.manifest, image.tags));
  requireFit(plans, found);
  await waited;
  if (!moving) return;

  if (inputs.dryRun) {
    await showPlan(job, there, found, told);
  } else {
    const published = await part('tags', () => mine.publish(found.manifest, job.signal));
    tellPublished(told, published);
    if (published.result === 'superseded') return;
  }
  if (plans.length > 0) {
    const deployed = await part('deploy', () => deployFunctions(job, there, mine, plans, found));
    tellDeployed(told, deployed);
  }
  if (!inputs.dryRun) {
    job.store.set('publish', undefined);
    job.store.set('deploy', undefined);
  }
}
