import { createServer, get, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { DescribeRepositoriesCommand, ECRClient } from '@aws-sdk/client-ecr';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { asError } from '../../src/errors.ts';
import { clientConfig } from '../../src/systems/aws-clients.ts';
import { proxyVariables, useProxy } from '../../src/systems/proxy.ts';
import { collectLog } from '../fake-log.ts';
import { startProxy, type Proxy } from '../sandbox/proxy.ts';

// Names under .example exist nowhere: what reaches the server below has gone through the proxy.
let server: Server;
let proxy: Proxy;
let undo = () => {};
let tls: Buffer[];
const tlsServer = createTcpServer((socket) => {
  socket.once('data', (hello) => {
    tls.push(hello);
    socket.destroy();
  });
});

beforeEach(async () => {
  tls = [];
  server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    response.end(JSON.stringify({ repositories: [], host: request.headers.host }));
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  await new Promise<void>((resolve) => tlsServer.listen(0, '127.0.0.1', resolve));
  const at = (one: typeof tlsServer) => `127.0.0.1:${(one.address() as AddressInfo).port}`;
  proxy = await startProxy({
    'api.example': at(server),
    'ecr.example': at(server),
    'secure.example': at(tlsServer),
  });
});

afterEach(async () => {
  undo();
  vi.unstubAllEnvs();
  await proxy[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await new Promise((resolve) => tlsServer.close(resolve));
});

function behindProxy(more: Record<string, string> = {}) {
  for (const name of ['http_proxy', 'https_proxy', 'no_proxy']) {
    vi.stubEnv(name, undefined);
    vi.stubEnv(name.toUpperCase(), undefined);
  }
  const env = { HTTP_PROXY: proxy.url, https_proxy: proxy.url, ...more };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const { log, lines } = collectLog();
  undo = useProxy(env, log);
  return lines;
}

async function askEcr(endpoint: string): Promise<string> {
  const credentials = () => Promise.resolve({ accessKeyId: 'a', secretAccessKey: 'b' });
  const config = clientConfig({ region: 'eu-west-1', credentials });
  const client = new ECRClient({ ...config, maxAttempts: 1, endpoint });
  try {
    await client.send(new DescribeRepositoriesCommand({}));
    return 'answered';
  } catch (error) {
    return asError(error).message;
  } finally {
    client.destroy();
  }
}

const askNode = (url: string) =>
  new Promise<number | string | undefined>((resolve) => {
    get(url, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', (error) => resolve(error.message));
  });

test('fetch, Node’s own requests and the AWS SDK go through the proxy, logged in', async () => {
  expect(behindProxy()).toEqual([]);
  const answer = await fetch('http://api.example/x');
  expect(await answer.json()).toMatchObject({ host: 'api.example' });
  expect(await askNode('http://api.example/y')).toBe(200);
  expect(await askEcr('http://ecr.example')).toBe('answered');
  expect(proxy.requests).toEqual([
    'CONNECT api.example:80',
    'GET http://api.example/y',
    'POST http://ecr.example/',
  ]);
});

test('HTTPS goes through tunnels, encrypted to its end', async () => {
  behindProxy();
  await expect(fetch('https://secure.example/x')).rejects.toThrow();
  expect(await askEcr('https://secure.example')).not.toBe('answered');
  expect(proxy.requests).toEqual(['CONNECT secure.example:443', 'CONNECT secure.example:443']);
  // A TLS handshake that names the host.
  expect(tls.map((hello) => [hello[0], hello.includes('secure.example')])).toEqual([
    [22, true],
    [22, true],
  ]);
});

// All of 127.0.0.0/8 is this machine on Linux, and only 127.0.0.1 is never asked through a proxy.
test.runIf(process.platform === 'linux')('what NO_PROXY names is asked directly', async () => {
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.2:${port}`;
  behindProxy();
  expect([await askNode(url), await askEcr(url)]).toEqual([200, 'answered']);
  expect(proxy.requests).toHaveLength(2);
  undo();
  behindProxy({ NO_PROXY: 'other.test, 127.0.0.2' });
  expect((await fetch(url)).status).toBe(200);
  expect(await askNode(url)).toBe(200);
  expect(await askEcr(url)).toBe('answered');
  expect(proxy.requests).toHaveLength(2);
});

test('what NO_PROXY names stands for its subdomains too', async () => {
  behindProxy({ NO_PROXY: 'example' });
  // Whatever the machine says to a name that doesn't exist.
  expect(await askNode('http://api.example/y')).not.toBe(200);
  expect(proxy.requests).toEqual([]);
});

test('this machine is asked directly, whatever the variables say', async () => {
  behindProxy();
  const { port } = server.address() as AddressInfo;
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  expect(await askNode(`http://localhost:${port}/`)).toBe(200);
  expect(await askEcr(`http://127.0.0.1:${port}`)).toBe('answered');
  expect(proxy.requests).toEqual([]);
});

test('variables as people write them', () => {
  const read = (env: Record<string, string>) => proxyVariables(env).variables;
  expect(read({})).toBeUndefined();
  expect(read({ http_proxy: '', HTTPS_PROXY: 'proxy:3128', NO_PROXY: 'corp .x 10.0.0.1' })).toEqual(
    {
      https_proxy: 'http://proxy:3128',
      no_proxy: expect.stringMatching(
        /^localhost,.*169\.254\.169\.254,.*,corp,\.x,10\.0\.0\.1,\.corp,\.10\.0\.0\.1$/,
      ),
    },
  );
  expect(read({ http_proxy: 'http://small', HTTP_PROXY: 'http://LARGE' })).toMatchObject({
    http_proxy: 'http://small',
  });
});

test('a proxy that can’t be used is said, without its password', () => {
  const lines = behindProxy({ HTTP_PROXY: 'socks5://user:secret@proxy:1080' });
  expect(lines).toEqual([expect.stringMatching(/^notice: http_proxy is left out/)]);
  expect(lines.join()).not.toContain('secret');
});
