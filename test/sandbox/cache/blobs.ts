import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, readFile, rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Azure block blobs in a folder, as far as the cache's clients use them. */
export interface Blobs {
  handle(name: string, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void>;
  readonly traffic: { uploaded: number; downloaded: number };
}

export function openBlobs(folder: string): Blobs {
  const traffic = { uploaded: 0, downloaded: 0 };
  const safe = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);
  const file = (name: string) => join(folder, safe(name));
  const block = (name: string, id: string) => join(folder, `${safe(name)}.${safe(id)}`);

  async function receive(request: IncomingMessage, to: string): Promise<void> {
    await pipeline(request, createWriteStream(`${to}.part`));
    await rename(`${to}.part`, to);
    traffic.uploaded += (await stat(to)).size;
  }

  async function assemble(name: string, request: IncomingMessage): Promise<void> {
    let list = '';
    for await (const chunk of request) list += String(chunk);
    const ids = [...list.matchAll(/<(?:Latest|Uncommitted|Committed)>([^<]+)</g)];
    await rm(file(name), { force: true });
    await appendFile(file(name), '');
    for (const [, id = ''] of ids) {
      const from = block(name, id);
      await appendFile(file(name), await readFile(from));
      await rm(from);
    }
  }

  return {
    traffic,
    async handle(name, url, request, response) {
      // The Go client dereferences x-ms-request-id; the JS client wants the version header.
      const common = {
        'x-ms-request-id': '5bd3ecc2-401e-0072-2f5a-000000000000',
        'x-ms-version': '2024-11-04',
        'last-modified': new Date(0).toUTCString(),
        etag: `"${safe(name)}"`,
      };
      if (request.method === 'PUT') {
        const what = url.searchParams.get('comp');
        if (what === 'block') {
          await receive(request, block(name, url.searchParams.get('blockid') ?? ''));
        } else if (what === 'blocklist') await assemble(name, request);
        else await receive(request, file(name));
        response.writeHead(201, { ...common, 'x-ms-request-server-encrypted': 'true' }).end();
        return;
      }
      const size = await stat(file(name)).then(
        (found) => found.size,
        () => undefined,
      );
      if (size === undefined) {
        response.writeHead(404, { ...common, 'x-ms-error-code': 'BlobNotFound' }).end();
        return;
      }
      const range = /bytes=(\d+)-(\d*)/.exec(
        String(request.headers['x-ms-range'] ?? request.headers.range ?? ''),
      );
      const start = Number(range?.[1] ?? 0);
      const end = Math.min(range?.[2] ? Number(range[2]) : size - 1, size - 1);
      const head = {
        ...common,
        'content-type': 'application/octet-stream',
        'accept-ranges': 'bytes',
        'x-ms-blob-type': 'BlockBlob',
        'content-length': String(Math.max(0, end - start + 1)),
        ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
      };
      response.writeHead(range ? 206 : 200, head);
      if (request.method === 'HEAD' || end < start) {
        response.end();
        return;
      }
      traffic.downloaded += end - start + 1;
      await pipeline(createReadStream(file(name), { start, end }), response);
    },
  };
}
