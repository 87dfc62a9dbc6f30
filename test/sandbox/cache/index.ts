import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobs } from './blobs.ts';
import { findEntry, type Entry } from './entries.ts';
import { Faults } from './faults.ts';
import { readJwt, runtimeToken, scopesOf, type Grant, type Scope } from './token.ts';

export type { Entry } from './entries.ts';
export type { Fault } from './faults.ts';
export type { Grant } from './token.ts';

/** GitHub's cache service (v2) with its blob store, for real clients: @actions/cache and BuildKit. */
export interface CacheService extends AsyncDisposable {
  /** ACTIONS_RESULTS_URL. */
  readonly url: string;
  readonly faults: Faults;
  /** Operations asked, in order: `GetCacheEntryDownloadURL <key>`, `upload`, `download`, … */
  readonly requests: string[];
  /** Bytes of blobs through the wire. */
  readonly traffic: { uploaded: number; downloaded: number };
  token(grant: Grant): string;
  /** The variables the runner gives an action for a run with that grant. */
  environment(grant: Grant): Record<string, string>;
  /** Finished entries, oldest first. */
  entries(): readonly Entry[];
  /** Forgets every entry, as GitHub does after a week without use. */
  clear(): void;
  /** Nothing listens any more. */
  close(): Promise<void>;
}

const twirp = '/twirp/github.actions.results.api.v1.CacheService/';
const blobPath = '/devstoreaccount1/actions-cache/';

export async function startCacheService(): Promise<CacheService> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-service-'));
  const secret = randomBytes(16).toString('hex');
  const blobs = openBlobs(folder);
  const faults = new Faults();
  const requests: string[] = [];
  let entries: Entry[] = [];
  let nextId = 1;
  let url = '';

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = new URL(request.url ?? '/', 'http://x');
    if (at.pathname.startsWith(blobPath)) {
      const operation = request.method === 'PUT' ? 'upload' : 'download';
      requests.push(operation);
      if (await faults.hit(operation, request, response)) return;
      const name = at.pathname.slice(blobPath.length);
      if (at.searchParams.get('sig') !== secret) {
        request.resume();
        answer(response, 403, { code: 'AuthenticationFailed' });
        return;
      }
      await blobs.handle(name, at, request, response);
      return;
    }
    const operation = at.pathname.startsWith(twirp) ? at.pathname.slice(twirp.length) : 'unknown';
    if (await faults.hit(operation, request, response)) {
      requests.push(operation);
      return;
    }
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const payload = readJwt((request.headers.authorization ?? '').replace(/^bearer /i, ''), secret);
    if (payload === undefined) {
      answer(response, 401, { code: 'unauthenticated', msg: 'invalid token' });
      return;
    }
    const body = JSON.parse(text) as Record<string, unknown>;
    requests.push(`${operation} ${String(body['key'])}`);
    const [status, result] = call(operation, body, scopesOf(payload));
    answer(response, status, result);
  }

  function call(
    operation: string,
    body: Readonly<Record<string, unknown>>,
    scopes: readonly Scope[],
  ): [number, Record<string, unknown>] {
    const key = String(body['key']);
    const version = String(body['version']);
    const own = scopes[0];
    const signed = (entry: Entry) =>
      `${url}${blobPath.slice(1)}${entry.blob}?sv=2024-11-04&se=2099-01-01&sr=b&sig=${secret}`;
    const same = (entry: Entry) =>
      entry.key === key && entry.version === version && entry.scope === own?.Scope;
    switch (operation) {
      case 'CreateCacheEntry': {
        if (own === undefined || (own.Permission & 2) === 0) {
          const message = 'cache write denied: token has no writable scopes';
          return [200, { ok: false, signed_upload_url: '', message }];
        }
        if (entries.some((entry) => same(entry) && entry.size !== undefined)) {
          const msg = 'cache entry with the same key, version, and scope already exists';
          return [409, { code: 'already_exists', msg }];
        }
        const id = nextId++;
        const entry: Entry = {
          id,
          key,
          version,
          scope: own.Scope,
          blob: `${id}-${randomBytes(8).toString('hex')}`,
          size: undefined,
          hits: 0,
        };
        entries.push(entry);
        return [200, { ok: true, signed_upload_url: signed(entry) }];
      }
      case 'FinalizeCacheEntryUpload': {
        const entry = entries.findLast((entry) => same(entry) && entry.size === undefined);
        if (entry === undefined) return [404, { code: 'not_found', msg: 'cache entry not found' }];
        entry.size = Number(body['size_bytes']);
        return [200, { ok: true, entry_id: String(entry.id) }];
      }
      case 'GetCacheEntryDownloadURL': {
        const restoreKeys = (body['restore_keys'] ?? []) as string[];
        if (!scopes.some((scope) => (scope.Permission & 1) !== 0)) {
          const msg = 'cache read denied: token has no readable scopes';
          return [403, { code: 'permission_denied', msg }];
        }
        const entry = findEntry(entries, scopes, { key, restoreKeys, version });
        if (entry === undefined) return [200, { ok: false }];
        entry.hits += 1;
        return [200, { ok: true, signed_download_url: signed(entry), matched_key: entry.key }];
      }
      default:
        return [404, { code: 'bad_route', msg: `no handler for path ${operation}` }];
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  };
  return {
    url,
    faults,
    requests,
    traffic: blobs.traffic,
    token: (grant) => runtimeToken(grant, secret),
    environment: (grant) => ({
      ACTIONS_RUNTIME_TOKEN: runtimeToken(grant, secret),
      ACTIONS_RESULTS_URL: url,
      ACTIONS_CACHE_SERVICE_V2: 'True',
    }),
    entries: () => entries.filter((entry) => entry.size !== undefined),
    clear: () => {
      entries = [];
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
