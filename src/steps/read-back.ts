import { ActionError } from '../errors.ts';
import { isIndex } from '../image/media-types.ts';
import type { PlatformImage, PushedImage } from '../image/plan.ts';
import { childrenOf, platformName, readImageManifest } from '../image/pushed.ts';
import type { Job } from '../job.ts';
import type { Manifest } from '../systems/ecr.ts';
import type { Registry } from '../systems/registry.ts';
import { poll } from '../wait.ts';
import type { Destination } from './destination.ts';

/** An image in the repository with its manifest's exact bytes, which moving tags are put with. */
export interface InRepository {
  readonly image: PushedImage;
  readonly manifest: Manifest;
}

/**
 * Reads from the repository what was `pushed` (a digest): its manifest and each platform's, by
 * digest, since ECR may convert what is read by tag.
 *
 * @throws ActionError when the digest does not appear within half a minute (ECR's reads may lag
 *   behind a push).
 */
export async function readBack(
  { ecr, repository }: Pick<Destination, 'ecr' | 'repository'>,
  registry: Registry,
  pushed: string,
  { clock, signal }: Pick<Job, 'clock' | 'signal'>,
): Promise<InRepository> {
  const { name, uri } = repository;
  const fetch = (digest: string) =>
    poll(() => ecr.manifest(name, digest), {
      what: `${uri}@${digest} to be readable after its push`,
      hint: 'Look whether a lifecycle rule or somebody else removed the image.',
      interval: 500,
      longestInterval: 4000,
      timeout: 30_000,
      signal,
      clock,
    });

  const manifest = await fetch(pushed);
  const platform = async (child: Manifest): Promise<PlatformImage> => {
    const { configDigest, layerMediaTypes, bytes } = readImageManifest(child);
    const config = JSON.parse(await registry.blob(uri, configDigest)) as {
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
    throw new ActionError(`The index ${uri}@${pushed} lists no image.`);
  }
  const platforms = index
    ? await Promise.all(children.map(async ({ digest }) => platform(await fetch(digest))))
    : [await platform(manifest)];
  return {
    manifest,
    image: {
      repository: uri,
      digest: pushed,
      mediaType: manifest.mediaType,
      index,
      platforms,
    },
  };
}
