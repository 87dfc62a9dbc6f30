import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { explain } from '../../src/errors.ts';
import type { BuilderInputs } from '../../src/inputs/inputs.ts';
import {
  prepareBuilder,
  removeBuilder,
  type BuilderRecord,
  type BuilderRequest,
  type BuilderSystems,
} from '../../src/steps/builder.ts';
import type { Ended, Run, RunOptions } from '../../src/systems/process.ts';
import { fakeClock } from '../fake-clock.ts';
import { collectLog } from '../fake-log.ts';
import { plainBuilder } from '../build-plan.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'builder-'));
  return () => rm(folder, { recursive: true });
});

const inspected =
  'Name: b\nDriver: docker-container\n\nNodes:\nName: b0\nStatus: running\nBuildKit version: v0.25.1\n';

/** docker that answers by the first matching pattern; everything else succeeds. */
function fakeDocker(answers: readonly (readonly [RegExp, Partial<Ended>])[] = []) {
  const calls: string[] = [];
  const left = [...answers];
  const run: Run = (command, args, options: RunOptions = {}) => {
    const line = [command, ...args].join(' ');
    calls.push(`${line} @${options.env?.['BUILDX_CONFIG']?.replace(folder, '') ?? ''}`);
    const at = left.findIndex(([pattern]) => pattern.test(line));
    const [answer] = at < 0 ? [] : left.splice(at, 1);
    const stdout = line.includes('inspect') ? inspected : '';
    return Promise.resolve({ code: 0, signal: null, stdout, stderr: '', ...answer?.[1] });
  };
  return { run, calls };
}

const request = (
  driver: BuilderRequest['choice']['driver'],
  inputs: Partial<BuilderInputs> = {},
  change: Partial<BuilderRequest> = {},
): BuilderRequest => ({
  inputs: {
    builder: { ...plainBuilder, ...inputs },
    build: { allow: [] },
  },
  facts: {
    serverVersion: '28.5.2',
    containerdStore: true,
    buildxVersion: '0.29.1',
    platform: 'linux/amd64',
    problem: undefined,
    context: 'default',
  },
  choice: { driver, why: '' },
  folder: join(folder, 'docker'),
  context: {
    repository: 'o/r',
    runId: 7,
    runAttempt: 2,
    job: 'ship',
    runnerName: 'r1',
    workflowRef: 'o/r/.github/workflows/ship.yml@refs/heads/main',
    workspace: '/checkout',
  },
  toolCache: join(folder, 'tools'),
  env: {},
  userEnv: { HOME: '/home/user' },
  ...change,
});

async function prepare(asked: BuilderRequest, docker = fakeDocker(), download = noDownload) {
  const { log, lines } = collectLog();
  const clock = fakeClock();
  const records: BuilderRecord[] = [];
  const systems = { run: docker.run, log, clock, download };
  try {
    const prepared = await prepareBuilder(asked, systems, (record) => records.push(record));
    return { ...prepared, error: undefined, records, lines, clock, calls: docker.calls };
  } catch (error) {
    return { builder: undefined, env: {}, error, records, lines, clock, calls: docker.calls };
  }
}
const noDownload: NonNullable<BuilderSystems['download']> = () =>
  Promise.reject(new Error('no download was expected'));

describe('prepareBuilder', () => {
  it("creates and boots a container builder in the run's own folder, recorded before it exists", async () => {
    const { builder, calls, records, env } = await prepare(
      request('docker-container', { driverOpts: ['network=host'] }, {}),
    );
    const name = builder?.name;
    expect(name).toMatch(/^ship-to-ecr-7-2-[0-9a-f]{8}$/);
    expect(calls).toEqual([
      `docker buildx create --name ${name} --driver docker-container --driver-opt network=host @/docker/buildx`,
      `docker buildx inspect --bootstrap ${name} @/docker/buildx`,
    ]);
    expect(builder).toMatchObject({ created: true, buildkitVersion: '0.25.1' });
    expect(records).toEqual([
      {
        name,
        driver: 'docker-container',
        keepState: false,
        dockerConfig: join(folder, 'docker'),
        buildxConfig: join(folder, 'docker/buildx'),
      },
    ]);
    expect(env).toEqual({ BUILDX_CONFIG: join(folder, 'docker/buildx'), BUILDX_BUILDER: '' });
  });

  it('tries again while its image is throttled, at most four times', async () => {
    const throttled = {
      code: 1,
      stderr: 'ERROR: toomanyrequests: You have reached your pull rate limit',
    };
    const twice = await prepare(
      request('docker-container'),
      fakeDocker([
        [/inspect/, throttled],
        [/inspect/, throttled],
      ]),
    );
    expect(twice.error).toBeUndefined();
    expect(twice.clock.slept).toEqual([2000, 4000]);
    const always = await prepare(
      request('docker-container'),
      fakeDocker(Array.from({ length: 9 }, () => [/inspect/, throttled] as const)),
    );
    expect(always.calls).toHaveLength(5);
    expect(explain(always.error)).toMatch(/toomanyrequests.*driver-opts: image=<mirror>/s);
    expect(always.records).toHaveLength(1);
  });

  it('nobody at a remote endpoint says what to check, at once', async () => {
    const lost = { code: 1, stderr: 'ERROR: failed to find driver: context deadline exceeded' };
    const { error, clock } = await prepare(
      request('remote', { endpoint: 'tcp://bk.example:1234' }),
      fakeDocker([[/inspect/, lost]]),
    );
    expect(clock.slept).toEqual([]);
    expect(explain(error)).toContain('Check endpoint');
  });

  it('writes PEM texts into files of its own, and takes paths as they are', async () => {
    const pem = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----';
    const asked = request('remote', {
      endpoint: 'tcp://bk.example:1234',
      cacert: pem,
      cert: '/etc/cert.pem',
      key: 'keys/key.pem',
    });
    const { calls } = await prepare(asked);
    const file = join(folder, 'docker/builder/cacert.pem');
    expect(calls[0]).toContain(
      `--driver-opt cacert=${file} --driver-opt cert=/etc/cert.pem --driver-opt key=/checkout/keys/key.pem tcp://bk.example:1234`,
    );
    expect(await readFile(file, 'utf8')).toBe(`${pem}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('lets buildkitd allow what the input allow asks for, unless flags are given', async () => {
    const asked = request('docker-container');
    const allowing = {
      ...asked,
      inputs: { ...asked.inputs, build: { allow: ['network.host', 'device'] } },
    };
    expect((await prepare(allowing)).calls[0]).toContain(
      '--buildkitd-flags --allow-insecure-entitlement=network.host @',
    );
    const flags = request('docker-container', {
      buildkitdFlags: '--debug',
      buildkitdConfig: 'ci/bk.toml',
    });
    expect((await prepare(flags)).calls[0]).toContain(
      '--buildkitd-flags --debug --buildkitd-config /checkout/ci/bk.toml',
    );
  });

  it('a builder that outlives the job has a lasting name, another for each runner and job', async () => {
    const nameWith = async (inputs: Partial<BuilderInputs>, context: object = {}) => {
      const asked = request('docker-container', inputs);
      const { builder, records } = await prepare({
        ...asked,
        context: { ...asked.context, ...context },
      });
      return { name: builder?.name, recorded: records.length };
    };
    const kept = await nameWith({ keepState: true });
    expect(
      await nameWith(
        { keepState: true },
        { runId: 8, workflowRef: 'o/r/.github/workflows/ship.yml@refs/heads/x' },
      ),
    ).toEqual(kept);
    expect(await nameWith({ keepState: true }, { runnerName: 'r2' })).not.toEqual(kept);
    // Without clean-up nothing is recorded, so post removes nothing.
    expect(await nameWith({ cleanup: false })).toEqual({ name: kept.name, recorded: 0 });
  });

  it('downloads buildx where it is missing, or another version is asked for', async () => {
    const asked: string[] = [];
    const download = ({ version }: { version: string }) => {
      asked.push(version);
      return Promise.resolve({ path: '/tools/docker-buildx', version: '1.0.0' });
    };
    const without = request('docker');
    const missing = { ...without, facts: { ...without.facts, buildxVersion: undefined } };
    await prepare(missing, fakeDocker(), download);
    await prepare(request('docker', { buildxVersion: 'v0.29.1' }), fakeDocker(), download);
    await prepare(request('docker', { buildxVersion: '0.30.0' }), fakeDocker(), download);
    await prepare(request('docker', { buildxVersion: 'latest' }), fakeDocker(), download);
    expect(asked).toEqual(['latest', '0.30.0', 'latest']);
  });

  it.each<[NodeJS.ProcessEnv, string]>([
    [{ HOME: '/home/user' }, '/home/user/.docker/buildx'],
    [{ HOME: '/home/user', DOCKER_CONFIG: '/etc/docker' }, '/etc/docker/buildx'],
    [
      { HOME: '/home/user', DOCKER_CONFIG: '/etc/docker', BUILDX_CONFIG: '/var/buildx' },
      '/var/buildx',
    ],
  ])("looks for an existing builder in the user's own folder: %j", async (userEnv, config) => {
    const { calls, env, builder, records } = await prepare(
      request('remote', { builder: 'mine' }, { userEnv }),
    );
    expect(calls).toEqual([`docker buildx inspect --bootstrap mine @${config}`]);
    expect(env).toMatchObject({ BUILDX_CONFIG: config });
    expect(builder).toMatchObject({ name: 'mine', driver: 'docker-container', created: false });
    expect(records).toEqual([]);
  });
});

describe('removeBuilder', () => {
  const record: BuilderRecord = {
    name: 'b',
    driver: 'docker-container',
    keepState: false,
    dockerConfig: '/d',
    buildxConfig: '/d/buildx',
  };
  const remove = async (change: Partial<BuilderRecord>, docker: ReturnType<typeof fakeDocker>) => {
    const { log, lines } = collectLog();
    await removeBuilder({ ...record, ...change }, { run: docker.run, log, env: {} });
    return { lines, calls: docker.calls };
  };

  it('keeps the state where asked', async () => {
    const { calls, lines } = await remove({ keepState: true }, fakeDocker());
    expect(calls).toEqual(['docker buildx rm --keep-state b @/d/buildx']);
    expect(lines).toEqual(['info: Removed the builder b, its state is kept.']);
  });

  it('says nothing of a builder that was never made', async () => {
    const { lines } = await remove(
      {},
      fakeDocker([[/rm/, { code: 1, stderr: 'ERROR: no builder "b" found' }]]),
    );
    expect(lines).toEqual([]);
  });

  it('what can’t be removed is a warning, never an error', async () => {
    const down = { code: 1, stderr: 'ERROR: daemon is gone' };
    const container = await remove(
      {},
      fakeDocker([
        [/buildx rm/, down],
        [/rm --force/, down],
      ]),
    );
    expect(container.lines.at(-1)).toMatch(
      /^warning: The builder's container buildx_buildkit_b0 could not be removed.*daemon is gone/s,
    );
    const remote = await remove({ driver: 'kubernetes' }, fakeDocker([[/buildx rm/, down]]));
    expect(remote.lines).toEqual([
      expect.stringMatching(/^warning: The builder b could not be removed/),
    ]);
  });
});
