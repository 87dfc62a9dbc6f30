import { asError, isAbort } from '../errors.ts';
import { duration, type Clock } from '../wait.ts';
import { authorize, readChallenge, type Challenge } from './registry-auth.ts';
import type { FindCredentials } from './registry-credentials.ts';
import { RegistryError } from './registry-error.ts';

export interface Answer {
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Requests to registries, with authentication, redirects and retries. Undefined: 404. */
export interface RegistryAccess {
  get(image: string, path: string, accept: string, most?: number): Promise<Answer | undefined>;
  head(image: string, path: string, accept: string): Promise<Answer | undefined>;
}

export interface AccessOptions {
  readonly credentials: FindCredentials;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  /** Of one request, ms. */
  readonly timeout: number;
}

const tries = 4;
// Longer than this no run should wait to learn a base image's digest.
const longestWait = 30_000;

interface Place {
  readonly host: string;
  readonly origin: string;
  readonly name: string;
}

export function registryAccess(options: AccessOptions): RegistryAccess {
  // Authorization header by host and repository, as tokens are given for one repository.
  const known = new Map<string, string>();

  const ask = async (
    method: 'GET' | 'HEAD',
    image: string,
    path: string,
    accept: string,
    most: number,
  ): Promise<Answer | undefined> => {
    const place = placeOf(image);
    const url = `${place.origin}/v2/${place.name}/${path}`;
    const key = `${place.host} ${place.name}`;
    const send = (authorization: string | undefined) =>
      persist(options, () => request(method, url, accept, authorization, most, options));
    let answer = await send(known.get(key));
    // ECR answers 403 where a login has run out: its challenge comes to those who send none.
    if (answer.status === 403 && known.delete(key)) answer = await send(undefined);
    if (answer.status === 401) {
      const challenge = readChallenge(answer.headers.get('www-authenticate'));
      const header = await authorization(challenge, place, options);
      if (header !== undefined) {
        known.set(key, header);
        answer = await send(header);
      }
    }
    if (answer.status === 404) return undefined;
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refusal(answer, `${image}/${path}`, place.host);
  };

  return {
    get: (image, path, accept, most = 4 << 20) => ask('GET', image, path, accept, most),
    head: (image, path, accept) => ask('HEAD', image, path, accept, 0),
  };
}

async function authorization(
  challenge: Challenge | undefined,
  place: Place,
  options: AccessOptions,
): Promise<string | undefined> {
  if (challenge === undefined) return undefined;
  const credentials = await options.credentials(place.host);
  return authorize(challenge, credentials, place, (url, init) =>
    persist(options, async () => {
      const signal = limit(options);
      const response = await fetch(url, { ...init, signal });
      return {
        status: response.status,
        headers: response.headers,
        body: await read(response, 1 << 20),
      };
    }),
  );
}

function placeOf(image: string): Place {
  const slash = image.indexOf('/');
  const host = image.slice(0, Math.max(slash, 0));
  if (host === '') {
    throw new RegistryError(`${image} names no registry.`, { code: 'REFUSED' });
  }
  // Docker Hub's API is not at the host that its images are named by.
  const api = host === 'docker.io' ? 'registry-1.docker.io' : host;
  const local = /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/.test(host);
  return {
    host,
    origin: `${local ? 'http' : 'https'}://${api}`,
    name: image.slice(slash + 1),
  };
}

interface RawAnswer extends Answer {
  readonly status: number;
}

async function request(
  method: string,
  first: string,
  accept: string,
  authorization: string | undefined,
  most: number,
  options: AccessOptions,
): Promise<RawAnswer> {
  const { origin } = new URL(first);
  const signal = limit(options);
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    // Blobs are redirected to storage, whose own signed URLs refuse (and mustn't see) our header.
    const trusted = new URL(url).origin === origin && authorization !== undefined;
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal,
      headers: { accept, ...(trusted ? { authorization } : {}) },
    });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      return {
        status: response.status,
        headers: response.headers,
        body: await read(response, Math.max(most, 1 << 16)),
      };
    }
    await response.body?.cancel();
    if (redirects >= 5) {
      throw new RegistryError(`${first} leads through too many redirects.`, { code: 'REFUSED' });
    }
    url = new URL(location, url).href;
  }
}

async function read(response: Response, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > most) {
      throw new RegistryError(`${response.url} answers with more than ${most} bytes.`, {
        code: 'REFUSED',
      });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function limit({ signal, timeout }: AccessOptions): AbortSignal {
  const own = AbortSignal.timeout(timeout);
  return signal === undefined ? own : AbortSignal.any([signal, own]);
}

// Throttling, failures of the server and broken connections pass; anything else is the answer.
async function persist(options: AccessOptions, work: () => Promise<RawAnswer>): Promise<RawAnswer> {
  const { clock, signal } = options;
  for (let attempt = 1; ; attempt += 1) {
    let wait = 500 * 2 ** (attempt - 1) * (0.75 + clock.random() / 2);
    try {
      const answer = await work();
      const passing = answer.status === 429 || answer.status >= 500;
      const asked = retryAfter(answer.headers.get('retry-after'), clock);
      if (!passing || attempt >= tries || (asked ?? 0) > longestWait) return answer;
      wait = asked ?? wait;
    } catch (error) {
      if (error instanceof RegistryError || signal?.aborted === true) throw error;
      if (attempt >= tries || isFinal(error)) throw unreachable(error, options);
    }
    await clock.sleep(Math.round(wait), signal);
  }
}

// A name that doesn't exist and a certificate that isn't valid stay so for longer than we'd wait.
function isFinal(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return code === 'ENOTFOUND' || /CERT|SELF_SIGNED|ALTNAME/.test(code);
}

function retryAfter(header: string | null, clock: Clock): number | undefined {
  if (header === null || header === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - clock.now();
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}

function unreachable(error: unknown, { timeout }: AccessOptions): RegistryError {
  if (isAbort(error)) {
    return new RegistryError(`The registry did not answer within ${duration(timeout)}.`, {
      code: 'UNAVAILABLE',
      cause: error,
    });
  }
  // fetch says "fetch failed" and keeps what happened in the cause.
  const deeper = asError(error).cause;
  const what =
    deeper instanceof Error && deeper.message !== '' ? deeper.message : asError(error).message;
  return new RegistryError(`The registry can't be reached: ${what}`, {
    code: 'UNAVAILABLE',
    cause: error,
  });
}

function refusal(answer: RawAnswer, what: string, host: string): RegistryError {
  const { status } = answer;
  const said = errorText(answer.body.toString('utf8'));
  const words = said === '' ? '' : `: ${said}`;
  if (status === 401 || status === 403) {
    return new RegistryError(`${host} denies ${what} (${status})${words}`, {
      code: 'DENIED',
      status,
      hint: `Log in to ${host} before this step (docker/login-action), or let this job's role read from it.`,
    });
  }
  const code = status === 429 ? 'THROTTLED' : status >= 500 ? 'UNAVAILABLE' : 'REFUSED';
  return new RegistryError(`${host} answers ${status} for ${what}${words}`, { code, status });
}

function errorText(body: string): string {
  try {
    const { errors } = JSON.parse(body) as { errors?: { code?: string; message?: string }[] };
    return (errors ?? []).map(({ code, message }) => message ?? code ?? '').join('; ');
  } catch {
    // A proxy's page, or nothing at all.
    return body
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, 200);
  }
}
