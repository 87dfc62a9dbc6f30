import { createHash } from 'node:crypto';
import { requestId } from './ecr.ts';
import { xml } from './sts.ts';
import type { AwsHost, ErrorForm, Service, ServiceRequest, ServiceResponse } from './service.ts';

const xmlError: ErrorForm = (status, code, message) => ({
  status,
  headers: { 'content-type': 'application/xml', 'x-amz-request-id': requestId() },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${xml(message)}</Message><RequestId>${requestId()}</RequestId></Error>`,
});

const condition = 'At least one of the pre-conditions you specified did not hold';

export interface S3 {
  createBucket(name: string, region?: string): void;
  /** Text of an object. */
  object(bucket: string, key: string): string | undefined;
  setObject(bucket: string, key: string, body: string): void;
  keys(bucket: string): readonly string[];
  /** A store that takes conditional writes without looking at the condition. */
  ignoreConditions(ignore: boolean): void;
}

/** A strict S3 for small objects: path style, ETags, conditional writes. */
export function createS3(host: AwsHost): Service & S3 {
  const buckets = new Map<string, { region: string; objects: Map<string, Buffer> }>();
  let ignores = false;

  const handle = (request: ServiceRequest, name: string, key: string): ServiceResponse => {
    const bucket = buckets.get(name);
    if (bucket === undefined) {
      return xmlError(404, 'NoSuchBucket', 'The specified bucket does not exist');
    }
    const signed = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers['authorization'] ?? '');
    if (signed?.[1] !== bucket.region) {
      return xmlError(
        400,
        'AuthorizationHeaderMalformed',
        `The authorization header is malformed; the region '${signed?.[1]}' is wrong; expecting '${bucket.region}'`,
      );
    }
    const { objects } = bucket;
    const found = objects.get(key);
    const tag = found === undefined ? undefined : etag(found);
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (found === undefined) {
        return xmlError(404, 'NoSuchKey', 'The specified key does not exist.');
      }
      return {
        status: 200,
        headers: { etag: etag(found), 'content-type': 'application/json' },
        body: found,
      };
    }
    if (request.headers['content-encoding']?.includes('aws-chunked')) {
      return xmlError(501, 'NotImplemented', 'A streamed body is not supported by this stand-in.');
    }
    const mustNotExist = request.headers['if-none-match'] === '*';
    const mustMatch = request.headers['if-match'];
    if (!ignores) {
      if (mustNotExist && found !== undefined)
        return xmlError(412, 'PreconditionFailed', condition);
      if (mustMatch !== undefined && tag === undefined) {
        return xmlError(404, 'NoSuchKey', 'The specified key does not exist.');
      }
      if (mustMatch !== undefined && mustMatch !== '*' && mustMatch !== tag) {
        return xmlError(412, 'PreconditionFailed', condition);
      }
    }
    if (request.method === 'DELETE') {
      objects.delete(key);
      return { status: 204 };
    }
    if (request.method !== 'PUT') return xmlError(405, 'MethodNotAllowed', request.method);
    objects.set(key, request.body);
    return { status: 200, headers: { etag: etag(request.body) } };
  };

  const actions: Record<string, string> = {
    GET: 'GetObject',
    HEAD: 'GetObject',
    PUT: 'PutObject',
    DELETE: 'DeleteObject',
  };

  return {
    name: 's3',
    createBucket: (name, region = host.region) => {
      buckets.set(name, { region, objects: new Map() });
    },
    object: (bucket, key) => buckets.get(bucket)?.objects.get(key)?.toString(),
    setObject: (bucket, key, body) => {
      buckets.get(bucket)?.objects.set(key, Buffer.from(body));
    },
    keys: (bucket) => [...(buckets.get(bucket)?.objects.keys() ?? [])],
    ignoreConditions: (ignore) => {
      ignores = ignore;
    },
    handles: ({ path }) => /^\/[^/]+\/./.test(path),
    handle: async (request) => {
      const [, bucket = '', key = ''] = /^\/([^/]+)\/(.+)$/.exec(request.path) ?? [];
      const answer = await host.call(
        {
          action: `s3:${actions[request.method] ?? request.method}`,
          // S3 alone puts the resource in quotation marks.
          resource: `"arn:aws:s3:::${bucket}/${key}"`,
          request,
          error: xmlError,
        },
        () => handle(request, bucket, key),
      );
      if (request.method !== 'HEAD') return answer;
      const { body: _, ...head } = answer;
      return head;
    },
  };
}

function etag(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}
