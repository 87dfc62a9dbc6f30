import { createHash } from 'node:crypto';
import { MANIFEST_TYPES } from '../image/media-types.ts';
import { systemClock, type Clock } from '../wait.ts';
import type { Manifest } from './ecr.ts';
import type { Run } from './process.ts';
import { registryAccess } from './registry-access.ts';
import { dockerConfigCredentials, type FindCredentials } from './registry-credentials.ts';
import { RegistryError } from './registry-error.ts';

export { RegistryError } from './registry-error.ts';

/** Reads from any OCI distribution registry (ECR, Docker Hub, …): manifests and small blobs. */
export interface Registry {
  /**
   * @param image `host/name` fully qualified, @param reference tag or digest.
   * @returns undefined when it is not there (404).
   */
  manifest(image: string, reference: string): Promise<Manifest | undefined>;
  /** Digest only (HEAD). */
  digest(image: string, reference: string): Promise<string | undefined>;
  /** A config blob as text, digest verified. */
  blob(image: string, digest: string): Promise<string>;
}

export interface RegistryOptions {
  /** Folder of Docker's `config.json`: its logins are used, read anew when a registry asks. */
  readonly configFolder?: string | undefined;
  /** Environment and runner of the credential helpers that config.json names. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly run?: Run | undefined;
  /** Asked before config.json; undefined: none for this host. */
  readonly credentials?: FindCredentials | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** Of one request, in ms. Default 30,000. */
  readonly timeout?: number | undefined;
}

const manifestTypes = MANIFEST_TYPES.join(', ');

// Config blobs have a few kilobytes; nobody should make us read a layer.
const largestBlob = 8 << 20;

/**
 * A client by the OCI distribution specification. Plain HTTP for this machine's own registries
 * (`localhost`, `127.…`), HTTPS for all others. Throttling, 5xx and broken connections are tried
 * again; credentials go to no other origin than the registry's and its token service.
 *
 * @throws RegistryError (from each function) with the registry's own words.
 */
export function connectRegistry(options: RegistryOptions = {}): Registry {
  const own = options.credentials;
  const configured =
    options.configFolder === undefined
      ? undefined
      : dockerConfigCredentials(options.configFolder, options.run, options.env);
  const access = registryAccess({
    credentials: async (host) => (await own?.(host)) ?? (await configured?.(host)),
    signal: options.signal,
    clock: options.clock ?? systemClock,
    timeout: options.timeout ?? 30_000,
  });

  const manifest: Registry['manifest'] = async (image, reference) => {
    const at = await access.get(image, `manifests/${reference}`, manifestTypes);
    if (at === undefined) return undefined;
    const digest = sha256(at.body);
    if (reference.includes(':') && reference !== digest) {
      throw new RegistryError(`${image}@${reference} has other content than its digest says.`, {
        code: 'CORRUPT',
      });
    }
    const body = at.body.toString('utf8');
    return { digest, mediaType: mediaTypeOf(body, at.headers.get('content-type')), body };
  };

  return {
    manifest,
    digest: async (image, reference) => {
      const at = await access.head(image, `manifests/${reference}`, manifestTypes);
      if (at === undefined) return undefined;
      const digest = at.headers.get('docker-content-digest');
      // The header is optional in the specification.
      return digest ?? (await manifest(image, reference))?.digest;
    },
    blob: async (image, digest) => {
      const at = await access.get(image, `blobs/${digest}`, '*/*', largestBlob);
      if (at === undefined) {
        throw new RegistryError(`${image} has no blob ${digest}.`, { code: 'MISSING' });
      }
      if (sha256(at.body) !== digest) {
        throw new RegistryError(`${image} has a blob ${digest} with other content.`, {
          code: 'CORRUPT',
        });
      }
      return at.body.toString('utf8');
    },
  };
}

function sha256(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

// The manifest's own word wins over the header's, which proxies have been seen to change.
function mediaTypeOf(body: string, header: string | null): string {
  const stated = /"mediaType"\s*:/.test(body) ? topMediaType(body) : undefined;
  return stated ?? header?.split(';')[0]?.trim() ?? '';
}

function topMediaType(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const found =
      typeof parsed === 'object' && parsed !== null && 'mediaType' in parsed
        ? parsed.mediaType
        : undefined;
    return typeof found === 'string' ? found : undefined;
  } catch {
    // Not JSON: whoever reads the manifest says so.
    return undefined;
  }
}
