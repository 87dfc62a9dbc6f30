import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain } from '../../src/errors.ts';
import { openBench, openFront, succeeded, unique, type Bench, type Front } from './build-kit.ts';

let bench: Bench;
let front: Front;
const dockerfile = () =>
  [
    'FROM sandbox/busybox:1',
    `RUN echo ${unique()} > /unique; cat /proc/sys/kernel/random/uuid >> /unique`,
    '',
  ].join('\n');

beforeAll(async () => {
  bench = await openBench({ Dockerfile: dockerfile() });
  front = await openFront(bench.registry);
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

describe('an interrupted push', () => {
  // BuildKit and containerd try again by themselves, for seconds: the registry comes back when they
  // have given up.
  it.each([
    ['throttled at the manifest', /^PUT .*manifests/, 429],
    ['connection lost in a layer', /^(PUT|PATCH) .*uploads/, 0],
  ])('%s: pushed again without a rebuild', async (_name, match, status) => {
    await bench.write({ 'push.Dockerfile': dockerfile() });
    const repository = `g/again-${unique()}`;
    let back = false;
    front.answer((method, path) =>
      back || !match.test(`${method} ${path}`) ? undefined : { status },
    );
    const built = await bench.build(
      {
        file: 'push.Dockerfile',
        noCache: true,
        references: [`${front.host}/${repository}:1`],
        provenance: 'false',
      },
      {},
      {
        onLine: (line) => {
          back ||= line.includes('without a rebuild');
        },
      },
    );
    const outcome = succeeded(built);
    expect(back).toBe(true);
    expect(built.slept.length).toBeGreaterThan(0);
    // That the second attempt finds the step cached is counted where no other build can disturb it
    // (build.caches.test.ts).
    expect(outcome.steps).toEqual({ cached: 0, run: 1 });
    expect((await bench.manifest(repository, '1')).digest).toBe(outcome.digest);
  });

  it('a registry that stays down ends with what to do', async () => {
    front.answer((method) => (/^(PUT|POST|PATCH)$/.test(method) ? { status: 429 } : undefined));
    const { error, slept } = await bench.build({ references: [`${front.host}/g/down:1`] });
    expect(error?.message).toContain('pushing it broke off again and again');
    expect(slept).toEqual([1000, 2000, 4000, 8000, 16_000]);
    expect(explain(error)).toContain('Run the job again');
  });
});

describe('a denied push', () => {
  const expired =
    '{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}';

  it.each([
    ['expired token', 403, expired],
    ['403 without a text', 403, ''],
    ['401', 401, ''],
  ])('%s: once more with a fresh login', async (_name, status, body) => {
    const repository = `g/login-${unique()}`;
    let fresh = false;
    front.answer(() => (fresh ? undefined : { status, body }));
    const built = await bench.build(
      { references: [`${front.host}/${repository}:1`] },
      {
        refreshLogin: async () => {
          fresh = true;
        },
      },
    );
    succeeded(built);
    expect(built.log).toContain('with fresh credentials, without a rebuild');
  });

  it('that stays denied says which permission is needed', async () => {
    front.answer((method) => (method === 'POST' ? { status: 403 } : undefined));
    let logins = 0;
    const { error } = await bench.build(
      { references: [`${front.host}/g/denied-${unique()}:1`] },
      {
        refreshLogin: async () => {
          logins += 1;
        },
      },
    );
    expect(logins).toBe(1);
    expect(error?.message).toContain('was denied');
    expect(explain(error)).toContain('ecr:InitiateLayerUpload');
  });

  it('of an immutable tag, or without a repository, says so at once', async () => {
    const answer = (status: number, code: string, message: string) => {
      const body = JSON.stringify({ errors: [{ code, message }] });
      front.answer((method, path) =>
        method === 'PUT' && path.includes('/manifests/') ? { status, body } : undefined,
      );
      return bench.build({ references: [`${front.host}/g/refused-${unique()}:1`] });
    };
    const immutable = await answer(
      400,
      'TAG_INVALID',
      "The image tag '1' already exists in the 'g' repository and cannot be overwritten because the tag is immutable.",
    );
    expect(immutable.error?.message).toContain('because the tag is immutable');
    expect(immutable.slept).toEqual([]);
    const missing = await answer(
      404,
      'NAME_UNKNOWN',
      "The repository with name 'g' does not exist in the registry with id '123456789012'",
    );
    expect(missing.error?.message).toContain('because the repository does not exist');
    expect(explain(missing.error)).toContain('create-repository');
  });
});

describe('caches never fail a build', () => {
  const closed = '127.0.0.1:1/g/cache:1';

  it('that can’t be written: built again without it, with a notice', async () => {
    const outcome = succeeded(await bench.build({ cacheTo: [`type=registry,ref=${closed}`] }));
    expect(outcome.notices).toEqual([
      expect.stringMatching(/could not be written.*without writing the cache type=registry/s),
    ]);
  });

  it('written with ignore-error, read from nowhere, gha without its variables: notices, never silence', async () => {
    const built = await bench.build({
      cacheFrom: [
        `type=registry,ref=${closed}`,
        `type=registry,ref=${bench.registry}/g/none:${unique()}`,
      ],
      cacheTo: [`type=registry,ref=${closed},ignore-error=true`, 'type=gha'],
    });
    expect(succeeded(built).notices).toEqual([
      expect.stringContaining('The cache type=registry was not written'),
      'The cache type=gha was asked for, but BuildKit did not write it.',
      expect.stringContaining('The cache 127.0.0.1:1/g/cache:1 could not be read'),
    ]);
    expect(built.slept).toEqual([]);
  });

  it('a backend that this BuildKit does not have is left out', async () => {
    const outcome = succeeded(
      await bench.build({
        cacheTo: ['type=s3,region=us-east-1,bucket=b,access_key_id=a,secret_access_key=b'],
      }),
    );
    expect(outcome.notices).toEqual([expect.stringContaining('unknown cache exporter: "s3"')]);
  });
});

describe('base images', () => {
  it('a passing failure of their registry is tried again', async () => {
    const repository = `g/base-${unique()}`;
    front.answer(() => undefined);
    succeeded(await bench.build({ references: [`${front.host}/${repository}:1`] }));
    await bench.write({
      'base.Dockerfile': `FROM ${front.host}/${repository}:1\nLABEL a=${unique()}\n`,
    });
    let back = false;
    front.answer((_method, path) =>
      back || !path.includes('/manifests/') ? undefined : { status: 429 },
    );
    const built = await bench.build(
      { file: 'base.Dockerfile', pull: true },
      {},
      {
        onLine: (line) => {
          back ||= line.startsWith('A base image could not be had');
        },
      },
    );
    succeeded(built);
    expect(built.slept).toEqual([2000]);
  });

  it('one that is not there is not', async () => {
    await bench.write({ 'base.Dockerfile': `FROM ${bench.registry}/g/nowhere:1\n` });
    const { error, slept } = await bench.build({ file: 'base.Dockerfile' });
    expect(slept).toEqual([]);
    expect(error?.message).toMatch(
      /^A base image could not be had: .*not found \(base.Dockerfile:1\)\.$/,
    );
  });
});

describe('what is wrong is shown', () => {
  it('a failed step: BuildKit’s own error block, and an annotation at its line', async () => {
    await bench.write({
      'sub/Dockerfile': [
        'FROM sandbox/busybox:1',
        '',
        `RUN echo ${unique()} last words >&2 && exit 42`,
        '',
      ].join('\n'),
    });
    const { error, annotations } = await bench.build({ context: 'sub' });
    expect(error?.message).toMatch(
      /^The build failed at \[2\/2\] RUN echo .*: exit code 42 \(sub\/Dockerfile:3\)\.$/,
    );
    const told = explain(error);
    expect(told).toMatch(/^ > \[2\/2\] RUN echo/m);
    expect(told).toMatch(/^\w{8} last words$/m);
    expect(told).toMatch(/^ {3}3 \| >>> RUN echo/m);
    expect(annotations).toEqual([
      expect.objectContaining({ level: 'error', file: 'sub/Dockerfile', startLine: 3 }),
    ]);
  });

  it.each([
    [
      'a missing file',
      'FROM scratch\nCOPY nope /\n',
      /at \[1\/1\] COPY nope \/: .*not found/,
      /\.dockerignore/,
    ],
    [
      'an unknown instruction',
      'FROM scratch\nRUNN x\n',
      /unknown instruction: RUNN.*\(wrong.Dockerfile:2\)/,
      /RUNN x/,
    ],
  ])('%s', async (_name, text, message, story) => {
    await bench.write({ 'wrong.Dockerfile': text });
    const { error } = await bench.build({ file: 'wrong.Dockerfile' });
    expect(error?.message).toMatch(message);
    expect(explain(error)).toMatch(story);
  });

  it('buildx that never began is told from a failed Dockerfile', async () => {
    const wrong = await bench.build({ outputs: ['type=nope'] });
    expect(wrong.error?.message).toMatch(
      /did not start the build \(exit code 1\): exporter "nope"/,
    );
    const dead = { ...bench.env, DOCKER_HOST: 'unix:///nowhere.sock' };
    const { error } = await bench.build({}, { env: dead });
    expect(explain(error)).toMatch(
      /Cannot connect to the Docker daemon.*→ Start Docker on the runner/s,
    );
    const none = await bench.build({}, { env: { ...bench.env, PATH: '/nowhere' } });
    expect(none.error?.message).toBe('docker could not be started.');
    const plugin = await bench.build({}, { env: { ...bench.env, DOCKER_CONFIG: bench.workspace } });
    expect(explain(plugin.error)).toMatch(/did not start|no buildx plugin/);
  });
});

describe('a cancelled run', () => {
  it('ends the build at once', async () => {
    await bench.write({
      'long.Dockerfile': `FROM sandbox/busybox:1\nRUN echo ${unique()} && sleep 300\n`,
    });
    const stop = new AbortController();
    const { error } = await bench.build(
      { file: 'long.Dockerfile' },
      {},
      { signal: stop.signal, onLine: (line) => line.includes('│') && stop.abort() },
    );
    expect(error?.name).toBe('AbortError');
  });
});
