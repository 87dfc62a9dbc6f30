import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildArguments } from '../../src/image/build-arguments.ts';
import { planBuild } from '../../src/image/build-plan.ts';
import type { BuildPlan } from '../../src/image/plan.ts';
import { planSecrets } from '../../src/image/secrets.ts';
import { variable } from '../../src/inputs/names.ts';
import { readInputs } from '../../src/inputs/read.ts';
import { writeSecrets } from '../../src/systems/secret-files.ts';
import { sampleContext, workspace } from '../inputs/kit.ts';
import { ensureBaseImages } from '../sandbox/base-image/images.ts';
import { type Engine, ensureEngine } from '../sandbox/engine/engine.ts';
import { dockerBuilder, samplePlan } from './sample.ts';

// What buildx makes of the arguments, asked of the real one.
let engine: Engine;
const name = `arguments-${process.pid}-${Date.now().toString(36)}`;

beforeAll(async () => {
  engine = await ensureEngine();
  await ensureBaseImages(engine);
});

afterAll(async () => {
  const { stdout } = await engine.docker(['image', 'ls', '-q', `*/${name}`]);
  const ids = [...new Set(stdout.split('\n').filter((id) => id !== ''))];
  if (ids.length > 0) await engine.docker(['image', 'rm', '--force', ...ids]);
  engine.release();
});

async function build(changes: Partial<BuildPlan>) {
  const folder = workspace({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
  const metadataFile = join(folder, 'metadata.json');
  const plan = samplePlan({
    builder: { ...dockerBuilder, name: await dockerContext() },
    references: [],
    context: folder,
    provenance: 'false',
    ...changes,
    metadataFile,
  });
  const ended = await engine.docker(buildArguments(plan));
  const words = ended.stderr.split('\n').filter((line) => !line.startsWith('{'));
  expect({ code: ended.code, words: ended.code === 0 ? [] : words }).toEqual({
    code: 0,
    words: [],
  });
  return JSON.parse(readFileSync(metadataFile, 'utf8')) as Record<string, unknown>;
}

async function dockerContext(): Promise<string> {
  return (await engine.must(['context', 'show'])).trim();
}

const references = (tags: readonly string[]) =>
  tags.map((tag) => `${engine.registryHost}/${name}:${tag}`);

async function pushed(tag: string): Promise<string | null> {
  const accept = [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ].join();
  const url = `http://${engine.registryHost}/v2/${name}/manifests/${tag}`;
  return (await fetch(url, { headers: { accept } })).headers.get('docker-content-digest');
}

async function stored(tag: string): Promise<boolean> {
  const [reference = ''] = references([tag]);
  return (await engine.docker(['image', 'inspect', reference])).code === 0;
}

test('two tags in one push, and nothing stored here', async () => {
  const metadata = await build({ references: references(['a', 'b']) });
  const digest = metadata['containerimage.digest'];
  expect([await pushed('a'), await pushed('b')]).toEqual([digest, digest]);
  expect(await stored('a')).toBe(false);
});

test('loaded beside the push, with attestations, a local output and caches', async () => {
  const out = workspace({});
  const [cache = ''] = references(['cache-x']);
  const metadata = await build({
    references: references(['c']),
    load: true,
    outputs: [`type=local,dest=${join(out, 'files')}`],
    provenance: 'mode=max,builder-id=https://example.test/1',
    annotations: ['index:org.opencontainers.image.title=t'],
    labels: ['l=1'],
    cacheTo: [
      `type=registry,ref=${cache},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true`,
      `type=local,dest=${join(out, 'cache')},mode=max,ignore-error=true`,
      'type=inline',
    ],
    cacheFrom: [`type=registry,ref=${cache}`, `type=local,src=${join(out, 'nothing')}`],
  });
  expect(await pushed('c')).toBe(metadata['containerimage.digest']);
  expect(await pushed('cache-x')).not.toBeNull();
  expect(await stored('c')).toBe(true);
  expect(readFileSync(join(out, 'files', 'Dockerfile'), 'utf8')).toContain('FROM scratch');
  expect(readFileSync(join(out, 'cache', 'index.json'), 'utf8')).toContain('sha256:');
});

test('loaded without a push, under the names it would have had', async () => {
  await build({ load: true, localReferences: references(['d', 'e']) });
  expect([await stored('d'), await stored('e'), await pushed('d')]).toEqual([true, true, null]);
});

test('nothing asked for leaves nothing; a call looks only', async () => {
  expect(Object.keys(await build({}))).not.toContain('containerimage.digest');
  expect(Object.keys(await build({ call: 'check' }))).toContain('result.json');
});

test('from inputs to what a step sees: secrets byte for byte, build arguments, limits', async () => {
  const key = '-----BEGIN-----\nab+/=\r\n "c", \'d\'\n-----END-----\n';
  const json = '{"a": ["x","y"], "b": "1=2"}';
  const dockerfile = [
    'FROM sandbox/busybox:1 AS run',
    'ARG TEXT',
    'RUN --mount=type=secret,id=key --mount=type=secret,id=json --mount=type=secret,id=env --mount=type=secret,id=file \\',
    '  mkdir /out && sha256sum /run/secrets/key /run/secrets/json /run/secrets/env /run/secrets/file > /out/sums \\',
    '  && printf %s "$TEXT" > /out/text && ulimit -n > /out/files && df -k /dev/shm > /out/shm && cat /etc/hosts > /out/hosts',
    'FROM scratch',
    'COPY --from=run /out /',
  ].join('\n');
  const folder = workspace({ Dockerfile: dockerfile, 'my file': 'file\n\n' });
  const out = join(folder, 'out');
  const values = {
    'aws-region': 'eu-west-1',
    repository: name,
    secrets: `"key=${key.replaceAll('"', '""')}"\njson=${json}`,
    'secret-envs': 'env=SECRET_VALUE',
    'secret-files': `file=my file`,
    'build-args': 'TEXT=a,b "c" $d',
    ulimit: 'nofile=321:432',
    'shm-size': '3m',
    'add-hosts': 'db.test:10.1.2.3',
    outputs: `type=local,dest=${out}`,
  };
  const context = sampleContext({ workspace: folder });
  const env = { SECRET_VALUE: 'from env' };
  const inputs = readInputs(
    {
      ...env,
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [variable(name), value])),
    },
    context,
  );
  const { plan } = planBuild({
    inputs,
    context,
    builder: { ...dockerBuilder, name: await dockerContext() },
    repository: 'unused.test/app',
    tags: [],
    push: false,
    cache: { from: [], to: [] },
    secrets: await writeSecrets(join(folder, 'secrets'), planSecrets(inputs.build, context)),
    metadataFile: join(folder, 'metadata.json'),
  });
  const ended = await engine.docker(buildArguments(plan), {
    cwd: folder,
    env: { ...engine.env, ...env },
  });
  expect(ended).toMatchObject({ code: 0 });
  const read = (file: string) => readFileSync(join(out, file), 'utf8');
  const sums = read('sums')
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0]);
  const wanted = [key, json, 'from env', 'file\n\n'];
  expect(sums).toEqual(wanted.map((text) => createHash('sha256').update(text).digest('hex')));
  expect(read('text')).toBe('a,b "c" $d');
  expect(read('files').trim()).toBe('321');
  expect(read('shm')).toMatch(/\s3072\s/);
  expect(read('hosts')).toMatch(/10\.1\.2\.3\s+db\.test/);
  expect(buildArguments(plan).join('\n')).not.toContain('BEGIN');
});
