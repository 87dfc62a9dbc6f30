import { createHash, randomBytes } from 'node:crypto';
import { explain } from '../../src/errors.ts';
import type { PlatformImage, PushedImage } from '../../src/image/plan.ts';
import type { FunctionTarget, LambdaInputs } from '../../src/inputs/inputs.ts';
import { connectMetrics, type Metrics } from '../../src/systems/cloudwatch.ts';
import { connectLambda, type Lambda } from '../../src/systems/lambda.ts';
import type { Log } from '../../src/systems/runner.ts';
import { deploy, preflight, type DeployRecord, type DeployReport } from '../../src/steps/deploy.ts';
import type { Guard } from '../../src/deploy/plan.ts';
import type { Clock } from '../../src/wait.ts';
import { startAws, type AwsSandbox } from '../sandbox/aws/index.ts';
import { createLambda, type LambdaStandIn } from '../sandbox/aws/lambda/index.ts';
import { startMemoryRegistry } from '../sandbox/aws/memory-registry.ts';

const types = {
  oci: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

/** Time passes only by sleeping, and then at once. */
export function fastClock(): Clock & { slept: () => number } {
  let now = 1_700_000_000_000;
  let slept = 0;
  return {
    now: () => now,
    random: () => 0.5,
    slept: () => slept,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      now += ms;
      slept += ms;
      // A turn of the loop, so that work at the same time gets on.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    },
  };
}

export interface TestLog extends Log {
  readonly lines: string[];
}

export function testLog(): TestLog {
  const lines: string[] = [];
  const write = (kind: string) => (message: string) => {
    lines.push(`${kind}: ${message}`);
  };
  const log: TestLog = {
    lines,
    info: write('info'),
    debug: write('debug'),
    notice: write('notice'),
    warning: write('warning'),
    error: write('error'),
    group: async (_title, work) => work(log),
  };
  return log;
}

/** Lambda's stand-in on the AWS stand-in with a registry in memory, and the real SDK in front of it. */
export interface LambdaWorld extends AsyncDisposable {
  readonly aws: AwsSandbox;
  readonly standIn: LambdaStandIn;
  readonly lambda: Lambda;
  readonly metrics: Metrics;
  readonly log: TestLog;
  readonly clock: ReturnType<typeof fastClock>;
  readonly records: DeployRecord[];
  /** Connects again, for calls that a signal can end. */
  connect(signal?: AbortSignal): Lambda;
  /** Puts an image into the repository `app` and describes it as read back. */
  push(options?: PushOptions): Promise<PushedImage>;
  uri(image: PushedImage): string;
  ship(image: PushedImage, lines: string, options?: ShipOptions): Promise<DeployReport>;
  /** Names of the Lambda API calls so far, those that change something. */
  changes(): readonly string[];
}

export interface PushOptions {
  /** Several, or `attested`, make an index. Default: `amd64` alone. */
  readonly architectures?: readonly string[];
  readonly layerType?: string;
  readonly bytes?: number;
  readonly tag?: string;
}

export interface ShipOptions {
  readonly invoke?: string;
  readonly publish?: boolean;
  readonly rollback?: boolean;
  readonly dryRun?: boolean;
  readonly guard?: Guard;
  readonly signal?: AbortSignal;
  readonly timeout?: number;
  readonly ecr?: Parameters<typeof deploy>[0]['ecr'];
}

export async function openLambdaWorld(): Promise<LambdaWorld> {
  const registry = await startMemoryRegistry();
  const aws = await startAws({ registryHost: registry.host });
  const standIn = createLambda(aws);
  standIn.invoker = ({ payload }) => Promise.resolve({ payload, log: 'ok\n' });
  aws.mount(standIn);
  aws.ecr.createRepository('app');
  process.env['AWS_ENDPOINT_URL'] = aws.url;
  const config = {
    region: aws.region,
    credentials: () => Promise.resolve({ ...aws.credentials }),
  };
  const connect = (signal?: AbortSignal) => connectLambda({ ...config, signal });
  const log = testLog();
  const clock = fastClock();
  const records: DeployRecord[] = [];
  const world: LambdaWorld = {
    aws,
    standIn,
    lambda: connect(),
    metrics: connectMetrics(config),
    log,
    clock,
    records,
    connect,
    push: async (options = {}) => push(aws, options),
    uri: (image) => `${image.repository}@${image.platforms[0]?.digest ?? ''}`,
    ship: async (image, lines, options = {}) => {
      const lambda = options.signal === undefined ? world.lambda : connect(options.signal);
      const inputs = lambdaInputs(lines, options);
      const plans = await preflight({
        targets: inputs.functions,
        region: aws.region,
        account: aws.account,
        lambda,
        signal: options.signal,
      });
      return deploy({
        plans,
        image,
        inputs,
        dryRun: options.dryRun ?? false,
        guard: options.guard ?? (() => Promise.resolve('go')),
        lambda,
        metrics: world.metrics,
        ecr: options.ecr,
        log,
        clock,
        signal: options.signal,
        onRecord: (record) => records.push(structuredClone(record)),
      });
    },
    changes: () =>
      aws.requests
        .filter(({ action }) => action.startsWith('lambda:') && !action.startsWith('lambda:Get'))
        .map(
          ({ action, body }) =>
            `${action.replace('lambda:', '')}${body.includes('"DryRun":true') ? ' (dry)' : ''}`,
        ),
    [Symbol.asyncDispose]: async () => {
      await aws.close();
      await registry.close();
    },
  };
  return world;
}

/** `app:live canary=50%,1m`, lines separated by commas outside options. */
export function lambdaInputs(lines: string, options: ShipOptions = {}): LambdaInputs {
  return {
    functions: lines.split('\n').map((line): FunctionTarget => {
      const [reference = '', option] = line.trim().split(' ');
      const [, name = '', alias] = /^(.*?)(?::([a-z]+))?$/.exec(reference) ?? [];
      const canary = /canary=(\d+)%,(\d+)m/.exec(option ?? '');
      return {
        name,
        alias,
        canary:
          canary === null
            ? undefined
            : { percent: Number(canary[1]), stepMs: Number(canary[2]) * 60_000 },
      };
    }),
    publish: options.publish ?? true,
    invoke: options.invoke,
    rollback: options.rollback ?? true,
    timeout: options.timeout ?? 300_000,
  };
}

async function push(aws: AwsSandbox, options: PushOptions): Promise<PushedImage> {
  const { architectures = ['amd64'], layerType = types.layer, bytes = 1000 } = options;
  const repository = `${aws.registryHost}/app`;
  const platforms: PlatformImage[] = [];
  const entries: unknown[] = [];
  for (const architecture of architectures) {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: types.oci,
      config: { mediaType: types.config, digest: randomDigest(), size: 2 },
      layers: [{ mediaType: layerType, digest: randomDigest(), size: bytes }],
    });
    const digest = await putImage(aws, manifest, types.oci, undefined);
    entries.push({
      mediaType: types.oci,
      digest,
      size: manifest.length,
      platform:
        architecture === 'attested'
          ? { os: 'unknown', architecture: 'unknown' }
          : { os: 'linux', architecture },
    });
    if (architecture === 'attested') continue;
    platforms.push({
      platform: `linux/${architecture}`,
      architecture,
      digest,
      mediaType: types.oci,
      layerMediaTypes: [layerType],
      bytes,
    });
  }
  const single = platforms[0];
  if (architectures.length === 1 && single !== undefined) {
    return { repository, digest: single.digest, mediaType: types.oci, index: false, platforms };
  }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: entries });
  const digest = await putImage(aws, index, types.index, options.tag);
  return { repository, digest, mediaType: types.index, index: true, platforms };
}

function randomDigest(): string {
  return `sha256:${randomBytes(32).toString('hex')}`;
}

async function putImage(
  aws: AwsSandbox,
  manifest: string,
  mediaType: string,
  tag: string | undefined,
): Promise<string> {
  const answer = await fetch(aws.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.PutImage',
      authorization: `AWS4-HMAC-SHA256 Credential=${aws.credentials.accessKeyId}/20261101/${aws.region}/ecr/aws4_request`,
    },
    body: JSON.stringify({
      repositoryName: 'app',
      imageManifest: manifest,
      imageManifestMediaType: mediaType,
      imageTag: tag,
    }),
  });
  if (!answer.ok) throw new Error(`PutImage: ${answer.status} ${await answer.text()}`);
  return `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
}

/** What a reader of the log sees of work that must fail. */
export async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => {
      throw new Error('did not fail');
    },
    (error: unknown) => explain(error),
  );
}
