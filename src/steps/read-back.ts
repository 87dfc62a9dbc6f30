import { ActionError } from '../errors.ts';
import { isIndex } from '../image/media-types.ts';
import type { PlatformImage, PushedImage } from '../image/plan.ts';
import { childrenOf, platformName, readImageManifest } from '../image/pushed.ts';
import type { Ecr, Manifest } from '../systems/ecr.ts';
import type { Registry } from '../systems/registry.ts';
import { poll, type Clock } from '../wait.ts';

/** An image in the repository with its manifest's exact bytes, which moving tags are put with. */
export interface InRepository {
  readonly image: PushedImage;
  readonly manifest: Manifest;
}

/**
 * Reads from the repository what is there under `digest`: its manifest and each platform's, by
 * digest, since ECR may convert what is read by tag.
 *
 * @throws ActionError when the digest does not appear within half a minute (ECR's reads may lag
 *   behind a push).
 */
export async function readBack(
  at: { readonly repository: string; readonly uri: string; readonly digest: string },
  systems: { readonly ecr: Ecr; readonly registry: Registry; readonly clock: Clock },
  signal?: AbortSignal,
): Promise<InRepository> {
  const { ecr, registry, clock } = systems;
  const fetch = (digest: string) =>
    poll(() => ecr.manifest(at.repository, digest), {
      what: `${at.uri}@${digest} to be readable after its push`,
      hint: 'Look whether a lifecycle rule or somebody else removed the image.',
      interval: 500,
      longestInterval: 4000,
      timeout: 30_000,
      signal,
      clock,
    });

  const manifest = await fetch(at.digest);
  const platform = async (child: Manifest): Promise<PlatformImage> => {
    const { configDigest, layerMediaTypes, bytes } = readImageManifest(child);
    const config = JSON.parse(await registry.blob(at.uri, configDigest)) as {
      os?: string;
      architecture?: string;
      variant?: string;
    };
    return {
      platform: platformName(config),
      architecture: config.architecture ?? 'unknown',
      digest: child.digest,
      mediaType: child.mediaType,
      layerMediaTypes,
      bytes,
    };
  };
  const index = isIndex(manifest.mediaType);
  const children = index ? childrenOf(manifest) : [];
  if (index && children.length === 0) {
    throw new ActionError(`The index ${at.uri}@${at.digest} lists no image.`);
  }
  const platforms = index
    ? await Promise.all(children.map(async ({ digest }) => platform(await fetch(digest))))
    : [await platform(manifest)];
  return {
    manifest,
    image: {
      repository: at.uri,
      digest: at.digest,
      mediaType: manifest.mediaType,
      index,
      platforms,
    },
  };
}
