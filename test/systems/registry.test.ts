import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/systems/process.ts';
import {
  connectRegistry,
  RegistryError,
  type RegistryOptions,
} from '../../src/systems/registry.ts';
import { fakeClock } from '../fake-clock.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: {} });
const digest = digestOf(manifest);
const blob = '{"config":{"Env":["A=1"]}}';
const basic = (login: string) => `Basic ${Buffer.from(login).toString('base64')}`;

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

interface Seen {
  readonly line: string;
  readonly authorization: string | undefined;
}

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

/** A server whose every answer the test writes; what it was asked is kept. */
async function serve(handler: Handler): Promise<{ host: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    seen.push({
      line: `${request.method} ${request.url}`,
      authorization: request.headers.authorization,
    });
    request.resume();
    handler(request, response, new URL(request.url ?? '/', 'http://x'));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

function answer(response: ServerResponse, status: number, body = '', headers = {}): void {
  response.writeHead(status, headers).end(body);
}

function connect(options: RegistryOptions = {}) {
  return connectRegistry({ clock: fakeClock(), ...options });
}

test('a manifest, its digest, and a blob', async () => {
  const { host, seen } = await serve((request, response, url) => {
    if (url.pathname.includes('/blobs/')) answer(response, 200, blob);
    else if (request.method === 'HEAD')
      answer(response, 200, '', { 'docker-content-digest': digest });
    else answer(response, 200, manifest, { 'content-type': 'text/plain' });
  });
  const registry = connect();
  expect(await registry.manifest(`${host}/a/b`, '1')).toEqual({
    digest,
    mediaType: manifestType,
    body: manifest,
  });
  expect(await registry.digest(`${host}/a/b`, '1')).toBe(digest);
  expect(await registry.blob(`${host}/a/b`, digestOf(blob))).toBe(blob);
  expect(seen.map(({ line }) => line)).toEqual([
    'GET /v2/a/b/manifests/1',
    'HEAD /v2/a/b/manifests/1',
    `GET /v2/a/b/blobs/${digestOf(blob)}`,
  ]);
});

test('what is not there is undefined', async () => {
  const { host } = await serve((_, response) => answer(response, 404, '{"errors":[]}'));
  expect(await connect().manifest(`${host}/a`, 'x')).toBeUndefined();
  expect(await connect().digest(`${host}/a`, 'x')).toBeUndefined();
});

test('other content than the digest says is refused', async () => {
  const { host } = await serve((_, response) => answer(response, 200, `${manifest} `));
  await expect(connect().manifest(`${host}/a`, digest)).rejects.toMatchObject({ code: 'CORRUPT' });
  await expect(connect().blob(`${host}/a`, digest)).rejects.toThrow(/with other content/);
});

test('basic authentication, as of ECR: asked once, then kept', async () => {
  const { host, seen } = await serve((request, response) => {
    if (request.headers.authorization === basic('AWS:secret')) answer(response, 200, manifest);
    else answer(response, 401, '', { 'www-authenticate': 'Basic realm="https://x",service="ecr"' });
  });
  const registry = connect({
    credentials: () => Promise.resolve({ username: 'AWS', password: 'secret' }),
  });
  await registry.manifest(`${host}/a`, '1');
  await registry.manifest(`${host}/a`, '2');
  expect(seen.map(({ authorization }) => authorization)).toEqual([
    undefined,
    basic('AWS:secret'),
    basic('AWS:secret'),
  ]);
});

test('a login that has run out is looked up anew', async () => {
  let valid = 'one';
  const { host } = await serve((request, response) => {
    if (request.headers.authorization === basic(`AWS:${valid}`)) answer(response, 200, manifest);
    else if (request.headers.authorization === undefined) {
      answer(response, 401, '', { 'www-authenticate': 'Basic realm="x"' });
    } else answer(response, 403, 'Your authorization token has expired.');
  });
  const registry = connect({
    credentials: () => Promise.resolve({ username: 'AWS', password: valid }),
  });
  await registry.manifest(`${host}/a`, '1');
  valid = 'two';
  expect(await registry.manifest(`${host}/a`, '1')).toMatchObject({ digest });
});

test('a token for reading one repository, as of Docker Hub', async () => {
  const { host, seen } = await serve((request, response, url) => {
    if (url.pathname === '/token') answer(response, 200, '{"token":"T"}');
    else if (request.headers.authorization === 'Bearer T') answer(response, 200, manifest);
    else {
      answer(response, 401, '', {
        'www-authenticate': `Bearer realm="http://${host}/token",service="hub.example"`,
      });
    }
  });
  expect(await connect().manifest(`${host}/library/a`, '1')).toMatchObject({ digest });
  expect(seen[1]?.line).toBe(
    'GET /token?service=hub.example&scope=repository%3Alibrary%2Fa%3Apull',
  );
  expect(seen[1]?.authorization).toBeUndefined();
});

test('an identity token is exchanged for one', async () => {
  const { host, seen } = await serve((request, response, url) => {
    if (url.pathname === '/token') answer(response, 200, '{"access_token":"T"}');
    else if (request.headers.authorization === 'Bearer T') answer(response, 200, manifest);
    else answer(response, 401, '', { 'www-authenticate': `Bearer realm="http://${host}/token"` });
  });
  const registry = connect({ credentials: () => Promise.resolve({ identityToken: 'I' }) });
  expect(await registry.manifest(`${host}/a`, '1')).toMatchObject({ digest });
  expect(seen[1]?.line).toBe('POST /token');
});

test('a password never goes to a token service without TLS of another machine', async () => {
  const { host } = await serve((_, response) =>
    answer(response, 401, '', { 'www-authenticate': 'Bearer realm="ftp://example.com/token"' }),
  );
  const credentials = () => Promise.resolve({ username: 'u', password: 'p' });
  await expect(connect({ credentials }).manifest(`${host}/a`, '1')).rejects.toMatchObject({
    code: 'REFUSED',
  });
});

test('a redirect elsewhere gets no credentials', async () => {
  const storage = await serve((_, response) => answer(response, 200, blob));
  const { host } = await serve((request, response) => {
    if (request.headers.authorization === undefined) {
      answer(response, 401, '', { 'www-authenticate': 'Basic realm="x"' });
    } else answer(response, 307, '', { location: `http://${storage.host}/signed?x=1` });
  });
  const registry = connect({
    credentials: () => Promise.resolve({ username: 'u', password: 'p' }),
  });
  expect(await registry.blob(`${host}/a`, digestOf(blob))).toBe(blob);
  expect(storage.seen).toEqual([{ line: 'GET /signed?x=1', authorization: undefined }]);
});

test('throttling and failures pass; what the registry asks for is waited', async () => {
  const statuses = [429, 503];
  const { host } = await serve((_, response) => {
    const status = statuses.shift();
    if (status === undefined) answer(response, 200, manifest);
    else answer(response, status, '', status === 429 ? { 'retry-after': '7' } : {});
  });
  const clock = fakeClock();
  expect(await connect({ clock }).manifest(`${host}/a`, '1')).toMatchObject({ digest });
  expect(clock.slept).toEqual([7000, 1000]);
});

test('throttled for longer than a run should wait', async () => {
  const { host, seen } = await serve((_, response) =>
    answer(response, 429, '{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}', {
      'retry-after': '3600',
    }),
  );
  await expect(connect().manifest(`${host}/a`, '1')).rejects.toMatchObject({
    code: 'THROTTLED',
    message: expect.stringContaining('pull rate limit'),
  });
  expect(seen).toHaveLength(1);
});

test('a registry that is not there', async () => {
  const { host } = await serve((_, response) => response.destroy());
  const error = await connect()
    .manifest(`${host}/a`, '1')
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RegistryError);
  expect(error).toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/can't be reached/),
  });
});

test('a registry that does not answer', async () => {
  const { host } = await serve(() => {});
  await expect(connect({ timeout: 50 }).manifest(`${host}/a`, '1')).rejects.toThrow(
    /did not answer within 50 ms/,
  );
});

test('a refusal says who denies what, in its own words, and what to do', async () => {
  const { host } = await serve((_, response) =>
    answer(response, 403, '{"errors":[{"code":"DENIED","message":"not yours"}]}'),
  );
  await expect(connect().manifest(`${host}/a`, '1')).rejects.toMatchObject({
    code: 'DENIED',
    message: `${host} denies ${host}/a/manifests/1 (403): not yours`,
    hint: expect.stringContaining(`Log in to ${host}`),
  });
});

test('logins come from config.json: auths, identity tokens, helpers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'docker-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  let expected = '';
  const { host } = await serve((request, response) => {
    if (request.headers.authorization === expected) answer(response, 200, manifest);
    else answer(response, 401, '', { 'www-authenticate': 'Basic realm="x"' });
  });
  const asked: unknown[] = [];
  const run: Run = (command, args, options) => {
    asked.push([command, args, options?.stdin]);
    return Promise.resolve({
      code: 0,
      signal: null,
      stdout: '{"Username":"h","Secret":"helped"}',
      stderr: '',
    });
  };
  const write = (config: unknown) =>
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const registry = connect({ configFolder: folder, run, env: {} });
  const read = () => registry.manifest(`${host}/${expected.length}`, '1');

  write({ auths: { [`https://${host}/v2/`]: { auth: Buffer.from('a:b:c').toString('base64') } } });
  expected = basic('a:b:c');
  expect(await read()).toMatchObject({ digest });
  write({ auths: { [host]: {} }, credHelpers: { [host]: 'own' }, credsStore: 'all' });
  expected = basic('h:helped');
  expect(await read()).toMatchObject({ digest });
  expect(asked).toEqual([['docker-credential-own', ['get'], host]]);
  writeFileSync(join(folder, 'config.json'), 'not JSON');
  expected = 'none';
  await expect(read()).rejects.toMatchObject({ code: 'DENIED' });
});

test('an image without a registry is refused', async () => {
  await expect(connect().manifest('python', '3')).rejects.toThrow('python names no registry');
});
