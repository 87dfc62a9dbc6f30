import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startAws, type AwsSandbox } from './aws/index.ts';
import { createLambda, type LambdaStandIn } from './aws/lambda/index.ts';
import { runInDocker } from './aws/lambda/runtime.ts';
import { startCacheService, type CacheService } from './cache/index.ts';
import { ensureEngine, type Engine } from './engine/engine.ts';
import { ensureBusybox } from './base-image/images.ts';
import { startGitHub, type GitHubStandIn } from './github/index.ts';
import { runAction, type ActionRequest, type ActionRun, type RunFacts } from './runner/index.ts';

/** Everything outside the action: real engine and registry, stand-ins for AWS and GitHub. */
export interface World extends AsyncDisposable {
  readonly engine: Engine;
  readonly aws: AwsSandbox;
  readonly lambda: LambdaStandIn;
  readonly github: GitHubStandIn;
  readonly cache: CacheService;
  /** Made in ECR, and the default of the input `repository`. */
  readonly repository: string;
  /** A folder of this world's, removed with it. */
  readonly folder: string;
  /** A new checkout with these files (path → text). Without `.git`, as an unpacked archive. */
  workspace(files: Readonly<Record<string, string>>): Promise<string>;
  /** Runs the action as the next run of the workflow; ends when main and post have ended. */
  run(request: WorldRun): Promise<WorldResult>;
  /** Every image of the world's repository that `latest` (or another tag) points at now. */
  tag(name: string): string | undefined;
}

export interface WorldRun extends Partial<Omit<ActionRequest, 'run'>> {
  /** A new checkout is made of these; else `workspace` says where it is. */
  readonly files?: Readonly<Record<string, string>>;
  /** A run id that GitHub's stand-in knows is run again as it is told; else a new run is added. */
  readonly run?: RunFacts;
  /** Leaves the run and its job unfinished on GitHub. Default: completed by how it went. */
  readonly keepRunning?: boolean;
  /** The job has `id-token: write`. Default true. */
  readonly oidc?: boolean;
  /** The job reaches the cache service. Default true. */
  readonly caches?: boolean;
  /** The job's own AWS keys, as configure-aws-credentials leaves them. Default true. */
  readonly awsKeys?: boolean;
}

export interface WorldResult extends ActionRun {
  readonly runId: number;
  readonly workspace: string;
}

/**
 * Opens a world of its own on the machine's one engine. Worlds don't see each other: AWS, GitHub
 * and the caches are new; only Docker and its layer store are shared.
 */
export async function openWorld(options: { repository?: string } = {}): Promise<World> {
  const repository = options.repository ?? 'shop';
  const engine = await ensureEngine();
  await ensureBusybox(engine);
  const folder = await mkdtemp(join(tmpdir(), 'world-'));
  const [aws, github, cache] = await Promise.all([
    startAws({ registryHost: engine.registryHost }),
    startGitHub(),
    startCacheService(),
  ]);
  aws.ecr.createRepository(repository);
  const lambda = createLambda(
    aws,
    runInDocker((args) => engine.docker(args)),
  );
  aws.mount(lambda);

  const workspace = async (files: Readonly<Record<string, string>>) => {
    const place = await mkdtemp(join(folder, 'checkout-'));
    await writeFiles(place, files);
    return place;
  };

  /** Variables of one job: what a runner with Docker, these secrets and permissions has. */
  const environment = (request: WorldRun, ref: string): NodeJS.ProcessEnv => {
    const docker = Object.entries(engine.env).filter(([name]) => name.startsWith('DOCKER_'));
    const grant = {
      ref,
      ...(request.run?.baseRef ? { baseRef: `refs/heads/${request.run.baseRef}` } : {}),
    };
    const awsVariables = Object.entries(aws.env).filter(
      ([name]) => request.awsKeys !== false || !/^AWS_(ACCESS|SECRET|SESSION)/.test(name),
    );
    return {
      PATH: engine.env['PATH'],
      ...Object.fromEntries(docker),
      ...Object.fromEntries(awsVariables),
      GITHUB_API_URL: github.url,
      ...(request.caches === false ? {} : cache.environment(grant)),
      ...(request.oidc === false
        ? {}
        : github.oidcEnvironment(`repo:${github.repository}:ref:${ref}`)),
      ...request.env,
    };
  };

  const run = async (request: WorldRun): Promise<WorldResult> => {
    const place = request.workspace ?? (await workspace(request.files ?? {}));
    const ref = request.run?.ref ?? 'refs/heads/main';
    const job = request.run?.job ?? 'ship';
    const record = takeRun(github, request.run, ref);
    github.setJob(record.id, job);
    const env = environment(request, ref);
    const secrets = [
      env['ACTIONS_RUNTIME_TOKEN'],
      env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'],
      env['AWS_SECRET_ACCESS_KEY'],
    ].filter((value) => value !== undefined);
    const result = await runAction({
      ...request,
      workspace: place,
      githubToken: github.token,
      secrets: [...secrets, ...(request.secrets ?? [])],
      inputs: { 'aws-region': aws.region, repository, ...request.inputs },
      run: {
        repository: github.repository,
        ...request.run,
        id: record.id,
        number: record.number,
        attempt: record.attempt,
        sha: record.sha,
        ref,
      },
      env,
    });
    if (request.keepRunning !== true) {
      const conclusion =
        result.main.cancelMs === undefined ? (result.ok ? 'success' : 'failure') : 'cancelled';
      github.setJob(record.id, job, { attempt: record.attempt, status: 'completed', conclusion });
      github.setRun(record.id, { status: 'completed', conclusion });
    }
    return { ...result, runId: record.id, workspace: place };
  };

  return {
    engine,
    aws,
    lambda,
    github,
    cache,
    repository,
    folder,
    workspace,
    run,
    tag: (name) => aws.ecr.tags(repository).get(name),
    async [Symbol.asyncDispose]() {
      await Promise.all([aws.close(), github.close(), cache.close()]);
      engine.release();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The run as GitHub knows it: the one of that id (a re-run keeps id and number), or a new one. */
function takeRun(github: GitHubStandIn, wanted: RunFacts | undefined, ref: string) {
  const given = {
    ...(wanted?.number === undefined ? {} : { number: wanted.number }),
    ...(wanted?.attempt === undefined ? {} : { attempt: wanted.attempt }),
    ...(wanted?.sha === undefined ? {} : { sha: wanted.sha }),
    ...(wanted?.workflow === undefined ? {} : { workflow: wanted.workflow }),
  };
  if (wanted?.id !== undefined) {
    const there = github.findRun(wanted.id);
    if (there !== undefined) return Object.assign(there, given, { status: 'in_progress' });
  }
  return github.addRun({
    ...given,
    ...(wanted?.id === undefined ? {} : { id: wanted.id }),
    branch: ref.replace(/^refs\/(heads|tags|pull)\//, ''),
    event: wanted?.eventName ?? 'push',
  });
}

/** Writes files (path → text) under a folder; folders are made as needed. */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}
