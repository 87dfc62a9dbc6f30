import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createEcrApi, type Token } from './ecr.ts';
import { createFaults, denialText, type Faults } from './faults.ts';
import { createFront } from './front.ts';
import { listen, readRequest, respond } from './http.ts';
import { createIdentities, type Identity, type Keys } from './identity.ts';
import { createImages, type Mutability, type StoredImage } from './images.ts';
import { createS3, type S3 } from './s3.ts';
import type { AwsHost, FoundImage, Service, ServiceRequest, ServiceResponse } from './service.ts';
import { createSts, type Sts } from './sts.ts';

export interface AwsOptions {
  /** Host and port of a plain OCI registry, in which everything is stored. */
  readonly registryHost: string;
  readonly account?: string;
  readonly region?: string;
}

/** One call as it arrived, for assertions. Registry requests are `registry:<IAM action>`. */
export interface LoggedCall {
  readonly action: string;
  readonly resource: string;
  readonly caller: string;
  readonly status: number;
  /** The request's body; empty for registry requests. */
  readonly body: string;
}

export interface AwsSandbox extends AwsHost, AsyncDisposable {
  /** Variables that point the SDK here, with keys of a user who may do everything. */
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: Keys;
  readonly faults: Faults;
  readonly requests: readonly LoggedCall[];
  readonly ecr: EcrControl;
  readonly sts: Sts;
  readonly s3: S3;
  /** Every session credential issued so far is expired from now on. */
  expireSessions(): void;
  /** Puts another service on this server; asked before the built-in ones. */
  mount(service: Service): void;
  close(): Promise<void>;
}

/** The stand-in's back door to its repositories. */
export interface EcrControl {
  createRepository(name: string, mutability?: Mutability, filters?: readonly string[]): void;
  setMutability(name: string, mutability: Mutability, filters?: readonly string[]): void;
  setLifecyclePolicy(name: string, policy: string | undefined): void;
  lifecyclePolicy(name: string): string | undefined;
  /** Tag → digest. */
  tags(name: string): ReadonlyMap<string, string>;
  image(name: string, reference: string): StoredImage | undefined;
  images(name: string): readonly StoredImage[];
  repositories(): readonly string[];
  /** Points a tag at an image from outside, as somebody else's push does. */
  moveTag(name: string, tag: string, digest: string): void;
  /** What a lifecycle rule does. */
  expireImage(name: string, digest: string): void;
  setTagsPerImage(most: number): void;
  setCreateOnPush(on: boolean): void;
  /** BatchGetImage answers two tags of one image by one entry (nothing says that it does not). */
  setOneEntryPerImage(on: boolean): void;
  /** Every registry login handed out so far is refused from now on. */
  expireTokens(): void;
}

/** Starts the AWS stand-in: ECR's API and registry, STS, S3, and what is mounted, on one port. */
export async function startAws(options: AwsOptions): Promise<AwsSandbox> {
  const { account = '123456789012', region = 'eu-west-1' } = options;
  const faults = createFaults();
  const identities = createIdentities();
  const images = createImages(options.registryHost, account);
  const tokens = new Map<string, Token>();
  const requests: LoggedCall[] = [];
  const services: Service[] = [];
  let createOnPush = false;
  let oneEntryPerImage = false;

  const front = createFront(images, {
    realHost: options.registryHost,
    account,
    region,
    tokens,
    faults,
    createOnPush: () => createOnPush,
    log: (action, resource, caller, status) => {
      requests.push({ action, resource, caller, status, body: '' });
    },
  });

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/';
    if (path.startsWith('/v2/') || path === '/v2') {
      await front(request, response);
      return;
    }
    const whole = await readRequest(request);
    const layer = /^\/-layers\/(.+)\/(sha256:[0-9a-f]{64})$/.exec(whole.path);
    if (layer !== null) {
      const [, name = '', digest = ''] = layer;
      respond(response, await readLayer(options.registryHost, images.path(name), digest));
      return;
    }
    const service = services.find((one) => one.handles(whole));
    respond(
      response,
      service === undefined
        ? { status: 404, body: `no stand-in for ${whole.method} ${whole.path}` }
        : await service.handle(whole),
    );
  };

  const { host: registryHost, close } = await listen(serve);
  const url = `http://${registryHost}`;
  const user: Identity = {
    arn: `arn:aws:iam::${account}:user/sandbox`,
    account,
    expired: false,
  };
  const keys = identities.issue(user.arn, account, false);
  const callerOf = (request: ServiceRequest): Identity => {
    const identity = identities.of(request.headers);
    return typeof identity === 'string' ? { ...user, arn: 'anonymous' } : identity;
  };

  const host: AwsHost = {
    account,
    region,
    url,
    registryHost,
    image: (uri) => Promise.resolve(findImage(uri)),
    call: async ({ action, resource, request, error }, work) => {
      const caller = callerOf(request).arn;
      const log = (answer: ServiceResponse): ServiceResponse => {
        const body = request.body.toString();
        requests.push({ action, resource, caller, status: answer.status, body });
        return answer;
      };
      const service = action.split(':')[0] ?? '';
      // A web identity is its own proof: the call is not signed.
      const signed = action !== 'sts:AssumeRoleWithWebIdentity';
      const refusal = signed
        ? credentialProblem(service, identities.of(request.headers))
        : undefined;
      if (refusal !== undefined) return log(error(...refusal));
      const denial = faults.denial(action);
      if (denial !== undefined) {
        const [status, code] = refusalOf(service, 'denied');
        return log(error(status, code, denialText(caller, action, resource, denial)));
      }
      const fault = faults.take(action, request);
      await faults.pass(action, request);
      if (fault?.delayMs !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
      }
      if (fault?.cut) return log({ status: 0, lost: true });
      if (fault?.status !== undefined) {
        return log(error(fault.status, fault.code ?? 'InternalFailure', fault.message ?? ''));
      }
      const answer = log(await work());
      return fault?.lostAnswer ? { ...answer, lost: true } : answer;
    },
  };

  const findImage = (uri: string): FoundImage | undefined => {
    if (!uri.startsWith(`${registryHost}/`)) return undefined;
    const [, name = '', tag, digest] =
      /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(uri.slice(registryHost.length + 1)) ?? [];
    const image = images.find(name, digest ?? tag ?? 'latest');
    if (image === undefined) return undefined;
    return {
      repository: name,
      digest: image.digest,
      mediaType: image.mediaType,
      manifest: image.manifest,
      pullReference: `${options.registryHost}/${images.path(name)}@${image.digest}`,
      blob: async (wanted) => {
        const layer = await readLayer(options.registryHost, images.path(name), wanted);
        if (layer.status !== 200) throw new Error(`blob ${wanted} of ${uri}: ${layer.status}`);
        return String(layer.body);
      },
    };
  };

  const repository = (name: string) => {
    const found = images.repositories.get(name);
    if (found === undefined) throw new Error(`the stand-in has no repository '${name}'`);
    return found;
  };

  const sts = createSts(host, { identities, caller: callerOf });
  const s3 = createS3(host);
  services.push(
    createEcrApi(host, images, {
      tokens,
      caller: callerOf,
      oneEntryPerImage: () => oneEntryPerImage,
    }),
    sts,
    s3,
  );

  return {
    ...host,
    credentials: keys,
    env: {
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_REGION: region,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    faults,
    requests,
    sts,
    s3,
    expireSessions: () => {
      identities.expireSessions();
    },
    mount: (service) => {
      services.unshift(service);
    },
    ecr: {
      createRepository: (name, mutability, filters) => {
        images.create(name, mutability, filters);
      },
      setMutability: (name, mutability, filters = []) => {
        const found = repository(name);
        found.mutability = mutability;
        found.filters = filters;
      },
      setLifecyclePolicy: (name, policy) => {
        repository(name).lifecyclePolicy = policy;
      },
      lifecyclePolicy: (name) => repository(name).lifecyclePolicy,
      tags: (name) => repository(name).tags,
      image: (name, reference) => images.find(name, reference),
      images: (name) => [...repository(name).images.values()],
      repositories: () => [...images.repositories.keys()],
      moveTag: (name, tag, digest) => {
        repository(name).tags.set(tag, digest);
      },
      expireImage: (name, digest) => {
        images.remove(repository(name), digest);
      },
      setTagsPerImage: (most) => {
        images.tagsPerImage = most;
      },
      setCreateOnPush: (on) => {
        createOnPush = on;
      },
      setOneEntryPerImage: (on) => {
        oneEntryPerImage = on;
      },
      expireTokens: () => {
        for (const token of tokens.values()) token.expired = true;
      },
    },
    close: async () => {
      faults.clear();
      await close();
    },
    [Symbol.asyncDispose]: async () => {
      faults.clear();
      await close();
    },
  };
}

/** Digest of a manifest's text, as every registry computes it. */
export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

async function readLayer(host: string, path: string, digest: string): Promise<ServiceResponse> {
  const answer = await fetch(`http://${host}/v2/${path}/blobs/${digest}`);
  return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) };
}

type Refusal = 'denied' | 'missing' | 'unknown' | 'expired';

/** The status and code each service uses: they differ by protocol. */
function refusalOf(service: string, kind: Refusal): [status: number, code: string] {
  const rest = service === 'sts' || service === 's3';
  const codes: Record<Refusal, string> = {
    denied: rest ? 'AccessDenied' : 'AccessDeniedException',
    missing: rest ? 'MissingAuthenticationToken' : 'MissingAuthenticationTokenException',
    unknown:
      { sts: 'InvalidClientTokenId', s3: 'InvalidAccessKeyId' }[service] ??
      'UnrecognizedClientException',
    expired: rest ? 'ExpiredToken' : 'ExpiredTokenException',
  };
  const badRequest = service === 'ecr' || (service === 's3' && kind === 'expired');
  return [badRequest ? 400 : 403, codes[kind]];
}

function credentialProblem(
  service: string,
  identity: Identity | 'missing' | 'unknown',
): [number, string, string] | undefined {
  if (identity === 'missing') {
    return [...refusalOf(service, 'missing'), 'Missing Authentication Token'];
  }
  if (identity === 'unknown') {
    const text =
      service === 's3'
        ? 'The AWS Access Key Id you provided does not exist in our records.'
        : 'The security token included in the request is invalid.';
    return [...refusalOf(service, 'unknown'), text];
  }
  if (!identity.expired) return undefined;
  const text =
    service === 's3'
      ? 'The provided token has expired.'
      : 'The security token included in the request is expired';
  return [...refusalOf(service, 'expired'), text];
}
