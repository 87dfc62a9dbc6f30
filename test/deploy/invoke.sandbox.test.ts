import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explain } from '../../src/errors.ts';
import type { PushedImage } from '../../src/image/plan.ts';
import { deploy, preflight } from '../../src/steps/deploy.ts';
import { readBack } from '../../src/steps/read-back.ts';
import { connectEcr } from '../../src/systems/ecr.ts';
import { connectLambda } from '../../src/systems/lambda.ts';
import { systemClock } from '../../src/wait.ts';
import { lambdaApp, openWorld, unique, type World } from '../action/kit.ts';
import { lambdaInputs, testLog, type ShipOptions } from './kit.ts';

// Real images in a real registry, and invocations that really run them; only Lambda's control plane
// is a stand-in.
const dockerfile = `
FROM --platform=linux/amd64 sandbox/busybox:1 AS tools
FROM scratch AS good
COPY --from=tools / /
COPY --chmod=755 bootstrap /bootstrap
COPY version /version
ENV PATH=/bin
ENTRYPOINT ["/bootstrap"]

FROM good AS crash
ENTRYPOINT ["/bin/sh", "-c", "echo no module named app >&2; exit 3"]

FROM good AS slow
ENTRYPOINT ["/bin/sh", "-c", "wget -q -O /dev/null http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next; sleep 60"]

FROM scratch AS foreign
COPY --chmod=755 foreign /app
ENTRYPOINT ["/app"]
`;

let world: World;
let checkout: string;
let env: NodeJS.ProcessEnv;
const version = unique();

beforeAll(async () => {
  world = await openWorld({ repository: 'app' });
  process.env['AWS_ENDPOINT_URL'] = world.aws.url;
  checkout = await world.workspace({ ...lambdaApp(version), Dockerfile: dockerfile });
  await writeFile(join(checkout, 'foreign'), arm64Program());
  const config = await mkdtemp(join(world.folder, 'docker-'));
  const theirs = world.engine.env['DOCKER_CONFIG'];
  if (theirs !== undefined) await cp(theirs, config, { recursive: true });
  const login = await ecr().login();
  const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  await writeFile(
    join(config, 'config.json'),
    JSON.stringify({ auths: { [login.host]: { auth } } }),
  );
  env = { ...world.engine.env, DOCKER_CONFIG: config };
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

// The stand-in's states change with each look, so the pauses between looks can be short.
const hasty = {
  ...systemClock,
  sleep: async (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 50, signal),
};

function connection() {
  const { region, credentials } = world.aws;
  return { region, credentials: () => Promise.resolve({ ...credentials }) };
}

function ecr() {
  return connectEcr({ ...connection(), mask: () => {}, notice: () => {} });
}

/** Builds a target, pushes it through the ECR front and reads it back as the action does. */
async function build(target: string, ...options: readonly string[]): Promise<PushedImage> {
  const uri = `${world.aws.registryHost}/app`;
  const reference = `${uri}:${target}`;
  const flags = ['--target', target, '--tag', reference, '--push', ...options];
  await world.engine.must(['buildx', 'build', '--progress=plain', ...flags, checkout], { env });
  const digest = world.tag(target) ?? '';
  const repository = await ecr().repository('app');
  if (repository === undefined) throw new Error('the repository is gone');
  const { image } = await readBack(
    { ecr: ecr(), repository },
    {
      manifest: () => Promise.resolve(undefined),
      digest: () => Promise.resolve(undefined),
      blob: async (_image, wanted) =>
        (await world.aws.image(`${uri}@${digest}`))?.blob(wanted) ?? '',
    },
    digest,
    { clock: systemClock, signal: new AbortController().signal },
  );
  return image;
}

async function ship(image: PushedImage, lines: string, options: ShipOptions = {}) {
  const log = testLog();
  const lambda = connectLambda(connection());
  const inputs = lambdaInputs(lines, options);
  const plans = await preflight({
    targets: inputs.functions,
    region: world.aws.region,
    account: world.aws.account,
    lambda,
  });
  const report = await deploy({
    plans,
    image,
    inputs,
    dryRun: false,
    guard: () => Promise.resolve('go'),
    lambda,
    ecr: ecr(),
    log,
    clock: hasty,
    onRecord: () => {},
  });
  return { ...report, log };
}

describe('a deployment with real images', () => {
  let good: PushedImage;
  beforeAll(async () => {
    good = await build(
      'good',
      '--platform=linux/amd64,linux/arm64',
      '--provenance=mode=min',
      '--sbom=false',
    );
    await world.lambda.create('app');
    await world.lambda.create('graviton', { architecture: 'arm64' });
  });

  test('an index with attestations: each function gets its platform, and answers', async () => {
    expect(good.index).toBe(true);
    expect(good.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
    const { rows, log } = await ship(good, 'app:live', { invoke: '{"hello":"world"}' });
    expect(rows).toMatchObject([
      { result: 'updated', aliasTo: '1', toDigest: good.platforms[0]?.digest },
    ]);
    expect(log.lines.join('\n')).toContain(`{"app":"${version}","event":{"hello":"world"}}`);
    const arm = await ship(good, 'graviton');
    expect(arm.rows).toMatchObject([{ toDigest: good.platforms[1]?.digest }]);
  });

  test('the index itself is refused in the words of AWS', async () => {
    const lambda = connectLambda(connection());
    const { revisionId } = await lambda.getFunction('app');
    const imageUri = `${good.repository}@${good.digest}`;
    const change = { imageUri, architecture: 'x86_64', revisionId, dryRun: true };
    await expect(lambda.updateCode('app', change)).rejects.toThrow(
      `The image manifest, config or layer media type for the source image ${imageUri} is not supported.`,
    );
  });

  test.each([
    [
      'crash',
      ['(Runtime.ExitError)', 'exit status 3', 'no module named app', 'ended before it answered'],
    ],
    [
      'foreign',
      ['(Runtime.InvalidEntrypoint)', 'fork/exec /app: exec format error', 'another architecture'],
    ],
    ['slow', ['(Sandbox.Timedout)', 'Task timed out after 1.00 seconds', 'within its own timeout']],
  ])('%s: the smoke invocation stops it, the alias stays', async (target, says) => {
    const image = await build(target, '--provenance=false');
    const fn = await world.lambda.create(`app${target}`, {
      image: `${good.repository}@${good.platforms[0]?.digest}`,
    });
    await ship(good, `app${target}:live`, { invoke: '{}' }).catch(() => undefined);
    fn.timeout = 1000;
    const error: unknown = await ship(image, `app${target}:live`, { invoke: '{}' }).catch(
      (error: unknown) => error,
    );
    const text = explain(error);
    for (const words of says) expect(text).toContain(words);
    expect(text).toContain('no alias was moved');
    expect(fn.aliases.get('live')?.version).toBe('1');
    expect(fn.latest.code?.resolvedImageUri).toContain(good.platforms[0]?.digest);
  });

  test('the error that a function itself reports stops it, too', async () => {
    await world.lambda.create('reporter', {
      image: `${good.repository}@${good.platforms[0]?.digest}`,
    });
    const text = explain(
      await ship(await build('good', '--provenance=false', '--label=n=2'), 'reporter:live', {
        invoke: '{"do":"fail"}',
      }).catch((error: unknown) => error),
    );
    expect(text).toContain('(Failed)');
    expect(text).toContain('as asked');
    expect(text).toContain(`app ${version} starts`);
  });
});

/** The least file that the kernel takes for a program of another architecture. */
function arm64Program(): Buffer {
  const header = Buffer.alloc(120);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(183, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  return header;
}
