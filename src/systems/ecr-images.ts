import { createHash } from 'node:crypto';
import type { ImageIdentifier } from '@aws-sdk/client-ecr';
import { ActionError } from '../errors.ts';
import { MANIFEST_TYPES } from '../image/media-types.ts';
import { isAwsError } from './aws-errors.ts';
import type { EcrConnection } from './ecr-connection.ts';
import { refuseOther } from './ecr-errors.ts';
import type { Ecr } from './ecr.ts';

/** The reads of the port: which tag is where, and exact manifests. */
export function readImages({
  registry,
  control,
  ask,
}: EcrConnection): Pick<Ecr, 'tagDigests' | 'manifest' | 'tagsOf' | 'tagged'> {
  const batchGet = (repository: string, imageIds: ImageIdentifier[]) =>
    ask(
      repository,
      { doing: `Reading images of ECR repository "${repository}"`, action: 'ecr:BatchGetImage' },
      (client, sdk) =>
        client.send(
          new sdk.BatchGetImageCommand({
            ...registry,
            repositoryName: repository,
            imageIds,
            acceptedMediaTypes: [...MANIFEST_TYPES],
          }),
          control,
        ),
    );

  /** Tags of one request that exist, and those that ECR said nothing about. */
  const lookUp = async (repository: string, tags: readonly string[], into: Map<string, string>) => {
    const { images = [], failures = [] } = await batchGet(
      repository,
      tags.map((imageTag) => ({ imageTag })),
    );
    refuseOther(failures, repository);
    const answered = new Set(failures.map(({ imageId }) => imageId?.imageTag));
    for (const { imageId } of images) {
      if (imageId?.imageTag === undefined || imageId.imageDigest === undefined) continue;
      into.set(imageId.imageTag, imageId.imageDigest);
      answered.add(imageId.imageTag);
    }
    return tags.filter((tag) => !answered.has(tag));
  };

  const tagDigests: Ecr['tagDigests'] = async (repository, tags) => {
    const found = new Map<string, string>();
    for (const chunk of chunks([...new Set(tags)], 100)) {
      // Nothing says that two tags of one image get an entry each: those left out are asked alone.
      for (const tag of await lookUp(repository, chunk, found))
        await lookUp(repository, [tag], found);
    }
    return found;
  };

  return {
    tagDigests,

    manifest: async (name, digest) => {
      const { images = [], failures = [] } = await batchGet(name, [{ imageDigest: digest }]);
      refuseOther(failures, name);
      const [image] = images;
      if (image?.imageManifest === undefined) return undefined;
      const actual = `sha256:${createHash('sha256').update(image.imageManifest).digest('hex')}`;
      if (actual !== digest) {
        throw new ActionError(
          `ECR returned a manifest of ${actual} for ${name}@${digest}: it can't be used.`,
        );
      }
      return {
        digest,
        body: image.imageManifest,
        mediaType: image.imageManifestMediaType ?? mediaTypeOf(image.imageManifest),
      };
    },

    tagsOf: async (name, digest) => {
      const { imageDetails = [] } = await ask(
        name,
        { doing: `Reading the tags of ${name}@${digest}`, action: 'ecr:DescribeImages' },
        (client, sdk) =>
          client
            .send(
              new sdk.DescribeImagesCommand({
                ...registry,
                repositoryName: name,
                imageIds: [{ imageDigest: digest }],
              }),
              control,
            )
            .catch((error: unknown) => {
              if (isAwsError(error, 'ImageNotFoundException')) return { imageDetails: [] };
              throw error;
            }),
      );
      return imageDetails[0]?.imageTags ?? [];
    },

    tagged: async (name, prefix) => {
      const found = new Map<string, string>();
      let nextToken: string | undefined;
      do {
        const page = await ask(
          name,
          { doing: `Listing the tags of ECR repository "${name}"`, action: 'ecr:DescribeImages' },
          (client, sdk) =>
            client.send(
              new sdk.DescribeImagesCommand({
                ...registry,
                repositoryName: name,
                filter: { tagStatus: 'TAGGED' },
                maxResults: 1000,
                ...(nextToken !== undefined && { nextToken }),
              }),
              control,
            ),
        );
        for (const { imageDigest, imageTags = [] } of page.imageDetails ?? []) {
          for (const tag of imageTags) {
            if (imageDigest !== undefined && tag.startsWith(prefix)) found.set(tag, imageDigest);
          }
        }
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return found;
    },
  };
}

function mediaTypeOf(manifest: string): string {
  const { mediaType } = JSON.parse(manifest) as { mediaType?: string };
  return mediaType ?? 'application/vnd.oci.image.manifest.v1+json';
}

/** `all` in pieces of at most `size`. */
export function* chunks<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size);
}
