import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Token } from './ecr.ts';
import type { FaultBox } from './faults.ts';
import { denialText } from './faults.ts';
import { plainHeaders, readBody, respond } from './http.ts';
import { Refused, type Images, type StoredImage } from './images.ts';
import type { ServiceResponse } from './service.ts';

export interface FrontOptions {
  readonly realHost: string;
  readonly account: string;
  readonly region: string;
  readonly tokens: Map<string, Token>;
  readonly faults: FaultBox;
  readonly log: (action: string, resource: string, caller: string, status: number) => void;
  readonly createOnPush: () => boolean;
}

/** Docker's registry API as ECR answers it, over the real registry. */
export function createFront(
  images: Images,
  options: FrontOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { realHost, account, region, tokens, faults } = options;

  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://front');
    const method = request.method ?? 'GET';
    const token = tokenOf(request, tokens);
    const refuse = (answer: ServiceResponse) => {
      request.resume();
      respond(response, answer);
    };
    if (token === undefined) {
      refuse({
        status: 401,
        headers: {
          'www-authenticate': `Basic realm="http://${request.headers.host}/",service="ecr.amazonaws.com"`,
          'docker-distribution-api-version': 'registry/2.0',
        },
        body: 'Not Authorized\n',
      });
      return;
    }
    if (token.expired) {
      refuse(
        failure(
          403,
          'DENIED',
          'Your authorization token has expired. Reauthenticate and try again.',
        ),
      );
      return;
    }
    const asked = parse(url.pathname);
    if (asked === undefined) {
      const known = /^\/v2\/?$/.test(url.pathname);
      refuse(known ? { status: 200, body: '{}' } : failure(404, 'UNSUPPORTED', 'No such endpoint'));
      return;
    }
    const action = actionOf(method, asked.kind);
    const resource = `arn:aws:ecr:${region}:${account}:repository/${asked.name}`;
    const done = (status: number) => {
      options.log(`registry:${action}`, resource, token.caller.arn, status);
    };

    const denial = faults.denial(`ecr:${action}`);
    if (denial !== undefined) {
      done(403);
      refuse(
        failure(403, 'DENIED', denialText(token.caller.arn, `ecr:${action}`, resource, denial)),
      );
      return;
    }
    const fault = faults.take(`registry:${action}`, undefined);
    await faults.pass(`registry:${action}`, undefined);
    if (fault?.delayMs !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    }
    if (fault?.cut) {
      response.destroy();
      return;
    }
    if (fault?.status !== undefined) {
      done(fault.status);
      refuse(failure(fault.status, fault.code ?? 'UNKNOWN', fault.message ?? ''));
      return;
    }

    if (!images.repositories.has(asked.name)) {
      const pushes = method !== 'GET' && method !== 'HEAD';
      if (!(pushes && options.createOnPush())) {
        done(404);
        refuse(
          failure(
            404,
            'NAME_UNKNOWN',
            `The repository with name '${asked.name}' does not exist in the registry with id '${account}'`,
          ),
        );
        return;
      }
      images.create(asked.name);
    }

    if (asked.kind === 'blobs') {
      await forward(request, response, {
        realHost,
        from: `/v2/${asked.name}/`,
        to: `/v2/${images.path(asked.name)}/`,
        mount: (name) => images.path(name),
      });
      done(response.statusCode);
      return;
    }
    const answer =
      asked.kind === 'tags'
        ? tagList(images, asked.name)
        : method === 'PUT'
          ? await putManifest(images, asked.name, asked.reference, request)
          : readManifest(images, asked.name, asked.reference, method);
    done(answer.status);
    respond(response, fault?.lostAnswer ? { ...answer, lost: true } : answer);
  };
}

type Kind = 'manifests' | 'blobs' | 'tags';

function parse(path: string): { name: string; kind: Kind; reference: string } | undefined {
  const match = /^\/v2\/(.+?)\/(manifests|blobs|tags)\/(.*)$/.exec(path);
  if (match === null) return undefined;
  const [, name = '', kind, reference = ''] = match;
  return { name, kind: kind as Kind, reference: decodeURIComponent(reference) };
}

/** Which permission a registry request needs. */
function actionOf(method: string, kind: Kind): string {
  if (kind === 'tags') return 'ListImages';
  if (kind === 'manifests') return method === 'PUT' ? 'PutImage' : 'BatchGetImage';
  const byMethod: Record<string, string> = {
    HEAD: 'BatchCheckLayerAvailability',
    GET: 'GetDownloadUrlForLayer',
    POST: 'InitiateLayerUpload',
    PATCH: 'UploadLayerPart',
    PUT: 'CompleteLayerUpload',
  };
  return byMethod[method] ?? 'UploadLayerPart';
}

function tokenOf(request: IncomingMessage, tokens: Map<string, Token>): Token | undefined {
  const [scheme, value] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic') return undefined;
  const [user, password] = Buffer.from(value ?? '', 'base64')
    .toString()
    .split(/:(.*)/s);
  return user === 'AWS' ? tokens.get(password ?? '') : undefined;
}

function failure(status: number, code: string, message: string): ServiceResponse {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ errors: [{ code, message }] }),
  };
}

function manifestHeaders(image: StoredImage): Record<string, string> {
  return { 'content-type': image.mediaType, 'docker-content-digest': image.digest };
}

function readManifest(
  images: Images,
  name: string,
  reference: string,
  method: string,
): ServiceResponse {
  const image = images.find(name, reference);
  if (image === undefined) return failure(404, 'MANIFEST_UNKNOWN', 'Requested image not found');
  if (method !== 'HEAD') {
    return { status: 200, headers: manifestHeaders(image), body: image.manifest };
  }
  const length = String(Buffer.byteLength(image.manifest));
  return { status: 200, headers: { ...manifestHeaders(image), 'content-length': length } };
}

async function putManifest(
  images: Images,
  name: string,
  reference: string,
  request: IncomingMessage,
): Promise<ServiceResponse> {
  const manifest = (await readBody(request)).toString();
  const repository = images.repositories.get(name);
  if (repository === undefined) return failure(404, 'NAME_UNKNOWN', 'The repository is gone');
  const byDigest = reference.startsWith('sha256:');
  const created = (digest: string): ServiceResponse => ({
    status: 201,
    headers: { 'docker-content-digest': digest, location: `/v2/${name}/manifests/${digest}` },
  });
  try {
    const image = await images.put(repository, {
      manifest,
      mediaType: request.headers['content-type'] ?? '',
      tag: byDigest ? undefined : reference,
      digest: byDigest ? reference : undefined,
    });
    return created(image.digest);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // A push of what is there already is no failure in Docker's protocol.
    if (error.code === 'ImageAlreadyExistsException') {
      return created(/sha256:[0-9a-f]{64}/.exec(error.message)?.[0] ?? '');
    }
    const codes: Record<string, [number, string]> = {
      ImageTagAlreadyExistsException: [400, 'TAG_INVALID'],
      ImageDigestDoesNotMatchException: [400, 'DIGEST_INVALID'],
      LayersNotFoundException: [404, 'BLOB_UNKNOWN'],
      ReferencedImagesNotFoundException: [404, 'MANIFEST_UNKNOWN'],
      LimitExceededException: [403, 'DENIED'],
    };
    const [status, code] = codes[error.code] ?? [400, 'MANIFEST_INVALID'];
    return failure(status, code, error.message);
  }
}

function tagList(images: Images, name: string): ServiceResponse {
  const tags = [...(images.repositories.get(name)?.tags.keys() ?? [])].sort();
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, tags }),
  };
}

/** Passes a blob request on, with names changed on the way there and back. */
async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  route: { realHost: string; from: string; to: string; mount: (name: string) => string },
): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${route.realHost}`);
  url.pathname = route.to + url.pathname.slice(route.from.length);
  const mounted = url.searchParams.get('from');
  if (mounted !== null) url.searchParams.set('from', route.mount(mounted));
  const { authorization: _, ...headers } = plainHeaders(request.headers);

  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const onward = httpRequest(
      url,
      { method: request.method ?? 'GET', headers: { ...headers, host: route.realHost } },
      resolve,
    );
    onward.on('error', reject);
    pipeline(request, onward).catch(reject);
  });
  const back = plainHeaders(answer.headers);
  if (back['location'] !== undefined) {
    const location = new URL(back['location'], `http://${route.realHost}`);
    back['location'] = location.pathname.replace(route.to, route.from) + location.search;
  }
  response.writeHead(answer.statusCode ?? 502, back);
  await pipeline(answer, response);
}
