import { readImageName, type ImageName } from '../dockerfile/image-name.ts';
import { platformText, shortest, type Platform } from '../dockerfile/platform.ts';
import { Undecidable } from '../dockerfile/undecidable.ts';

/** What a build takes from an image it starts from or copies from. */
export interface BaseImage {
  /** Changes whenever the image of the wanted platform does. */
  readonly digest: string;
  /** `NAME=value` each. */
  readonly env: readonly string[];
  /** Instructions that run in each build `FROM` it. */
  readonly onbuild: readonly string[];
}

/** What is asked of registries; src/systems/registry.ts is one. */
export interface ManifestSource {
  manifest(
    image: string,
    reference: string,
  ): Promise<{ digest: string; mediaType: string; body: string } | undefined>;
  blob(image: string, digest: string): Promise<string>;
}

/** An image in the Docker on this machine. */
export interface LocalImage {
  readonly id: string;
  readonly platform: string;
  readonly env: readonly string[];
  readonly onbuild: readonly string[];
}

/** Looks an image up in the local Docker; undefined: not there. */
export type LocalImages = (reference: string) => Promise<LocalImage | undefined>;

/**
 * Finds base images, each asked for once. With `local`, as buildx's docker driver does: an image
 * that is there locally wins over the registry's (it sends `image-resolve-mode=local`).
 */
export function baseImages(
  registry: ManifestSource,
  local?: LocalImages,
): (reference: string, platform: Platform) => Promise<BaseImage> {
  const asked = new Map<string, Promise<BaseImage>>();
  return (reference, platform) => {
    const key = `${reference} ${platformText(platform)}`;
    const before = asked.get(key);
    if (before !== undefined) return before;
    const found = find(reference, platform, registry, local);
    asked.set(key, found);
    return found;
  };
}

async function find(
  reference: string,
  platform: Platform,
  registry: ManifestSource,
  local: LocalImages | undefined,
): Promise<BaseImage> {
  const name = readImageName(reference);
  const here = await local?.(reference);
  if (here === undefined) return remote(name, platform, registry);
  if (here.platform !== platformText(platform)) {
    throw new Undecidable(
      `${reference} is on this machine for ${here.platform}, not for ${platformText(platform)}`,
    );
  }
  return { digest: `local:${here.id}`, env: here.env, onbuild: here.onbuild };
}

async function remote(
  name: ImageName,
  platform: Platform,
  registry: ManifestSource,
): Promise<BaseImage> {
  const what = `the base image ${name.familiar}`;
  const { image } = name;
  const top = await reach(what, () => registry.manifest(image, name.reference));
  const index = parse(top.body, what) as { manifests?: readonly Child[] };
  let manifest = top;
  if (index.manifests !== undefined) {
    const child = index.manifests.find((each) => isFor(each, platform));
    if (child === undefined) {
      throw new Undecidable(`${what} has no manifest of exactly ${platformText(platform)}`);
    }
    manifest = await reach(what, () => registry.manifest(image, child.digest));
  }
  const { config } = parse(manifest.body, what) as { config?: { digest?: string } };
  const configDigest = config?.digest;
  if (configDigest === undefined) throw new Undecidable(`${what} has a manifest without config`);
  const text = await reach(what, () => registry.blob(image, configDigest));
  const { config: settings } = parse(text, what) as {
    config?: { Env?: readonly string[] | null; OnBuild?: readonly string[] | null };
  };
  return {
    digest: manifest.digest,
    env: settings?.Env ?? [],
    onbuild: settings?.OnBuild ?? [],
  };
}

interface Child {
  readonly digest: string;
  readonly platform?: {
    readonly os?: string;
    readonly architecture?: string;
    readonly variant?: string;
  };
}

function isFor({ platform }: Child, wanted: Platform): boolean {
  if (platform?.os === undefined || platform.architecture === undefined) return false;
  const offered = shortest(platform.os, platform.architecture, platform.variant ?? '');
  return platformText(offered) === platformText(wanted);
}

async function reach<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  let found: T | undefined;
  try {
    found = await ask();
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Undecidable(`${what} can't be looked up: ${reason}`, { cause: error });
  }
  if (found === undefined) throw new Undecidable(`${what} is not in its registry`);
  return found;
}

function parse(text: string, what: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below, like any other answer that is no manifest.
  }
  throw new Undecidable(`${what} has a manifest that is not JSON`);
}
