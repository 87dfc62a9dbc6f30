import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ensureBuildkitImage, startBuildkitd, type Buildkitd } from '../sandbox/buildkit.ts';
import { execute } from '../sandbox/engine/execute.ts';
import { justBuild, snapshot, tiny } from './facts.ts';
import { openWorld, ship, unique, whole, type World } from './kit.ts';

let world: World;
let container = false;
beforeAll(async () => {
  world = await openWorld();
  container = await ensureBuildkitImage(world.engine);
});
afterAll(() => world[Symbol.asyncDispose]());

/** Containers and volumes of the builders that this action has made for a runner. */
async function leftOf(name: string): Promise<string[]> {
  const filter = ['--filter', `name=${name}`];
  const containers = ['ps', '--all', ...filter, '--format', '{{.Names}}'];
  const volumes = ['volume', 'ls', ...filter, '--format', '{{.Name}}'];
  const found = [await world.engine.must(containers), await world.engine.must(volumes)];
  return found.flatMap((text) => text.split('\n')).filter((line) => line !== '');
}

const onHost = { driver: 'docker-container', 'driver-opts': 'network=host', cache: 'off' };

describe('docker-container', () => {
  it('a builder of the run’s own is gone after it, after a failed one too', async ({ skip }) => {
    if (!container) skip('BuildKit could not be built here');
    const failed = await world.run({
      files: { Dockerfile: 'FROM scratch\nCOPY missing /\n' },
      inputs: onHost,
    });
    expect(failed.main.code, whole(failed)).toBe(1);
    expect(failed.main.log).toContain('"/missing": not found');
    const [name = ''] = /ship-to-ecr-\d+-1-[0-9a-f]{8}/.exec(failed.post.log) ?? [];
    expect(failed.post.log).toContain(`Removed the builder ${name}.`);
    expect(await leftOf(name)).toEqual([]);
    expect(failed.left).toEqual([]);
  });

  it('keep-state: the next run of the job on this runner finds its layers', async ({ skip }) => {
    if (!container) skip('BuildKit could not be built here');
    const runnerName = `runner-${unique()}`;
    const files = tiny();
    const run = () =>
      ship(world, {
        files,
        run: { runnerName },
        inputs: { ...onHost, ...justBuild, 'keep-state': 'true' },
      });
    const first = await run();
    expect(first.main.outputs['cache-hit-ratio']).toBe('0.00');
    const [name = ''] = /ship-to-ecr-[0-9a-f]{12}(?=,)/.exec(first.post.log) ?? [];
    onTestFinished(async () => {
      await world.engine.docker(['volume', 'rm', '--force', `buildx_buildkit_${name}0_state`]);
    });
    expect(await leftOf(name)).toEqual([`buildx_buildkit_${name}0_state`]);
    const second = await run();
    expect(second.main.outputs['cache-hit-ratio'], whole(second)).toBe('1.00');
    expect(world.tag('latest')).toBe(second.main.outputs['digest']);
  });
});

describe('a BuildKit that is there', () => {
  let buildkitd: Buildkitd | undefined;
  beforeAll(async () => {
    buildkitd = await startBuildkitd();
    return () => buildkitd?.[Symbol.asyncDispose]();
  });

  it('endpoint: built there, and it still answers after the run', async ({ skip }) => {
    if (buildkitd === undefined) return skip('BuildKit could not be built here');
    const { main, post } = await ship(world, {
      files: tiny(),
      inputs: { endpoint: buildkitd.address, cache: 'off' },
    });
    expect(main.log).toContain(`Builder: the BuildKit service at ${buildkitd.address}.`);
    expect(post.log).toMatch(/Removed the builder ship-to-ecr-/);
    expect(world.tag('latest')).toBe(main.outputs['digest']);
    const used = await buildkitd.buildctl(['du']);
    expect(used).toMatchObject({ code: 0 });
    return undefined;
  });

  it("builder: the user's own, from the user's folder, is used and left as it was", async ({
    skip,
  }) => {
    if (buildkitd === undefined) return skip('BuildKit could not be built here');
    const theirs = join(world.folder, 'their-docker');
    await mkdir(theirs);
    const plugins = join(world.engine.env['DOCKER_CONFIG'] ?? '', 'cli-plugins');
    await symlink(plugins, join(theirs, 'cli-plugins'));
    await writeFile(join(theirs, 'config.json'), '{"auths":{"example.com":{"auth":"eDp5"}}}');
    const env = { DOCKER_CONFIG: theirs };
    const name = `own-${unique()}`;
    const buildx = (...args: string[]) =>
      execute('docker', ['buildx', ...args], { env: { ...world.engine.env, ...env } });
    const made = await buildx('create', '--name', name, '--driver', 'remote', buildkitd.address);
    expect(made.code, made.stderr).toBe(0);
    const before = await snapshot(theirs);

    const { main, post } = await ship(world, {
      files: tiny(),
      env,
      inputs: { builder: name, cache: 'off' },
    });
    expect(main.log).toContain(`Builder ${name} (remote), as the input "builder" says.`);
    expect(world.tag('latest')).toBe(main.outputs['digest']);
    expect(post.log).not.toContain('Removed the builder');
    const { stdout } = await buildx('ls', '--format', '{{.Name}}');
    expect(stdout).toContain(name);

    // The builder that the user works with otherwise is not taken unasked.
    const auto = await ship(world, {
      files: tiny(),
      env: { ...env, BUILDX_BUILDER: name },
      inputs: { cache: 'off' },
    });
    expect(auto.main.log).toContain("Builder: Docker's own BuildKit");
    // buildx notes in other files what was built when.
    const after = await snapshot(theirs);
    for (const file of ['config.json', `buildx/instances/${name}`]) {
      expect(before[file]).toBeDefined();
      expect(after[file]).toBe(before[file]);
    }
    return undefined;
  });

  it('builder: one that is not there is refused with the names of those that are', async () => {
    const refused = await world.run({ files: tiny(), inputs: { builder: 'nope', cache: 'off' } });
    expect(refused.main.code).toBe(1);
    expect(refused.main.log).toContain('there is no builder "nope" on this runner');
    expect(refused.main.log).toMatch(/Found: .*default/);
  });
});
