import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { calls, invoke, running, snapshot, writes } from './facts.ts';
import { lambdaApp, openWorld, ship, unique, type World, type WorldResult } from './kit.ts';

// The whole way as a user goes it: a commit, the same again, a changed one. Three runs, looked at
// from all sides.
const version = { first: unique(), third: unique() };
let world: World;
let workspace = '';
let userConfig = '';
let userHome = '';
let cold: WorldResult;
let same: WorldResult;
let changed: WorldResult;
const before = { config: {} as object, builders: '', workspace: {} as object };
const after = { config: {} as object, builders: '', workspace: {} as object };
/** What ECR was asked by the second run. */
let sameRequests: readonly string[] = [];
let sameWrites: readonly string[] = [];

/** A Docker configuration as a user has it, with a login and a builder of its own. */
async function makeUserConfig(): Promise<void> {
  userConfig = join(world.folder, 'user-docker');
  userHome = join(world.folder, 'user-home');
  await mkdir(userConfig);
  await mkdir(userHome);
  const engines = world.engine.env['DOCKER_CONFIG'] ?? '';
  if (existsSync(join(engines, 'cli-plugins'))) {
    await cp(join(engines, 'cli-plugins'), join(userConfig, 'cli-plugins'), { recursive: true });
  }
  const auths = { 'registry.example': { auth: Buffer.from('me:mine').toString('base64') } };
  await writeFile(join(userConfig, 'config.json'), JSON.stringify({ auths }));
  const own = ['--name', `mine-${unique()}`, '--driver', 'docker-container'];
  await world.engine.must(['buildx', 'create', ...own], { env: userEnvironment() });
}

const userEnvironment = () => ({ ...world.engine.env, DOCKER_CONFIG: userConfig });
const builders = () =>
  world.engine.must(['buildx', 'ls', '--format', '{{.Name}} {{.DriverEndpoint}}'], {
    env: userEnvironment(),
  });

beforeAll(async () => {
  world = await openWorld();
  await world.lambda.create('api');
  await makeUserConfig();
  workspace = await world.workspace(lambdaApp(version.first));
  const go = (inputs: Record<string, string>) =>
    ship(world, {
      workspace,
      env: { DOCKER_CONFIG: userConfig, HOME: userHome },
      inputs: { 'lambda-functions': 'api:live', ...inputs },
    });
  before.builders = await builders();
  before.config = await snapshot(userConfig);
  before.workspace = await snapshot(workspace);

  cold = await go({ provenance: 'mode=max' });
  after.workspace = await snapshot(workspace);
  const since = world.aws.requests.length;
  same = await go({ provenance: 'mode=max' });
  sameRequests = calls(world, since);
  sameWrites = writes(world, since);
  await writeFile(join(workspace, 'version'), version.third);
  changed = await go({ provenance: 'false' });

  after.config = await snapshot(userConfig);
  after.builders = await builders();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const digest = (result: WorldResult) => result.main.outputs['digest'];
const platforms = (result: WorldResult) =>
  JSON.parse(result.main.outputs['platform-digests'] ?? '{}') as Record<string, string>;
const own = (result: WorldResult) => (result.main.outputs['tags'] ?? '').split('\n');

describe('a cold run', () => {
  test('sets every output', () => {
    const { outputs } = cold.main;
    const uri = `${world.aws.registryHost}/shop`;
    expect(outputs).toMatchObject({
      image: `${uri}@${digest(cold)}`,
      repository: uri,
      built: 'true',
      'order-result': 'moved',
      'lambda-versions': '{"api:live":"1"}',
      imageid: expect.stringMatching(/^sha256:/),
    });
    const run = world.github.findRun(cold.runId);
    expect(own(cold)).toEqual([run?.sha, `run-${run?.number}`]);
    expect(JSON.parse(outputs['metadata'] ?? '')).toMatchObject({
      'containerimage.digest': digest(cold),
    });
    expect(Number(outputs['cache-hit-ratio'])).toBeLessThan(1);
    expect(JSON.parse(outputs['timings'] ?? '')).toMatchObject({ build: expect.any(Number) });
    expect(outputs).not.toHaveProperty('superseded-by');
  });

  test('leaves its tags on the index, with the attestation in it', () => {
    for (const tag of own(cold)) {
      expect(world.tag(tag)).toBe(digest(cold));
      expect(cold.main.summary).toContain(`\`${tag}\``);
    }
    const index = JSON.parse(world.aws.ecr.image('shop', digest(cold) ?? '')?.manifest ?? '{}') as {
      manifests?: { annotations?: object }[];
    };
    expect(index.manifests).toHaveLength(2);
    expect(index.manifests).toContainEqual(
      expect.objectContaining({
        annotations: expect.objectContaining({
          'vnd.docker.reference.type': 'attestation-manifest',
        }),
      }),
    );
  });

  test('tells in the summary what moved from where to where, and where the time went', () => {
    const { summary } = cold.main;
    expect(summary).toMatch(/^## Shipped\n/);
    expect(summary).toContain(`\`${cold.main.outputs['image']}\``);
    expect(summary).toContain(`| \`latest\` | nothing | \`${digest(cold)?.slice(0, 19)}\` |`);
    expect(summary).toMatch(/\| `api:live` \| nothing \| `sha256:\w{12}` \| 1 \| updated \|/);
    expect(summary).toMatch(/```mermaid\ngantt\n/);
    for (const phase of ['account', 'build', 'tags', 'deploy']) {
      expect(summary).toMatch(new RegExp(`^  ${phase} \\(.+\\) :\\d+, \\d+$`, 'm'));
    }
    expect(summary).not.toContain('### Notices');
  });
});

describe('the same again', () => {
  test('builds nothing: no builder, no context sent, no layer pushed', () => {
    expect(same.main.outputs['built']).toBe('false');
    const timings = JSON.parse(same.main.outputs['timings'] ?? '') as Record<string, number>;
    for (const phase of ['builder', 'cache mounts', 'build']) {
      expect(timings).not.toHaveProperty(phase);
    }
    expect(same.main.log).not.toMatch(/^#\d/m);
    // Only tags: the run's own and the order's. No layer, no manifest by Docker's protocol.
    expect(sameWrites.filter((action) => action.startsWith('registry:'))).toEqual([]);
    expect(sameRequests).not.toContain('lambda:UpdateFunctionCode');
    expect(same.main.outputs['imageid']).toBeUndefined();
  });

  test("puts the new run's tags on the digest that is there", () => {
    expect(digest(same)).toBe(digest(cold));
    expect(own(same)).not.toEqual(own(cold));
    for (const tag of own(same)) expect(world.tag(tag)).toBe(digest(cold));
    expect(same.main.outputs['order-result']).toBe('unchanged');
    expect(same.main.outputs['lambda-versions']).toBe('{"api:live":"1"}');
    expect(same.main.summary).toContain('Unchanged: shop has an image with this content');
  });
});

describe('a changed file, without provenance', () => {
  test('is built; latest and the alias go to it', () => {
    expect(changed.main.outputs).toMatchObject({ built: 'true', 'order-result': 'moved' });
    expect(digest(changed)).not.toBe(digest(cold));
    expect(world.tag('latest')).toBe(digest(changed));
    expect(changed.main.outputs['lambda-versions']).toBe('{"api:live":"2"}');
    // Layers before the changed file are cached: COPY bootstrap and RUN, not COPY version.
    expect(Number(changed.main.outputs['cache-hit-ratio'])).toBeGreaterThan(0);
  });

  test('is one manifest, which the function runs as it is', () => {
    expect(Object.values(platforms(changed))).toEqual([digest(changed)]);
    expect(running(world, 'api:live')).toBe(digest(changed));
  });
});

test('with an index, the function got the child of its own architecture', () => {
  const first = world.lambda.functions.get('api')?.versions[0]?.code?.resolvedImageUri;
  const [child] = Object.values(platforms(cold));
  expect(child).not.toBe(digest(cold));
  expect(first?.split('@')[1]).toBe(child);
});

test('what was shipped runs: a real invocation of the alias', async () => {
  expect(await invoke(world, 'api', 'live', '{"hello":"world"}')).toEqual({
    functionError: undefined,
    payload: JSON.stringify({ app: version.third, event: { hello: 'world' } }),
  });
});

test("the user's Docker configuration, builders, home and checkout are as before", async () => {
  expect(after).toEqual(before);
  expect(await readdir(userHome)).toEqual([]);
});

test('nothing is left on the runner, and nothing handed on but the outputs', () => {
  for (const result of [cold, same, changed]) {
    expect(result).toMatchObject({ left: [], orphans: [], leaks: [] });
    expect(result.main).toMatchObject({ exported: {}, path: [] });
    expect(result.post).toMatchObject({ exported: {}, path: [], outputs: {}, summary: '' });
  }
});
