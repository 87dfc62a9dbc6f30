import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Ecr } from '../../../src/systems/ecr.ts';
import { parseDenial } from '../../../src/systems/aws-errors.ts';
import { ecrOf } from '../../systems/aws-kit.ts';
import { busyboxImage, ensureBusybox } from '../base-image/images.ts';
import { ensureEngine, type Engine } from '../engine/engine.ts';
import { startAws, type AwsSandbox } from './index.ts';

// A real Docker pushes real images through the front into a real registry.
let engine: Engine;
let aws: AwsSandbox;
let ecr: Ecr;
let folder = '';
const made: string[] = [];

beforeAll(async () => {
  engine = await ensureEngine();
  await ensureBusybox(engine);
  aws = await startAws({ registryHost: engine.registryHost });
  for (const [name, value] of Object.entries(aws.env)) process.env[name] = value;
  ecr = ecrOf(aws);
  folder = await mkdtemp(join(tmpdir(), 'front-'));
  aws.ecr.createRepository('team/app');
});
afterAll(async () => {
  if (made.length > 0) await engine.docker(['rmi', '-f', ...made]);
  await aws.close();
  engine.release();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  aws.faults.clear();
  await login();
});

const docker = (...args: string[]) => engine.docker(['--config', folder, ...args]);

/** A config.json as the action writes one: auths, nothing else. */
async function login(): Promise<void> {
  const { host, username, password } = await ecr.login();
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }), {
    mode: 0o600,
  });
}

/** A new image of one changed label, as cheap as an image can be. */
async function image(tag: string, label = tag): Promise<string> {
  const name = `${aws.registryHost}/team/app:${tag}`;
  const built = await engine.docker(['build', '-q', '--provenance=false', '-t', name, '-'], {
    input: `FROM ${busyboxImage}\nLABEL what=${label}\n`,
  });
  expect(built.stderr + built.stdout).toContain('sha256:');
  made.push(name);
  return name;
}

test('push, read back by ECR’s API with exact bytes, retag without Docker, pull by digest', async () => {
  const name = await image('one');
  const pushed = await docker('push', name);
  expect(pushed).toMatchObject({ code: 0 });
  const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed.stdout)?.[1] ?? '';
  expect(await ecr.tagDigests('team/app', ['one', 'none'])).toEqual(new Map([['one', digest]]));

  const manifest = await ecr.manifest('team/app', digest);
  expect(manifest?.digest).toBe(digest);
  if (manifest === undefined) return;
  await ecr.putTag('team/app', 'latest', manifest);
  expect(await ecr.tagsOf('team/app', digest)).toEqual(['one', 'latest']);

  await engine.docker(['rmi', '-f', name]);
  const pulled = await docker('pull', `${aws.registryHost}/team/app@${digest}`);
  expect(pulled).toMatchObject({ code: 0 });
  made.push(`${aws.registryHost}/team/app@${digest}`);

  const found = await aws.image(`${aws.registryHost}/team/app:latest`);
  expect(found?.digest).toBe(digest);
  const config = JSON.parse(found?.manifest ?? '{}') as { config: { digest: string } };
  expect(await found?.blob(config.config.digest)).toContain('"what":"one"');
});

test('a moved tag leaves the old image; the same push again is no error', async () => {
  const first = await image('moving', 'a');
  await docker('push', first);
  const before = aws.ecr.tags('team/app').get('moving');
  const second = await image('moving', 'b');
  expect(await docker('push', second)).toMatchObject({ code: 0 });
  expect(await docker('push', second)).toMatchObject({ code: 0 });
  expect(aws.ecr.tags('team/app').get('moving')).not.toBe(before);
  expect(aws.ecr.image('team/app', before ?? '')).toBeDefined();
});

test('an immutable tag: ECR’s text, and the tag stays', async () => {
  aws.ecr.createRepository('team/fixed', 'IMMUTABLE_WITH_EXCLUSION', ['latest']);
  const retag = async (source: string, tag: string) => {
    const name = `${aws.registryHost}/team/fixed:${tag}`;
    await engine.docker(['tag', source, name]);
    made.push(name);
    return await docker('push', name);
  };
  const one = await image('fixed-1');
  const two = await image('fixed-2');
  expect((await retag(one, 'v1')).code).toBe(0);
  const refused = await retag(two, 'v1');
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain(
    "The image tag 'v1' already exists in the 'team/fixed' repository and cannot be overwritten because the tag is immutable.",
  );
  expect((await retag(one, 'latest')).code).toBe(0);
  expect((await retag(two, 'latest')).code).toBe(0);
});

test('a repository that is not there; and creation on push', async () => {
  const source = await image('lost');
  const name = `${aws.registryHost}/team/lost:1`;
  await engine.docker(['tag', source, name]);
  made.push(name);
  const refused = await docker('push', name);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain(
    "The repository with name 'team/lost' does not exist in the registry with id '123456789012'",
  );
  aws.ecr.setCreateOnPush(true);
  expect((await docker('push', name)).code).toBe(0);
  aws.ecr.setCreateOnPush(false);
});

test('a missing permission is named in docker’s words', async () => {
  const name = await image('denied');
  // A layer that no repository has: else it would be mounted and no upload would start.
  const fresh = `${aws.registryHost}/team/app:denied-layer`;
  await engine.must(['build', '-q', '--provenance=false', '-t', fresh, '-'], {
    input: `FROM ${busyboxImage}\nRUN echo ${aws.registryHost} ${Date.now()} > /new\n`,
  });
  made.push(fresh);
  aws.faults.deny('ecr:InitiateLayerUpload');
  const upload = await docker('push', fresh);
  expect(upload.code).not.toBe(0);
  expect(parseDenial(upload.stderr)).toMatchObject({
    action: 'ecr:InitiateLayerUpload',
    resource: 'arn:aws:ecr:eu-west-1:123456789012:repository/team/app',
    policy: 'identity-based policy',
  });
  aws.faults.allow('ecr:InitiateLayerUpload');
  aws.faults.deny('ecr:PutImage', { policy: 'resource' });
  const put = await docker('push', name);
  expect(parseDenial(put.stderr)).toMatchObject({
    action: 'ecr:PutImage',
    policy: 'resource-based policy',
  });
});

test('an expired login, then a fresh one; no login at all', async () => {
  const name = await image('expired');
  aws.ecr.expireTokens();
  const refused = await docker('push', name);
  expect(refused.code).not.toBe(0);
  // The first request is a HEAD, whose answer has no text: Docker can only say the status.
  expect(refused.stderr).toMatch(/authorization token has expired|HEAD request .* 403 Forbidden/);
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as {
    auths: Record<string, { auth: string }>;
  };
  const { auth = '' } = config.auths[aws.registryHost] ?? {};
  const answer = await fetch(`${aws.url}/v2/team/app/manifests/one`, {
    headers: { authorization: `Basic ${auth}` },
  });
  expect(answer.status).toBe(403);
  expect(await answer.text()).toContain(
    'Your authorization token has expired. Reauthenticate and try again.',
  );
  await login();
  expect((await docker('push', name)).code).toBe(0);
  await writeFile(join(folder, 'config.json'), '{}');
  const anonymous = await docker('push', name);
  expect(anonymous.stderr).toMatch(/no basic auth credentials|authorization failed|401/);
});

test('docker login with the password on stdin', async () => {
  const { host, password } = await ecr.login();
  const args = ['login', '--username', 'AWS', '--password-stdin', host];
  const given = await engine.docker(['--config', folder, ...args], { input: password });
  expect(given.stdout).toContain('Login Succeeded');
});

test('a server error while pushing is what Docker’s own retry is for', async () => {
  const name = await image('retried');
  aws.faults.next('registry:PutImage', { status: 500, code: 'UNKNOWN', message: 'try again' });
  const first = await docker('push', name);
  expect(first.code === 0 ? first : await docker('push', name)).toMatchObject({ code: 0 });
});

test('stand-ins don’t see each other’s images', async () => {
  const other = await startAws({ registryHost: engine.registryHost });
  other.ecr.createRepository('team/app');
  expect(other.ecr.images('team/app')).toEqual([]);
  expect(await other.image(`${other.registryHost}/team/app:one`)).toBeUndefined();
  await other.close();
});
