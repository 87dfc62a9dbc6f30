import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeWheel, type WheelSource } from './wheel.ts';

/** A local package index (the simple repository API) that counts what is asked of it. */
export interface Pypi extends AsyncDisposable {
  /** For PIP_INDEX_URL. */
  readonly indexUrl: string;
  /** For a container on the host's network, and for pip and uv: where to look, and that it may. */
  readonly env: NodeJS.ProcessEnv;
  /** Paths asked for since the last `forget`, in order. */
  readonly requests: readonly string[];
  /** File names downloaded since the last `forget`. */
  readonly downloads: readonly string[];
  /** Bytes of files sent since the last `forget`. */
  readonly bytes: number;
  add(...wheels: readonly WheelSource[]): void;
  forget(): void;
}

/**
 * Starts an index over wheels made here (`wheels`) or those in a folder (`wheelhouse`).
 *
 * Files are served as PyPI does: cacheable for ever. pip caches plain HTTP only from hosts it is
 * told to trust, hence PIP_TRUSTED_HOST in `env`.
 */
export async function startPypi(
  options: { wheels?: readonly WheelSource[]; wheelhouse?: string } = {},
): Promise<Pypi> {
  const files = new Map<string, Buffer>();
  const add = (wheels: readonly WheelSource[]) => {
    for (const { file, content } of wheels.map(makeWheel)) files.set(file, content);
  };
  add(options.wheels ?? []);
  if (options.wheelhouse !== undefined) {
    for (const name of readdirSync(options.wheelhouse)) {
      if (/\.(whl|tar\.gz)$/.test(name)) {
        files.set(name, readFileSync(join(options.wheelhouse, name)));
      }
    }
  }
  const requests: string[] = [];
  const downloads: string[] = [];
  let bytes = 0;

  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/');
    requests.push(path);
    const file = /^\/files\/([^/]+)$/.exec(path)?.[1];
    const content = file === undefined ? undefined : files.get(file);
    if (file !== undefined && content !== undefined) {
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': content.length,
        'cache-control': 'max-age=365000000, immutable, public',
        etag: `"${createHash('md5').update(content).digest('hex')}"`,
      });
      if (request.method === 'HEAD') return response.end();
      downloads.push(file);
      bytes += content.length;
      return response.end(content);
    }
    const project = /^\/simple\/([^/]+)\/?$/.exec(path)?.[1];
    const links = [...files].filter(([name]) => projectOf(name) === project);
    if (project === undefined || links.length === 0) {
      response.writeHead(404, { 'content-type': 'text/plain' });
      return response.end('404 Not Found');
    }
    const anchors = links.map(([name, content]) => {
      const hash = createHash('sha256').update(content).digest('hex');
      return `<a href="/files/${encodeURIComponent(name)}#sha256=${hash}">${name}</a><br>`;
    });
    response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'max-age=0' });
    return response.end(`<!DOCTYPE html><html><body>${anchors.join('\n')}</body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const indexUrl = `http://127.0.0.1:${port}/simple/`;
  return {
    indexUrl,
    env: {
      PIP_INDEX_URL: indexUrl,
      PIP_TRUSTED_HOST: '127.0.0.1',
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      // What this machine is set up with would hide what is asked of the index.
      PIP_FIND_LINKS: '',
      PIP_EXTRA_INDEX_URL: '',
      PIP_CONFIG_FILE: '/dev/null',
      UV_DEFAULT_INDEX: indexUrl,
      UV_NO_CONFIG: '1',
      NO_PROXY: '127.0.0.1',
      no_proxy: '127.0.0.1',
    },
    requests,
    downloads,
    get bytes() {
      return bytes;
    },
    add: (...wheels) => add(wheels),
    forget() {
      requests.length = 0;
      downloads.length = 0;
      bytes = 0;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The project a wheel or sdist belongs to, normalized as PEP 503 says. */
function projectOf(file: string): string {
  const name = file.endsWith('.whl') ? file.split('-')[0] : file.replace(/-\d[^-]*\.tar\.gz$/, '');
  return (name ?? '').replaceAll(/[-_.]+/g, '-').toLowerCase();
}
