import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dockerfile, openWorld, ship, unique, type World, type WorldResult } from './kit.ts';

// One run with every kind of secret there is. A `docker` of the test's own, first on the PATH, notes
// what each docker command was given and which files lay there at that time.
const role = 'arn:aws:iam::123456789012:role/ship';
const build = {
  token: `token-${unique()}${unique()}`,
  lines: `first-${unique()}\nsecond-${unique()}`,
  variable: `variable-${unique()}${unique()}`,
  file: `file-${unique()}${unique()}`,
};
let world: World;
let result: WorldResult;
let seen = '';
/** Every value that must stay hidden, and its lines. */
let secrets: readonly string[] = [];

const spy = `#!/bin/sh
for argument in "$@"; do printf '%s\\n' "$argument"; done >>"$SPY/arguments"
for folder in "$RUNNER_TEMP"/ship-to-ecr-*; do
  find "$folder" -printf '%y %m %P\\n' >>"$SPY/modes"
  cp "$folder/docker/config.json" "$SPY/config.json" 2>/dev/null
done
for process in /proc/[0-9]*; do tr '\\0' ' ' <"$process/cmdline" 2>/dev/null; echo; done >>"$SPY/processes"
exec "$REAL_DOCKER" "$@"
`;

beforeAll(async () => {
  world = await openWorld();
  seen = join(world.folder, 'seen');
  const bin = join(world.folder, 'bin');
  await mkdir(seen);
  await mkdir(bin);
  await writeFile(join(bin, 'docker'), spy);
  await chmod(join(bin, 'docker'), 0o755);
  const path = world.engine.env['PATH'] ?? '';
  const which = await promisify(execFile)('sh', ['-c', 'command -v docker'], {
    env: { PATH: path },
  });
  const workspace = await world.workspace({
    Dockerfile: dockerfile(
      `RUN echo ${unique()}`,
      ...['token', 'lines', 'variable', 'file'].map(
        (id) =>
          `RUN --mount=type=secret,id=${id},required=true sha256sum </run/secrets/${id} >/${id}`,
      ),
    ),
  });
  await writeFile(join(workspace, '.secret'), build.file);
  result = await ship(world, {
    workspace,
    awsKeys: false,
    env: {
      PATH: `${bin}:${path}`,
      SPY: seen,
      REAL_DOCKER: which.stdout.trim(),
      BUILD_VARIABLE: build.variable,
    },
    inputs: {
      'role-to-assume': role,
      provenance: 'mode=max',
      secrets: `token=${build.token}\n"lines=${build.lines}"`,
      'secret-envs': 'variable=BUILD_VARIABLE',
      'secret-files': 'file=.secret',
      cache: 'gha\nregistry',
      verify: 'echo checked',
    },
  });
  const login = JSON.parse(await readFile(join(seen, 'config.json'), 'utf8')) as {
    auths: Record<string, { auth: string }>;
  };
  const { auth = '' } = login.auths[world.aws.registryHost] ?? {};
  const password = Buffer.from(auth, 'base64').toString().slice('AWS:'.length);
  expect(password.length).toBeGreaterThan(20);
  const obtained = result.masks.filter((mask) => !Object.values(build).includes(mask));
  secrets = [
    ...new Set([...Object.values(build), ...build.lines.split('\n'), auth, password, ...obtained]),
  ];
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const found = (text: string) => secrets.filter((secret) => text.includes(secret));

test('each is masked where it is obtained: keys of the role, OIDC token, login, build secrets', () => {
  for (const value of [build.token, ...build.lines.split('\n'), build.variable]) {
    expect(result.masks).toContain(value);
  }
  expect(result.masks.some((mask) => mask.startsWith('eyJ'))).toBe(true);
  expect(result.masks.some((mask) => mask.startsWith('ASIA'))).toBe(true);
  for (const value of secrets) {
    // A file's content is only handed on, and a value of several lines is masked line by line.
    if (value !== build.lines && value !== build.file) expect(result.masks).toContain(value);
  }
});

test('none is in logs, summary, outputs, state or variables', () => {
  expect(result.leaks).toEqual([]);
  for (const phase of [result.main, result.post]) {
    expect(found(phase.log)).toEqual([]);
    expect(found(phase.debug.join('\n'))).toEqual([]);
    const told = [phase.summary, phase.outputs, phase.state, phase.exported, phase.path];
    expect(found(JSON.stringify(told))).toEqual([]);
    // Unmasked, the runner would still have hidden it: only the commands that mask may hold it.
    const raw = phase.raw.split('\n').filter((line) => !line.startsWith('::add-mask::'));
    expect(found(raw.join('\n'))).toEqual([]);
  }
});

test('none is on a command line of docker, or of any process beside it', async () => {
  const given = await readFile(join(seen, 'arguments'), 'utf8');
  expect(given).toMatch(/^id=token,src=/m);
  expect(found(given)).toEqual([]);
  expect(found(await readFile(join(seen, 'processes'), 'utf8'))).toEqual([]);
});

test('files that hold one are 0600 in folders 0700, and gone after post', async () => {
  const lines = (await readFile(join(seen, 'modes'), 'utf8')).split('\n').filter(Boolean);
  const modes = new Set(lines.map((line) => line.split(' ')));
  const files = [...modes].filter(([, , name]) => /^secrets\/|config\.json/.test(name ?? ''));
  expect(files.map(([, , name]) => name)).toContain('secrets/secret-1');
  expect(new Set(files.map(([type, mode]) => `${type} ${mode}`))).toEqual(new Set(['f 600']));
  const folders = [...modes].filter(
    ([type, , name]) => type === 'd' && /^(|docker|secrets)$/.test(name ?? ''),
  );
  expect(new Set(folders.map(([, mode]) => mode))).toEqual(new Set(['700']));
  expect(result).toMatchObject({ left: [], orphans: [] });
});

test('none is in the image, its attestation, or the layer caches', async () => {
  const host = world.engine.registryHost;
  const uri = `${world.aws.registryHost}/shop@${result.main.outputs['digest']}`;
  const reference = (await world.aws.image(uri))?.pullReference ?? '';
  const name = reference.slice(host.length + 1).split('@')[0] ?? '';
  const texts: string[] = [];
  // Everything that was pushed to the repository: index, images, attestation, cache manifest.
  const images = world.aws.ecr.images('shop');
  const blobs = new Set<string>();
  for (const { manifest } of images) {
    texts.push(manifest);
    for (const [digest] of manifest.matchAll(/sha256:[0-9a-f]{64}/g)) blobs.add(digest);
  }
  for (const digest of blobs) {
    const answer = await fetch(`http://${host}/v2/${name}/blobs/${digest}`);
    if (answer.ok) texts.push(readable(Buffer.from(await answer.arrayBuffer())));
  }
  expect(images.length).toBeGreaterThan(2);
  expect(texts.join('\n')).toContain('in-toto');
  for (const entry of world.cache.entries()) {
    texts.push(readable(await download(entry.key, entry.version)));
  }
  expect(world.cache.entries()).not.toEqual([]);
  // The build had them: their hashes are in the layers, they themselves are not.
  expect(texts.join('\n')).toMatch(/[0-9a-f]{64} {2}-\n/);
  expect(found(texts.join('\n'))).toEqual([]);
});

function readable(bytes: Buffer): string {
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return (zipped ? gunzipSync(bytes) : bytes).toString('latin1');
}

async function download(key: string, version: string): Promise<Buffer> {
  const answer = await fetch(
    `${world.cache.url}twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL`,
    {
      method: 'POST',
      headers: { authorization: `Bearer ${world.cache.token({ ref: 'refs/heads/main' })}` },
      body: JSON.stringify({ key, version, restore_keys: [] }),
    },
  );
  const { signed_download_url: at } = (await answer.json()) as { signed_download_url: string };
  return Buffer.from(await (await fetch(at)).arrayBuffer());
}

test('the folder of the run is not there any more', async () => {
  const left = await readdir(world.folder, { recursive: true });
  expect(left.filter((name) => name.includes('ship-to-ecr-'))).toEqual([]);
});
