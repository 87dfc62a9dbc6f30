import { ActionError } from '../errors.ts';
import { isIndex } from './media-types.ts';

/** A child of an index that is a real image (an attestation's platform is `unknown/unknown`). */
export interface Child {
  readonly digest: string;
  readonly platform: string;
}

/** The parts of an image manifest that later steps ask about. */
export interface ImageManifest {
  readonly configDigest: string;
  readonly layerMediaTypes: readonly string[];
  /** Compressed bytes of the layers. */
  readonly bytes: number;
}

interface Descriptor {
  mediaType?: string;
  digest?: string;
  size?: number;
  platform?: { os?: string; architecture?: string; variant?: string };
}

/**
 * Images in an index, in its order. BuildKit marks attestations with the platform `unknown/unknown`
 * (its attestation storage format).
 */
export function childrenOf(index: { digest: string; body: string }): readonly Child[] {
  return descriptors(parse(index), 'manifests').flatMap(({ digest, platform }) => {
    if (digest === undefined || platform?.os === 'unknown') return [];
    return [{ digest, platform: platformName(platform ?? {}) }];
  });
}

/** @throws ActionError when it is an index or no manifest at all. */
export function readImageManifest(manifest: {
  digest: string;
  mediaType: string;
  body: string;
}): ImageManifest {
  const value = parse(manifest);
  const config = value['config'] as Descriptor | undefined;
  if (isIndex(manifest.mediaType) || config?.digest === undefined) {
    throw new ActionError(
      `${manifest.digest} is no image manifest but ${manifest.mediaType || 'of an unknown type'}.`,
    );
  }
  const layers = descriptors(value, 'layers');
  return {
    configDigest: config.digest,
    layerMediaTypes: layers.map(({ mediaType }) => mediaType ?? ''),
    bytes: layers.reduce((sum, { size }) => sum + (size ?? 0), 0),
  };
}

/** `linux/arm64/v8` of an image's config or of a descriptor's platform. */
export function platformName(platform: {
  os?: string;
  architecture?: string;
  variant?: string;
}): string {
  return [platform.os ?? 'linux', platform.architecture ?? 'unknown', platform.variant]
    .filter((part) => part !== undefined && part !== '')
    .join('/');
}

function parse(manifest: { digest: string; body: string }): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(manifest.body);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw new ActionError(`The manifest ${manifest.digest} is not JSON.`, { cause: error });
  }
  throw new ActionError(`The manifest ${manifest.digest} is not an object.`);
}

function descriptors(value: Record<string, unknown>, key: string): readonly Descriptor[] {
  const list = value[key];
  return Array.isArray(list) ? (list as Descriptor[]) : [];
}
