import { createServer, request as send, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** A forward proxy as companies have them: requests with an absolute URL, and tunnels. */
export interface Proxy extends AsyncDisposable {
  /** For http_proxy and https_proxy; with a name and a password, which it asks for. */
  readonly url: string;
  /** `GET http://host/path` and `CONNECT host:port`, in order. */
  readonly requests: readonly string[];
}

/** @param hosts names that exist behind the proxy only: `host` → `127.0.0.1:port`. */
export async function startProxy(hosts: Readonly<Record<string, string>>): Promise<Proxy> {
  const requests: string[] = [];
  const tunnels = new Set<Socket>();
  const secret = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
  const placeOf = (url: URL) => {
    const [host = '', port = ''] = (hosts[url.hostname] ?? url.host).split(':');
    return { host, port: Number(port === '' ? 80 : port) };
  };

  const server: Server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const { 'proxy-authorization': login, ...headers } = request.headers;
    const url = URL.parse(request.url ?? '');
    if (login !== secret || url === null) {
      response.writeHead(login === secret ? 400 : 407).end();
      return;
    }
    const { method } = request;
    const path = `${url.pathname}${url.search}`;
    // An agent of its own: this process may have been told to go through a proxy.
    const to = { ...placeOf(url), method, path, headers, agent: false };
    const onward = send(to, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', (error) => response.writeHead(502).end(error.message));
    request.pipe(onward);
  });
  server.on('connect', (request, socket: Socket, head) => {
    requests.push(`CONNECT ${request.url}`);
    if (request.headers['proxy-authorization'] !== secret) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const onward = connect(placeOf(new URL(`http://${request.url}`)), () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      tunnels.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        tunnels.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://user:p%40ss@127.0.0.1:${port}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of tunnels) socket.destroy();
      }),
  };
}
