import { randomBytes } from 'node:crypto';
import { Refused, type Images, type StoredImage, type StoredRepository } from './images.ts';
import { convert } from './convert.ts';
import type { ImageId, Input } from './ecr-input.ts';
import type { Identity } from './identity.ts';
import type { AwsHost, ErrorForm, Service, ServiceRequest, ServiceResponse } from './service.ts';

const target = 'AmazonEC2ContainerRegistry_V20150921.';

/** Errors of AWS's JSON 1.1 protocol. */
export const jsonError: ErrorForm = (status, code, message) => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': requestId() },
  body: JSON.stringify({ __type: code, message }),
});

export function requestId(): string {
  return randomBytes(8).toString('hex');
}

/** A login for the registry front. */
export interface Token {
  readonly caller: Identity;
  expired: boolean;
}

/** ECR's JSON API over `images`. */
export function createEcrApi(
  host: AwsHost,
  images: Images,
  options: {
    tokens: Map<string, Token>;
    caller: (request: ServiceRequest) => Identity;
    oneEntryPerImage: () => boolean;
  },
): Service {
  const { account, region } = host;

  const named = (input: Input): StoredRepository => {
    const name = input.repositoryName ?? '';
    const repository = images.repositories.get(name);
    if (repository !== undefined) return repository;
    throw new Refused(
      'RepositoryNotFoundException',
      `The repository with name '${name}' does not exist in the registry with id '${account}'`,
    );
  };

  const locate = (repository: StoredRepository, id: ImageId): StoredImage | undefined => {
    const byTag = id.imageTag === undefined ? undefined : repository.tags.get(id.imageTag);
    if (id.imageTag !== undefined && id.imageDigest !== undefined && byTag !== id.imageDigest) {
      return undefined;
    }
    const digest = id.imageDigest ?? byTag;
    return digest === undefined ? undefined : repository.images.get(digest);
  };

  const ids = (input: Input, most: number): ImageId[] => {
    const list = input.imageIds ?? [];
    if (list.length === 0 || list.length > most) {
      throw new Refused(
        'InvalidParameterException',
        `Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to ${most}, and at least 1'`,
      );
    }
    return list;
  };

  const notFound = (imageId: ImageId) => ({
    imageId,
    failureCode: 'ImageNotFound',
    failureReason: 'Requested image not found',
  });

  const describe = (repository: StoredRepository) => ({
    repositoryArn: `arn:aws:ecr:${region}:${account}:repository/${repository.name}`,
    registryId: account,
    repositoryName: repository.name,
    repositoryUri: `${host.registryHost}/${repository.name}`,
    createdAt: repository.createdAt / 1000,
    imageTagMutability: repository.mutability,
    imageTagMutabilityExclusionFilters: repository.filters.map((filter) => ({
      filterType: 'WILDCARD',
      filter,
    })),
  });

  const operations: Record<
    string,
    (input: Input, request: ServiceRequest) => object | Promise<object>
  > = {
    GetAuthorizationToken: (_input, request) => {
      const password = randomBytes(48).toString('base64');
      options.tokens.set(password, { caller: options.caller(request), expired: false });
      return {
        authorizationData: [
          {
            authorizationToken: Buffer.from(`AWS:${password}`).toString('base64'),
            expiresAt: Date.now() / 1000 + 12 * 3600,
            proxyEndpoint: host.url,
          },
        ],
      };
    },
    DescribeRepositories: (input) => ({
      repositories: (input.repositoryNames ?? [...images.repositories.keys()]).map((name) =>
        describe(named({ repositoryName: name })),
      ),
    }),
    CreateRepository: (input) => {
      const name = input.repositoryName ?? '';
      const form = '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*';
      if (name.length < 2 || !new RegExp(`^${form}$`).test(name)) {
        throw new Refused(
          'InvalidParameterException',
          `Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '${form}''`,
        );
      }
      if (images.repositories.has(name)) {
        throw new Refused(
          'RepositoryAlreadyExistsException',
          `The repository with name '${name}' already exists in the registry with id '${account}'`,
        );
      }
      const repository = images.create(
        name,
        input.imageTagMutability,
        input.imageTagMutabilityExclusionFilters?.map(({ filter }) => filter),
      );
      for (const { Key, Value } of input.tags ?? []) repository.resourceTags.set(Key, Value);
      return { repository: describe(repository) };
    },
    TagResource: (input) => {
      const repository = named({
        repositoryName: input.resourceArn?.split(':repository/')[1] ?? '',
      });
      for (const { Key, Value } of input.tags ?? []) repository.resourceTags.set(Key, Value);
      return {};
    },
    BatchGetImage: (input) => {
      const repository = named(input);
      const found: object[] = [];
      const failures: object[] = [];
      const seen = new Set<string>();
      for (const id of ids(input, 100)) {
        const image = locate(repository, id);
        if (image === undefined) {
          failures.push(notFound(id));
          continue;
        }
        if (options.oneEntryPerImage() && seen.has(image.digest)) continue;
        seen.add(image.digest);
        // A read by tag converts Docker ↔ OCI where the caller does not accept what is stored; a
        // read by digest never does.
        const shown =
          id.imageDigest === undefined ? convert(image, input.acceptedMediaTypes) : image;
        found.push({
          registryId: account,
          repositoryName: repository.name,
          imageId: { imageDigest: image.digest, ...(id.imageTag && { imageTag: id.imageTag }) },
          imageManifest: shown.manifest,
          imageManifestMediaType: shown.mediaType,
        });
      }
      return { images: found, failures };
    },
    PutImage: async (input) => {
      const repository = named(input);
      const manifest = input.imageManifest ?? '';
      const mediaType = input.imageManifestMediaType ?? mediaTypeOf(manifest);
      const image = await images.put(repository, {
        manifest,
        mediaType,
        tag: input.imageTag,
        digest: input.imageDigest,
      });
      return {
        image: {
          registryId: account,
          repositoryName: repository.name,
          imageId: {
            imageDigest: image.digest,
            ...(input.imageTag && { imageTag: input.imageTag }),
          },
          imageManifest: manifest,
          imageManifestMediaType: mediaType,
        },
      };
    },
    BatchDeleteImage: (input) => {
      const repository = named(input);
      const imageIds: ImageId[] = [];
      const failures: object[] = [];
      for (const id of ids(input, 100)) {
        const image = locate(repository, id);
        if (image === undefined) {
          failures.push(notFound(id));
        } else if (id.imageTag !== undefined) {
          images.untag(repository, id.imageTag);
          imageIds.push({ imageDigest: image.digest, imageTag: id.imageTag });
        } else {
          const parents = images.parents(repository, image.digest);
          if (parents.length > 0) {
            failures.push({
              imageId: id,
              failureCode: 'ImageReferencedByManifestList',
              failureReason: `Requested image referenced by manifest list: [${parents.join(', ')}]`,
            });
            continue;
          }
          for (const imageTag of images.tagsOf(repository, image.digest)) {
            imageIds.push({ imageDigest: image.digest, imageTag });
          }
          images.remove(repository, image.digest);
        }
      }
      return { imageIds, failures };
    },
    DescribeImages: (input) => {
      const repository = named(input);
      const all = [...repository.images.keys()].filter((digest) => {
        const untagged = images.tagsOf(repository, digest).length === 0;
        return input.filter?.tagStatus !== (untagged ? 'TAGGED' : 'UNTAGGED');
      });
      const start = Number(input.nextToken ?? 0);
      const end = start + (input.maxResults ?? 100);
      const wanted: ImageId[] =
        input.imageIds ?? all.slice(start, end).map((imageDigest) => ({ imageDigest }));
      const more = input.imageIds === undefined && end < all.length;
      return {
        imageDetails: wanted.map((id) => {
          const image = locate(repository, id);
          if (image === undefined) {
            throw new Refused(
              'ImageNotFoundException',
              `The image with imageId {imageDigest:'${id.imageDigest ?? 'null'}', imageTag:'${id.imageTag ?? 'null'}'} does not exist within the repository with name '${repository.name}' in the registry with id '${account}'`,
            );
          }
          const imageTags = images.tagsOf(repository, image.digest);
          return {
            registryId: account,
            repositoryName: repository.name,
            imageDigest: image.digest,
            ...(imageTags.length > 0 && { imageTags }),
            imageSizeInBytes: Buffer.byteLength(image.manifest),
            imagePushedAt: image.pushedAt / 1000,
            imageManifestMediaType: image.mediaType,
          };
        }),
        ...(more && { nextToken: String(end) }),
      };
    },
    ListImages: (input) => {
      const repository = named(input);
      const all: ImageId[] = [...repository.images.keys()].flatMap((imageDigest) => {
        const tags = images.tagsOf(repository, imageDigest);
        if (tags.length === 0) return input.filter?.tagStatus === 'TAGGED' ? [] : [{ imageDigest }];
        return input.filter?.tagStatus === 'UNTAGGED'
          ? []
          : tags.map((imageTag) => ({ imageDigest, imageTag }));
      });
      const start = Number(input.nextToken ?? 0);
      const end = start + (input.maxResults ?? 100);
      return {
        imageIds: all.slice(start, end),
        ...(end < all.length && { nextToken: String(end) }),
      };
    },
    GetLifecyclePolicy: (input) => {
      const repository = named(input);
      if (repository.lifecyclePolicy === undefined) {
        throw new Refused(
          'LifecyclePolicyNotFoundException',
          `Lifecycle policy does not exist for the repository with name '${repository.name}' in the registry with id '${account}'`,
        );
      }
      return policyAnswer(repository);
    },
    PutLifecyclePolicy: (input) => {
      const repository = named(input);
      repository.lifecyclePolicy = input.lifecyclePolicyText;
      return policyAnswer(repository);
    },
    GetDownloadUrlForLayer: (input) => ({
      downloadUrl: `${host.url}/-layers/${named(input).name}/${input.layerDigest}`,
      layerDigest: input.layerDigest,
    }),
  };

  const policyAnswer = (repository: StoredRepository) => ({
    registryId: account,
    repositoryName: repository.name,
    lifecyclePolicyText: repository.lifecyclePolicy,
  });

  const answer = (body: object): ServiceResponse => ({
    status: 200,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': requestId() },
    body: JSON.stringify(body),
  });

  return {
    name: 'ecr',
    handles: ({ headers }) => headers['x-amz-target']?.startsWith(target) === true,
    handle: (request) => {
      const name = (request.headers['x-amz-target'] ?? '').slice(target.length);
      const operation = operations[name];
      if (operation === undefined) {
        return Promise.resolve(jsonError(400, 'UnknownOperationException', ''));
      }
      const input = JSON.parse(request.body.toString() || '{}') as Input;
      const repository = input.repositoryName ?? input.repositoryNames?.[0];
      const resource =
        name === 'GetAuthorizationToken'
          ? '*'
          : `arn:aws:ecr:${region}:${account}:repository/${repository ?? '*'}`;
      return host.call({ action: `ecr:${name}`, resource, request, error: jsonError }, async () => {
        try {
          return answer(await operation(input, request));
        } catch (error) {
          if (error instanceof Refused) return jsonError(400, error.code, error.message);
          throw error;
        }
      });
    },
  };
}

function mediaTypeOf(manifest: string): string {
  const { mediaType } = JSON.parse(manifest) as { mediaType?: string };
  return mediaType ?? 'application/vnd.oci.image.manifest.v1+json';
}
