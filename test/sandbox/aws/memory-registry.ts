import { createHash, randomUUID } from 'node:crypto';
import { listen, readRequest, respond } from './http.ts';
import type { ServiceRequest, ServiceResponse } from './service.ts';

/**
 * The least OCI registry that the ECR stand-in can store into, for tests that need Node alone.
 * Layers are not checked against manifests; whatever Docker decides is tested over the real one.
 */
export async function startMemoryRegistry(): Promise<{ host: string; close: () => Promise<void> }> {
  const stored = new Map<string, { body: Buffer; type: string }>();
  const uploads = new Map<string, Buffer>();

  const handle = (request: ServiceRequest): ServiceResponse => {
    const [, name = '', rest = ''] =
      /^\/v2\/(.+?)\/((?:blobs|manifests)\/.*)$/.exec(request.path) ?? [];
    if (request.method === 'POST') {
      const id = randomUUID();
      uploads.set(id, Buffer.alloc(0));
      return { status: 202, headers: { location: `/v2/${name}/blobs/uploads/${id}` } };
    }
    const upload = /^blobs\/uploads\/(.+)$/.exec(rest)?.[1];
    if (upload !== undefined) {
      const body = Buffer.concat([uploads.get(upload) ?? Buffer.alloc(0), request.body]);
      uploads.set(upload, body);
      if (request.method === 'PATCH') {
        return { status: 202, headers: { location: request.path, range: `0-${body.length - 1}` } };
      }
      const digest = request.query.get('digest') ?? '';
      if (digestOf(body) !== digest) return { status: 400, body: 'DIGEST_INVALID' };
      stored.set(`${name}/blobs/${digest}`, { body, type: 'application/octet-stream' });
      return { status: 201, headers: { 'docker-content-digest': digest } };
    }
    const key = `${name}/${rest}`;
    if (request.method === 'PUT') {
      stored.set(key, { body: request.body, type: request.headers['content-type'] ?? '' });
      return { status: 201, headers: { 'docker-content-digest': digestOf(request.body) } };
    }
    const found = stored.get(key);
    if (found === undefined) return { status: 404, body: '{"errors":[{"code":"BLOB_UNKNOWN"}]}' };
    const headers = {
      'content-type': found.type,
      'content-length': String(found.body.length),
      'docker-content-digest': digestOf(found.body),
    };
    return { status: 200, headers, ...(request.method !== 'HEAD' && { body: found.body }) };
  };

  return await listen(async (request, response) => {
    respond(response, handle(await readRequest(request)));
  });
}

function digestOf(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}
