import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Builder, BuildOutcome, BuildPlan } from '../../src/image/plan.ts';
import { prepareBuilder } from '../../src/steps/builder.ts';
import { inspectDocker } from '../../src/systems/docker.ts';
import { run } from '../../src/systems/process.ts';
import { collectLog } from '../fake-log.ts';
import { startBuildkitd, type Buildkitd } from '../sandbox/buildkit.ts';
import { startS3 } from '../sandbox/s3/s3.ts';
import { openBench, openFront, succeeded, unique, type Bench } from './build-kit.ts';
import { builderRequest } from './builder-kit.ts';

// A BuildKit of the tests' own: its local cache can be pruned between two builds, so that what is
// CACHED in the second can only come from the cache under test.

let bench: Bench;
let buildkitd: Buildkitd | undefined;
let builder: Builder;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  bench = await openBench();
  buildkitd = await startBuildkitd();
  if (buildkitd === undefined) return;
  const facts = await inspectDocker(run, bench.env);
  const request = builderRequest(bench, {
    facts,
    driver: 'remote',
    inputs: { endpoint: buildkitd.address },
  });
  const prepared = await prepareBuilder(request, { run, log: collectLog().log }, () => {});
  builder = prepared.builder;
  env = { ...request.env, ...prepared.env };
});
afterAll(async () => {
  await buildkitd?.[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

async function prune(): Promise<void> {
  const pruned = await buildkitd?.buildctl(['prune', '--all']);
  expect(pruned?.code).toBe(0);
}

/** Two stages; mode=max keeps the first one's steps too. Unique, so that nothing is cached before. */
const dockerfile = () =>
  [
    `FROM ${bench.registry}/sandbox/busybox:1 AS tools`,
    `RUN echo ${unique()} > /tool; cat /proc/sys/kernel/random/uuid >> /tool`,
    'RUN cp /tool /tool2',
    `FROM ${bench.registry}/sandbox/busybox:1`,
    'COPY --from=tools /tool2 /tool',
    'COPY code /code',
    'RUN cat /code /tool | tee /result',
    '',
  ].join('\n');

async function newProject(): Promise<string> {
  const folder = unique();
  await bench.write({ [`${folder}/Dockerfile`]: dockerfile(), [`${folder}/code`]: 'one' });
  return folder;
}

async function build(plan: Partial<BuildPlan>): Promise<BuildOutcome> {
  return succeeded(
    await bench.build(
      { builder, outputs: ['type=cacheonly'], provenance: 'false', ...plan },
      { env },
    ),
  );
}

describe('each backend, after the local cache was pruned', () => {
  let context = '';
  let first: BuildOutcome;
  const sources: Record<string, string> = {};

  // One build writes all of them (several caches at once), then each is read alone.
  beforeAll(async () => {
    if (buildkitd === undefined) return undefined;
    const repository = `${bench.registry}/g/caches-${unique()}`;
    const folder = join(bench.workspace, 'caches', unique());
    const s3 = await startS3();
    const to = [
      'type=inline',
      `type=registry,ref=${repository}:cache,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true`,
      `type=local,dest=${folder},mode=max,ignore-error=true`,
    ];
    if (s3 !== undefined) {
      await s3.createBucket('layers');
      const access = `access_key_id=${s3.accessKeyId},secret_access_key=${s3.secretAccessKey}`;
      const bucket = `type=s3,region=us-east-1,bucket=layers,name=app,prefix=ci/,endpoint_url=${s3.endpoint},use_path_style=true,${access}`;
      to.push(`${bucket},mode=max,ignore-error=true`);
      sources['s3'] = bucket;
    }
    context = await newProject();
    first = await build({
      context,
      cacheTo: to,
      references: [`${repository}:image`],
      outputs: [],
    });
    sources['registry'] = `type=registry,ref=${repository}:cache`;
    sources['inline'] = `type=registry,ref=${repository}:image`;
    sources['local'] = `type=local,src=${folder}`;
    return async () => {
      await s3?.[Symbol.asyncDispose]();
    };
  });

  it('all are written by one build', ({ skip }) => {
    if (buildkitd === undefined) skip('BuildKit could not be built here');
    expect(first).toMatchObject({ steps: { cached: 0, run: 5 }, cacheHitRatio: 0, notices: [] });
    expect(first.digest).toMatch(/^sha256:/);
    expect(first.bytes?.context).toBeGreaterThan(0);
    expect(first.bytes?.pulled).toBeGreaterThan(0);
    expect(first.slowest[0]?.ms).toBeGreaterThan(0);
  });

  it('none: every step runs', async ({ skip }) => {
    if (buildkitd === undefined) skip('BuildKit could not be built here');
    await prune();
    expect((await build({ context })).steps).toEqual({ cached: 0, run: 5 });
  });

  // The first stage of an image is not in it: inline cache has the last stage's steps alone.
  it.each([
    ['registry-cache', 'registry', 5],
    ['local-cache', 'local', 5],
    ['s3', 's3', 5],
    ['inline', 'inline', 3],
  ])('%s: CACHED', async (_name, source, least) => {
    const from = sources[source];
    if (from === undefined) return;
    await prune();
    const { steps, notices, cacheHitRatio } = await build({ context, cacheFrom: [from] });
    expect(notices).toEqual([]);
    expect(steps.cached).toBeGreaterThanOrEqual(least);
    expect(steps.cached + steps.run).toBe(5);
    expect(cacheHitRatio).toBe(steps.cached / 5);
  });

  it('mode=max has the first stage, which a change in the last does not touch', async ({
    skip,
  }) => {
    if (buildkitd === undefined) skip('BuildKit could not be built here');
    await prune();
    await bench.write({ [`${context}/code`]: 'two' });
    const changed = await build({ context, cacheFrom: [sources['registry'] ?? ''] });
    expect(changed.steps).toEqual({ cached: 3, run: 2 });
  });
});

describe('what is asked to run, runs', () => {
  it('no-cache-filters: the stage named runs', async ({ skip }) => {
    if (buildkitd === undefined) skip('BuildKit could not be built here');
    const context = await newProject();
    await build({ context });
    expect((await build({ context })).steps).toEqual({ cached: 5, run: 0 });
    const filtered = await build({ context, noCacheFilters: ['tools'] });
    // How much of what follows runs too is BuildKit's to decide.
    expect(filtered.steps.run).toBeGreaterThanOrEqual(2);
    expect((await build({ context, noCache: true })).steps).toEqual({ cached: 0, run: 5 });
  });

  it('no-cache and an interrupted push: the second push holds what the first attempt built', async ({
    skip,
  }) => {
    if (buildkitd === undefined) skip('BuildKit could not be built here');
    await using front = await openFront(bench.registry);
    const context = await newProject();
    await build({ context });
    // BuildKit tries again by itself for a while: the registry is back when it has given up.
    let back = false;
    front.answer((method, path) =>
      back || method !== 'PUT' || !path.includes('/manifests/') ? undefined : { status: 429 },
    );
    const repository = `g/fresh-${unique()}`;
    const built = await bench.build(
      {
        builder,
        context,
        noCache: true,
        provenance: 'false',
        references: [`${front.host}/${repository}:1`],
        outputs: ['type=local,dest=fresh'],
      },
      { env },
      {
        onLine: (line) => {
          back ||= line.includes('without a rebuild');
        },
      },
    );
    const outcome = succeeded(built);
    expect(built.slept).toHaveLength(1);
    expect(outcome.steps).toEqual({ cached: 0, run: 5 });
    expect((await bench.manifest(repository, '1')).digest).toBe(outcome.digest);
    // What the first attempt's step printed is what the second pushed: not an older cached result.
    const printed = /│ ([0-9a-f]{8}-[0-9a-f-]{27})$/m.exec(built.log)?.[1];
    expect(await readFile(join(bench.workspace, 'fresh/result'), 'utf8')).toContain(printed);
  });

  it('a cache whose layers are gone: built once more without it, with a notice', async ({
    skip,
  }) => {
    if (buildkitd === undefined) skip('BuildKit could not be built here');
    await using front = await openFront(bench.registry);
    const ref = `${front.host}/g/gone-${unique()}:main`;
    const context = await newProject();
    const cacheTo = [`type=registry,ref=${ref},mode=max,image-manifest=true,oci-mediatypes=true`];
    await build({ context, cacheTo });
    await prune();
    // The manifest is there, its layers have been expired.
    const layers = new Set<string>();
    front.answer((method, path) => {
      const digest = /gone-.*\/blobs\/(sha256:\w+)$/.exec(path)?.[1];
      if (method !== 'GET' || digest === undefined) return undefined;
      // The first blob that is read is the cache's description.
      if (layers.size === 0) {
        layers.add(digest);
        return undefined;
      }
      return layers.has(digest) ? undefined : { status: 404 };
    });
    await bench.write({ [`${context}/code`]: 'two' });
    const outcome = await build({
      context,
      cacheFrom: [`type=registry,ref=${ref}`],
      outputs: ['type=local,dest=gone'],
    });
    expect(outcome.notices).toEqual([expect.stringContaining('without reading the caches')]);
    expect(await readFile(join(bench.workspace, 'gone/result'), 'utf8')).toMatch(/^two/);
  });
});
