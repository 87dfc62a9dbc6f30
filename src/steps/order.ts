import type { RunContext } from '../context.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Job } from '../job.ts';
import { connectGitHub } from '../systems/github.ts';
import type { AwsCredentialsProvider } from '../systems/aws-clients.ts';
import type { Ecr } from '../systems/ecr.ts';
import { connectObjectStore } from '../systems/s3.ts';
import type { Log } from '../systems/runner.ts';
import { graceAfter, type Clock } from '../wait.ts';
import type { TurnSystems } from '../turn/open.ts';
import type { Destination } from './destination.ts';
import { openTurn, type Turn } from './publish.ts';

/** Where the objects of `order-state: s3` are in the bucket. */
const prefix = 'ship-to-ecr/order/';

/** After a cancel the runner sends SIGTERM in 7.5 s; requests of the order end before, ms. */
const finishWithin = 6_500;

/**
 * Connections that the order needs, by what `order-state` is; nothing is asked of them yet.
 *
 * @param token GitHub's, of this job.
 */
export function connectOrder(
  { order, aws }: Pick<Inputs, 'order' | 'aws'>,
  token: string,
  context: RunContext,
  systems: {
    readonly ecr: Ecr;
    readonly credentials: AwsCredentialsProvider;
    readonly log: Log;
    readonly clock: Clock;
    readonly signal?: AbortSignal | undefined;
  },
): TurnSystems {
  const { ecr, log, clock, signal } = systems;
  return {
    ecr,
    log,
    clock,
    github:
      // Flags (registry, s3) use it too, to tell which runs are over.
      order.mode === 'in-turn' && token !== ''
        ? connectGitHub({
            apiUrl: context.apiUrl,
            token,
            repository: context.repository,
            signal,
            clock,
          })
        : undefined,
    store:
      order.bucket === ''
        ? undefined
        : connectObjectStore({
            region: aws.region,
            credentials: systems.credentials,
            bucket: order.bucket,
            prefix,
            signal,
            clock,
          }),
  };
}

/** Whether this run moves tags and deploys at all: pull requests build and push, no more. */
export function mayMove(context: RunContext): boolean {
  return !context.fork && !context.eventName.startsWith('pull_request');
}

/** This run's turn in the order, recorded for post as it goes. */
export function openOrder(job: Job, destination: Destination): Turn {
  const { inputs, context, store, log, clock, signal } = job;
  // What has begun to move is finished after a cancel. Waiting gets the run's own signal.
  const until = graceAfter(signal, finishWithin);
  const systems = connectOrder(inputs, inputs.build.githubToken, context, {
    ecr: destination.connect(until),
    credentials: destination.account.credentials,
    log,
    clock,
    signal: until,
  });
  return openTurn(
    {
      order: inputs.order,
      context,
      repository: destination.repository,
      movingTags: inputs.image.movingTags,
      canPublish: mayMove(context) && !inputs.dryRun,
      onRecord: (record) => store.set('publish', record),
    },
    systems,
  );
}
