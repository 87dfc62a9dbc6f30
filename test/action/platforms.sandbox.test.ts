import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { running } from './facts.ts';
import { openWorld, ship, unique, whole } from './kit.ts';

interface Descriptor {
  readonly digest: string;
  readonly platform: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Index {
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

test('an index of two platforms with attestations; each function gets its own child', async () => {
  await using world = await openWorld();
  await world.lambda.create('intel', { architecture: 'x86_64' });
  await world.lambda.create('graviton', { architecture: 'arm64' });
  const mark = unique();
  const title = 'org.opencontainers.image.title';
  const shipped = await ship(world, {
    files: {
      // Without RUN no program of the other platform has to run here.
      Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\n',
      'app-amd64': `amd64 ${mark}`,
      'app-arm64': `arm64 ${mark}`,
    },
    inputs: {
      driver: 'docker',
      platforms: 'linux/amd64,linux/arm64',
      provenance: 'mode=max',
      annotations: `index:${title}=all ${mark}\nmanifest[linux/arm64]:${title}=arm ${mark}\nindex-descriptor:${title}=d`,
      outputs: 'type=local,dest=out',
      load: 'true',
      'build-record': 'true',
      'lambda-functions': 'intel:live\ngraviton:live',
    },
  });
  const { outputs, summary } = shipped.main;
  expect(shipped.left).toContainEqual(expect.stringMatching(/\.dockerbuild$/));
  const loaded = `${outputs['repository']}:run-1`;
  onTestFinished(async () => {
    for (const tag of (outputs['tags'] ?? '').split('\n')) {
      await world.engine.docker(['image', 'rm', '--force', `${outputs['repository']}:${tag}`]);
    }
  });

  const stored = (reference: string) =>
    world.aws.ecr.image('shop', reference)?.manifest ?? whole(shipped);
  const index = JSON.parse(stored(outputs['digest'] ?? '')) as Index;
  expect(index.mediaType).toBe('application/vnd.oci.image.index.v1+json');
  expect(index.annotations).toEqual({ [title]: `all ${mark}` });
  const platform = (one: Descriptor) => `${one.platform.os}/${one.platform.architecture}`;
  expect(index.manifests.map(platform).sort()).toEqual([
    'linux/amd64',
    'linux/arm64',
    'unknown/unknown',
    'unknown/unknown',
  ]);
  // The outputs name the platforms' images, and not what attests them.
  const children = JSON.parse(outputs['platform-digests'] ?? '{}') as Record<string, string>;
  expect(children).toEqual(
    Object.fromEntries(
      index.manifests
        .filter((one) => one.platform.os === 'linux')
        .map((one) => [platform(one), one.digest]),
    ),
  );
  const annotated = (child: string | undefined) =>
    (JSON.parse(stored(child ?? '')) as Pick<Index, 'annotations'>).annotations?.[title];
  expect(annotated(children['linux/arm64'])).toBe(`arm ${mark}`);
  expect(annotated(children['linux/amd64'])).toBeUndefined();
  expect(world.tag('latest')).toBe(outputs['digest']);
  expect(summary).toContain('linux/arm64');

  expect(running(world, 'intel:live')).toBe(children['linux/amd64']);
  expect(running(world, 'graviton:live')).toBe(children['linux/arm64']);

  // Beside the push: the files of both platforms here, and the image in the runner's Docker.
  for (const architecture of ['amd64', 'arm64']) {
    const file = join(shipped.workspace, 'out', `linux_${architecture}`, 'app');
    expect(await readFile(file, 'utf8')).toBe(`${architecture} ${mark}`);
  }
  const inspected = await world.engine.docker(['image', 'inspect', '--format', '{{.Id}}', loaded]);
  expect(inspected.stdout.trim(), inspected.stderr).toBe(outputs['digest']);
});

test('an image without the platform of a function is refused before anything moves', async () => {
  await using world = await openWorld();
  await world.lambda.create('graviton', { architecture: 'arm64' });
  const refused = await world.run({
    files: { Dockerfile: 'FROM scratch\nCOPY app /app\n', app: unique() },
    inputs: { 'lambda-functions': 'graviton', cache: 'off' },
  });
  expect(refused.main.code, whole(refused)).toBe(1);
  expect(refused.main.log).toMatch(/graviton: the function's architecture is arm64/);
  expect(world.tag('latest')).toBeUndefined();
});

test('call: check builds nothing and points at the lines', async () => {
  await using world = await openWorld();
  const result = await world.run({
    files: {
      'image/Dockerfile': `# ${unique()}\nFROM scratch AS base\nfrom scratch\nCOPY Dockerfile /\nWORKDIR relative\n`,
    },
    inputs: { context: 'image', call: 'check' },
  });
  const shown = result.main.annotations.filter(
    ({ title }) => title?.startsWith('Dockerfile check') === true,
  );
  expect(shown, whole(result)).toContainEqual(
    expect.objectContaining({
      level: 'warning',
      title: 'Dockerfile check: ConsistentInstructionCasing',
      file: 'image/Dockerfile',
      line: 3,
    }),
  );
  expect(shown).toContainEqual(
    expect.objectContaining({ title: 'Dockerfile check: WorkdirRelativePath', line: 5 }),
  );
  expect(result.main.code).toBe(1);
  expect(result.main.log).toContain('call: check found 2 warnings');
  expect(world.aws.requests).toEqual([]);
});
