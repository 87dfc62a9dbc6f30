import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { explain } from '../../src/errors.ts';
import type { Builder, DockerFacts } from '../../src/image/plan.ts';
import { prepareBuilder, removeBuilder, type BuilderRecord } from '../../src/steps/builder.ts';
import { inspectDocker } from '../../src/systems/docker.ts';
import { run } from '../../src/systems/process.ts';
import { fakeClock } from '../fake-clock.ts';
import { collectLog } from '../fake-log.ts';
import { ensureBuildkitImage, startBuildkitd } from '../sandbox/buildkit.ts';
import { openBench, succeeded, unique, type Bench } from './build-kit.ts';
import { builderRequest, type BuilderChange } from './builder-kit.ts';

let bench: Bench;
let facts: DockerFacts;
let container = false;

beforeAll(async () => {
  bench = await openBench();
  facts = await inspectDocker(run, bench.env);
  container = await ensureBuildkitImage(bench.engine);
  await bench.write({
    Dockerfile: ['FROM scratch', `LABEL unique=${unique()}`, 'COPY Dockerfile /', ''].join('\n'),
    'net.Dockerfile': [
      `FROM ${bench.registry}/sandbox/busybox:1`,
      `RUN --network=host echo ${unique()}; ls /sys/class/net`,
      '',
    ].join('\n'),
  });
});
afterAll(() => bench[Symbol.asyncDispose]());

/** Prepares a builder; it is removed with the test, whatever happens. */
async function prepare(change: BuilderChange) {
  const { log, lines } = collectLog();
  const records: BuilderRecord[] = [];
  const systems = {
    run,
    log,
    clock: fakeClock(),
    ...(change.download === undefined ? {} : { download: change.download }),
  };
  onTestFinished(async () => {
    for (const record of records) await removeBuilder(record, { run, log, env: bench.env });
  });
  const request = builderRequest(bench, { facts, ...change });
  const { builder, env } = await prepareBuilder(request, systems, (record) => records.push(record));
  const remove = async () => {
    for (const record of records.splice(0))
      await removeBuilder(record, { run, log, env: bench.env });
  };
  return { builder, env: { ...request.env, ...env }, records, lines, remove };
}

/** Names of the daemon's containers and volumes of a builder. */
async function leftOf(name: string): Promise<string[]> {
  const filter = ['--all', '--filter', `name=${name}`, '--format', '{{.Names}}'];
  const containers = await bench.engine.must(['ps', ...filter]);
  const volumes = await bench.engine.must([
    'volume',
    'ls',
    '--filter',
    `name=${name}`,
    '--format',
    '{{.Name}}',
  ]);
  return [...containers.split('\n'), ...volumes.split('\n')].filter((text) => text !== '');
}

async function pushDigest(builder: Builder, env: NodeJS.ProcessEnv) {
  const repository = `g/builder-${unique()}`;
  const built = await bench.build(
    {
      builder,
      outputs: [
        `type=image,name=${bench.registry}/${repository},push-by-digest=true,name-canonical=true,push=true`,
      ],
      provenance: 'false',
    },
    { env },
  );
  const { digest } = succeeded(built);
  expect((await bench.manifest(repository, digest ?? '')).digest).toBe(digest);
  return built;
}

describe('docker', () => {
  it('needs no call: the builder is named as the context', async () => {
    const { builder, records } = await prepare({ driver: 'docker' });
    expect(builder).toEqual({
      name: 'default',
      driver: 'docker',
      pushByDigest: false,
      cacheExport: true,
      s3Cache: false,
      buildkitVersion: undefined,
      created: false,
    });
    expect(records).toEqual([]);
    succeeded(await bench.build({ builder }));
  });
});

describe('docker-container', () => {
  it('is created, boots, builds with what it allows, pushes by digest, and is removed without a trace', async ({
    skip,
  }) => {
    if (!container) skip('BuildKit could not be built here');
    const { builder, env, records, remove } = await prepare({
      driver: 'docker-container',
      inputs: {
        driverOpts: ['network=host'],
        buildkitdConfigInline: 'debug = true\n[worker.oci]\n  gc = false',
      },
      allow: ['network.host'],
    });
    expect(builder).toMatchObject({
      driver: 'docker-container',
      pushByDigest: true,
      s3Cache: true,
      created: true,
    });
    expect(builder.buildkitVersion).toMatch(/^\d+\.\d+/);
    expect(builder.name).toMatch(/^ship-to-ecr-7-1-[0-9a-f]{8}$/);
    expect(records).toHaveLength(1);
    await pushDigest(builder, env);
    // The scenario "network": RUN in the host's network, allowed on both sides.
    const built = await bench.build(
      { builder, file: 'net.Dockerfile', allow: ['network.host'], outputs: ['type=cacheonly'] },
      { env },
    );
    succeeded(built);
    expect(built.log).toMatch(/│ docker0/);
    await remove();
    expect(await leftOf(builder.name)).toEqual([]);
  });

  it('keep-state: the next run of the job finds its cache', async ({ skip }) => {
    if (!container) skip('BuildKit could not be built here');
    const change: BuilderChange = {
      driver: 'docker-container',
      inputs: { driverOpts: ['network=host'], keepState: true },
      runnerName: `runner-${unique()}`,
    };
    const first = await prepare(change);
    onTestFinished(async () => {
      await bench.engine.docker([
        'volume',
        'rm',
        '-f',
        `buildx_buildkit_${first.builder.name}0_state`,
      ]);
    });
    succeeded(await bench.build({ builder: first.builder }, { env: first.env }));
    await first.remove();
    expect(await leftOf(first.builder.name)).toEqual([
      `buildx_buildkit_${first.builder.name}0_state`,
    ]);
    const second = await prepare({ ...change, runId: 8 });
    expect(second.builder.name).toBe(first.builder.name);
    const again = succeeded(await bench.build({ builder: second.builder }, { env: second.env }));
    expect(again.steps).toEqual({ cached: 1, run: 0 });
  });

  it('without buildx, what is left of it is still removed', async ({ skip }) => {
    if (!container) skip('BuildKit could not be built here');
    const { builder, records } = await prepare({
      driver: 'docker-container',
      inputs: { driverOpts: ['network=host'] },
    });
    const { log, lines } = collectLog();
    const [record] = records;
    if (record === undefined) throw new Error('no record');
    const broken = { ...record, dockerConfig: join(bench.workspace, 'nothing') };
    await removeBuilder(broken, { run, log, env: bench.env });
    expect(lines.at(-1)).toBe(
      `info: Removed the builder's container buildx_buildkit_${builder.name}0.`,
    );
    expect(await leftOf(builder.name)).toEqual([]);
  });

  it('an image that can’t be pulled is tried again, then a mirror is advised', async () => {
    // Nobody listens there: the pull is refused at once.
    const failed = prepare({
      driver: 'docker-container',
      inputs: { driverOpts: ['image=127.0.0.1:1/moby/buildkit:1'] },
    });
    const error = await failed.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(explain(error)).toContain('driver-opts: image=<mirror>');
  });
});

describe('remote', () => {
  it('builds on a BuildKit of its own; an existing builder of the user’s is found and left', async ({
    skip,
  }) => {
    const buildkitd = await startBuildkitd();
    if (buildkitd === undefined) {
      skip('BuildKit could not be built here');
      return;
    }
    onTestFinished(() => buildkitd[Symbol.asyncDispose]());
    const { builder, env, remove } = await prepare({
      driver: 'remote',
      inputs: { endpoint: buildkitd.address },
    });
    expect(builder).toMatchObject({ driver: 'remote', pushByDigest: true, created: true });
    await pushDigest(builder, env);
    await remove();

    // The user's own, in their own folder, as docker/setup-buildx-action leaves it.
    const home = join(bench.workspace, 'home');
    const theirs = join(home, '.docker');
    await mkdir(theirs, { recursive: true });
    const name = `own-${unique()}`;
    const own = { ...bench.env, BUILDX_CONFIG: join(theirs, 'buildx') };
    await run(
      'docker',
      ['buildx', 'create', '--name', name, '--driver', 'remote', buildkitd.address],
      { env: own },
    );
    const userEnv = { HOME: home };
    const found = await prepare({ driver: 'remote', inputs: { builder: name }, userEnv });
    expect(found.builder).toMatchObject({ name, driver: 'remote', created: false });
    expect(found.records).toEqual([]);
    succeeded(
      await bench.build(
        { builder: found.builder, outputs: ['type=cacheonly'] },
        { env: found.env },
      ),
    );
    const missing = await prepare({ driver: 'remote', inputs: { builder: 'nope' }, userEnv }).catch(
      explain,
    );
    expect(missing).toContain('there is no builder "nope"');
    expect(missing).toContain(name);
  });
});

describe('buildx', () => {
  it('a version that is asked for is downloaded and used', async () => {
    // The engine's own program under another version, so that it really runs.
    const program = join(bench.dockerConfig, 'cli-plugins/docker-buildx');
    const copy = join(bench.workspace, 'docker-buildx');
    await writeFile(copy, await readFile(program), { mode: 0o755 });
    const asked: string[] = [];
    const { builder, lines, env } = await prepare({
      driver: 'docker',
      inputs: { buildxVersion: 'v9.9.9' },
      download: ({ version }) => {
        asked.push(version);
        return Promise.resolve({ path: copy, version: '9.9.9' });
      },
    });
    expect(asked).toEqual(['v9.9.9']);
    expect(lines).toContain('info: buildx 9.9.9 (as buildx-version asks), checksum verified.');
    const { stdout } = await run('docker', ['info', '--format', '{{json .ClientInfo.Plugins}}'], {
      env,
    });
    expect(stdout).toContain(join(env['DOCKER_CONFIG'] ?? '', 'cli-plugins/docker-buildx'));
    succeeded(await bench.build({ builder }, { env }));
  });
});
