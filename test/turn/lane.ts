import type { RunContext } from '../../src/context.ts';
import type { OrderInputs } from '../../src/inputs/inputs.ts';
import type { Manifest } from '../../src/systems/ecr.ts';
import {
  openTurn,
  repair,
  type Published,
  type Turn,
  type TurnRecord,
} from '../../src/steps/publish.ts';
import {
  contextOf,
  FakeEcr,
  FakeGitHub,
  FakeLog,
  FakeStore,
  manifestOf,
  ORDER,
  REPOSITORY,
  SimulatedClock,
} from './fakes.ts';

export interface Run {
  readonly turn: Turn;
  readonly image: Manifest;
  readonly log: FakeLog;
  /** What the post step would read. */
  readonly saved: () => TurnRecord;
  publish(signal?: AbortSignal): Promise<Published>;
  post(): ReturnType<typeof repair>;
}

/** One repository, one bucket, one workflow, and as many runs as a test opens. */
export function world(order: Partial<OrderInputs> = {}) {
  const clock = new SimulatedClock();
  const ecr = new FakeEcr();
  const store = new FakeStore();
  const github = new FakeGitHub();
  /** Every digest `latest` stood at. */
  const history: string[] = [];
  ecr.onPut = (tag, digest) => {
    if (tag === 'latest') history.push(digest);
  };

  function open(
    runId: number,
    options: {
      context?: Partial<RunContext>;
      order?: Partial<OrderInputs>;
      text?: string;
      movingTags?: readonly string[];
      canPublish?: boolean;
      ecr?: FakeEcr;
    } = {},
  ): Run {
    const log = new FakeLog();
    const image = ecr.push(manifestOf(options.text ?? `run ${runId}`), `run-${runId - 1_000}`);
    const systems = { ecr: options.ecr ?? ecr, github, store, log, clock };
    let saved: TurnRecord | undefined;
    const turn = openTurn(
      {
        order: { ...ORDER, ...order, ...options.order },
        context: contextOf(runId, options.context),
        repository: REPOSITORY,
        movingTags: options.movingTags ?? ['latest'],
        canPublish: options.canPublish ?? true,
        onRecord: (record) => (saved = structuredClone(record)),
      },
      systems,
    );
    return {
      turn,
      image,
      log,
      saved: () => saved ?? turn.record,
      publish: (signal) => turn.publish(image, signal),
      post: () => repair(saved ?? turn.record, { ...systems, ecr }),
    };
  }

  return { clock, ecr, store, github, history, open, latest: () => ecr.tags.get('latest') };
}
