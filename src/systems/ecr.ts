import { createHash } from 'node:crypto';
import type {
  ECRClient,
  ImageFailure,
  ImageIdentifier,
  Repository as EcrRepository,
} from '@aws-sdk/client-ecr';
import { ActionError, asError } from '../errors.ts';
import { clientConfig, type AwsCredentialsProvider } from './aws-clients.ts';
import { explainAws, isAwsError } from './aws-errors.ts';

/** A manifest exactly as stored: `body`'s UTF-8 bytes hash to `digest`. */
export interface Manifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly body: string;
}

export interface RegistryLogin {
  /** Host (and port) without scheme: `123456789012.dkr.ecr.eu-west-1.amazonaws.com`. */
  readonly host: string;
  /** With scheme: AWS's `proxyEndpoint`. */
  readonly endpoint: string;
  readonly username: string;
  /** Masked where it was obtained. */
  readonly password: string;
  readonly expiresAt: Date | undefined;
}

export interface Repository {
  readonly name: string;
  readonly arn: string;
  /** `host/name`, as AWS returns it. */
  readonly uri: string;
  readonly registryId: string;
  /** Whether a tag that exists can't be moved: by mutability and its exclusion filters. */
  readonly mutability: string;
  readonly exclusionFilters: readonly string[];
}

/**
 * Whether `tag`, once it exists, can't be moved. Filters (`*` stands for any characters) name the
 * tags that the kind of mutability does not hold for.
 */
export function tagIsFixed(
  { mutability, exclusionFilters }: Pick<Repository, 'mutability' | 'exclusionFilters'>,
  tag: string,
): boolean {
  const excluded = exclusionFilters.some((filter) => {
    const parts = filter.split('*').map((part) => part.replaceAll(/[^\w-]/g, String.raw`\$&`));
    return new RegExp(`^${parts.join('.*')}$`).test(tag);
  });
  if (mutability === 'IMMUTABLE') return true;
  if (mutability === 'IMMUTABLE_WITH_EXCLUSION') return !excluded;
  return mutability === 'MUTABLE_WITH_EXCLUSION' && excluded;
}

/** A tag that exists is at another digest, and the repository's mutability pins it there. */
export class TagImmutableError extends ActionError {
  override readonly name = 'TagImmutableError';
  readonly tag: string;
  /** Where the tag is; undefined when it could not be read back. */
  readonly digest: string | undefined;

  constructor(
    message: string,
    options: { tag: string; digest: string | undefined; hint: string; cause: Error },
  ) {
    super(message, { cause: options.cause, hint: options.hint });
    this.tag = options.tag;
    this.digest = options.digest;
  }
}

/** Amazon ECR's control plane, in this project's words. Throws ActionError with hint (IAM statement). */
export interface Ecr {
  login(signal?: AbortSignal): Promise<RegistryLogin>;
  /** Undefined: no such repository. */
  repository(name: string): Promise<Repository | undefined>;
  createRepository(name: string): Promise<Repository>;
  /** Digests of those `tags` that exist; asked 100 at a time. */
  tagDigests(repository: string, tags: readonly string[]): Promise<Map<string, string>>;
  /** Exact manifest of a digest (all four media types accepted), or undefined. */
  manifest(repository: string, digest: string): Promise<Manifest | undefined>;
  /**
   * Points `tag` at `manifest`. The same digest already there is success.
   * @throws TagImmutableError when the tag is at another digest and can't be moved.
   */
  putTag(repository: string, tag: string, manifest: Manifest): Promise<void>;
  /** Removes tags; missing ones are fine. Images that lose their last tag are removed by ECR. */
  deleteTags(repository: string, tags: readonly string[]): Promise<void>;
  /** All tags on a digest. */
  tagsOf(repository: string, digest: string): Promise<readonly string[]>;
  /** Tag → digest of every tag that starts with `prefix`; 1,000 images a request. */
  tagged(repository: string, prefix: string): Promise<ReadonlyMap<string, string>>;
  /** Text of the lifecycle policy, or undefined when there is none or it may not be read. */
  lifecyclePolicy(repository: string): Promise<string | undefined>;
}

export interface EcrOptions {
  readonly region: string;
  readonly credentials: AwsCredentialsProvider;
  /** Account of the registry when it is not the caller's own. */
  readonly registryId?: string | undefined;
  /** Host to log in to when the repository was given as a full URI; default: AWS's `proxyEndpoint`. */
  readonly registryHost?: string | undefined;
  /** Hides the login's password in the log. */
  readonly mask: (secret: string) => void;
  readonly notice: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** All formats of an image or index, so that ECR converts nothing. */
const mediaTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/**
 * What a repository made by this action expires. Images that a tagged index lists are not expired
 * by ECR, nor is anything that has a tag.
 */
const untaggedExpire = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      description: 'Untagged images after 14 days',
      selection: {
        tagStatus: 'untagged',
        countType: 'sinceImagePushed',
        countUnit: 'days',
        countNumber: 14,
      },
      action: { type: 'expire' },
    },
  ],
});

type Sdk = typeof import('@aws-sdk/client-ecr');

/** Connects to ECR. The SDK is loaded at the first use, because loading it takes a while. */
export function connectEcr(options: EcrOptions): Ecr {
  const { region, registryId } = options;
  const registry = registryId === undefined ? {} : { registryId };
  let connected: Promise<{ client: ECRClient; sdk: Sdk }> | undefined;
  const connect = () =>
    (connected ??= import('@aws-sdk/client-ecr').then((sdk) => ({
      sdk,
      client: new sdk.ECRClient(clientConfig(options)),
    })));
  const control = options.signal === undefined ? {} : { abortSignal: options.signal };
  const resource = (name: string) => `arn:aws:ecr:${region}:${registryId ?? '*'}:repository/${name}`;

  /** Explains what `work` throws, a missing repository included. */
  const ask = async <T>(
    name: string,
    doing: string,
    action: string,
    work: (client: ECRClient, sdk: Sdk) => Promise<T>,
  ): Promise<T> => {
    const { client, sdk } = await connect();
    try {
      return await work(client, sdk);
    } catch (error) {
      if (isAwsError(error, 'RepositoryNotFoundException')) throw noRepository(name, region, error);
      throw explainAws(error, { doing, action, resource: resource(name), region });
    }
  };

  const batchGet = (repository: string, imageIds: ImageIdentifier[]) =>
    ask(repository, `Reading images of ECR repository "${repository}"`, 'ecr:BatchGetImage', (client, sdk) =>
      client.send(
        new sdk.BatchGetImageCommand({
          ...registry,
          repositoryName: repository,
          imageIds,
          acceptedMediaTypes: mediaTypes,
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
      for (const tag of await lookUp(repository, chunk, found)) await lookUp(repository, [tag], found);
    }
    return found;
  };

  const repository: Ecr['repository'] = async (name) => {
    const { client, sdk } = await connect();
    try {
      const answer = await client.send(
        new sdk.DescribeRepositoriesCommand({ ...registry, repositoryNames: [name] }),
        control,
      );
      const [found] = answer.repositories ?? [];
      return found === undefined ? undefined : view(found);
    } catch (error) {
      if (isAwsError(error, 'RepositoryNotFoundException')) return undefined;
      throw explainAws(error, {
        doing: `Looking for ECR repository "${name}"`,
        action: 'ecr:DescribeRepositories',
        resource: resource(name),
        region,
      });
    }
  };

  return {
    repository,
    tagDigests,

    login: async (signal) => {
      const { client, sdk } = await connect();
      const answer = await client
        .send(
          new sdk.GetAuthorizationTokenCommand({}),
          signal === undefined ? control : { abortSignal: signal },
        )
        .catch((error: unknown) => {
          throw explainAws(error, {
            doing: 'The ECR login',
            action: 'ecr:GetAuthorizationToken',
            resource: '*',
            region,
          });
        });
      const [data] = answer.authorizationData ?? [];
      const [username = '', password = ''] = Buffer.from(data?.authorizationToken ?? '', 'base64')
        .toString()
        .split(/:(.*)/s);
      if (data?.proxyEndpoint === undefined || password === '') {
        throw new ActionError('ECR answered the login without a token.');
      }
      options.mask(password);
      options.mask(data.authorizationToken ?? '');
      const { registryHost } = options;
      const endpoint = registryHost === undefined ? data.proxyEndpoint : `https://${registryHost}`;
      return {
        host: registryHost ?? new URL(data.proxyEndpoint).host,
        endpoint,
        username,
        password,
        expiresAt: data.expiresAt,
      };
    },

    createRepository: async (name) => {
      const { client, sdk } = await connect();
      // Every tag stays movable: a re-run pushes the tag of its commit again, and moving tags and
      // caches live in the same repository. Who wants run tags pinned sets a filter afterwards.
      const made = await client
        .send(
          new sdk.CreateRepositoryCommand({
            ...registry,
            repositoryName: name,
            imageTagMutability: 'MUTABLE',
          }),
          control,
        )
        .catch((error: unknown) => {
          // Another run was quicker.
          if (isAwsError(error, 'RepositoryAlreadyExistsException')) return undefined;
          throw explainAws(error, {
            doing: `Creating ECR repository "${name}"`,
            action: 'ecr:CreateRepository',
            resource: resource(name),
            region,
          });
        });
      if (made?.repository === undefined) {
        const existing = await repository(name);
        if (existing !== undefined) return existing;
        throw new ActionError(`ECR repository "${name}" was there and is gone again.`);
      }
      await client
        .send(
          new sdk.PutLifecyclePolicyCommand({
            ...registry,
            repositoryName: name,
            lifecyclePolicyText: untaggedExpire,
          }),
          control,
        )
        .catch((error: unknown) => {
          // The repository works without: untagged images only stay.
          options.notice(
            `ECR repository "${name}" was created without a lifecycle policy, so untagged images are kept for ever (${asError(error).message}). ecr:PutLifecyclePolicy allows it.`,
          );
        });
      return view(made.repository);
    },

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

    putTag: async (name, tag, manifest) => {
      const { client, sdk } = await connect();
      try {
        await client.send(
          new sdk.PutImageCommand({
            ...registry,
            repositoryName: name,
            imageManifest: manifest.body,
            imageManifestMediaType: manifest.mediaType,
            imageDigest: manifest.digest,
            imageTag: tag,
          }),
          control,
        );
      } catch (error) {
        // This tag is at this digest: also what the SDK's own retry finds after a lost answer.
        if (isAwsError(error, 'ImageAlreadyExistsException')) return;
        if (isAwsError(error, 'ImageTagAlreadyExistsException')) {
          const there = (await tagDigests(name, [tag])).get(tag);
          if (there === manifest.digest) return;
          throw new TagImmutableError(
            `Tag "${tag}" of ECR repository "${name}" is at ${there ?? 'another image'} and can't be moved to ${manifest.digest}: the repository makes it immutable.`,
            {
              tag,
              digest: there,
              cause: asError(error),
              hint: `Let the repository's tag mutability exclude "${tag}" (IMMUTABLE_WITH_EXCLUSION with a filter), or choose another tag.`,
            },
          );
        }
        throw explainPut(error, name, tag, manifest.digest, { region, resource: resource(name) });
      }
    },

    deleteTags: async (name, tags) => {
      for (const chunk of chunks([...new Set(tags)], 100)) {
        const { failures = [] } = await ask(
          name,
          `Removing tags of ECR repository "${name}"`,
          'ecr:BatchDeleteImage',
          (client, sdk) =>
            client.send(
              new sdk.BatchDeleteImageCommand({
                ...registry,
                repositoryName: name,
                imageIds: chunk.map((imageTag) => ({ imageTag })),
              }),
              control,
            ),
        );
        refuseOther(failures, name);
      }
    },

    tagsOf: async (name, digest) => {
      const { imageDetails = [] } = await ask(
        name,
        `Reading the tags of ${name}@${digest}`,
        'ecr:DescribeImages',
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
          `Listing the tags of ECR repository "${name}"`,
          'ecr:DescribeImages',
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

    lifecyclePolicy: async (name) => {
      const { client, sdk } = await connect();
      try {
        const answer = await client.send(
          new sdk.GetLifecyclePolicyCommand({ ...registry, repositoryName: name }),
          control,
        );
        return answer.lifecyclePolicyText;
      } catch (error) {
        // The policy only serves a warning: without the permission there is none to give.
        if (isAwsError(error, 'LifecyclePolicyNotFoundException', 'AccessDeniedException')) {
          return undefined;
        }
        throw explainAws(error, {
          doing: `Reading the lifecycle policy of ECR repository "${name}"`,
          action: 'ecr:GetLifecyclePolicy',
          resource: resource(name),
          region,
        });
      }
    },
  };
}

function view(found: EcrRepository): Repository {
  return {
    name: found.repositoryName ?? '',
    arn: found.repositoryArn ?? '',
    uri: found.repositoryUri ?? '',
    registryId: found.registryId ?? '',
    mutability: found.imageTagMutability ?? 'MUTABLE',
    exclusionFilters: (found.imageTagMutabilityExclusionFilters ?? []).map(
      ({ filter }) => filter ?? '',
    ),
  };
}

function noRepository(name: string, region: string, cause: unknown): ActionError {
  return new ActionError(`There is no ECR repository "${name}" in Region ${region}.`, {
    cause: asError(cause),
    hint: 'Check `repository` and `aws-region`, create the repository, or set `create-repository: true`.',
  });
}

/** A missing image is an answer; any other failure of a batch is an error. */
function refuseOther(failures: readonly ImageFailure[], repository: string): void {
  const other = failures.find(({ failureCode }) => failureCode !== 'ImageNotFound');
  if (other === undefined) return;
  const image = other.imageId?.imageTag ?? other.imageId?.imageDigest ?? '?';
  throw new ActionError(
    `ECR could not handle "${image}" of repository "${repository}": ${other.failureCode}.`,
    { block: other.failureReason },
  );
}

function explainPut(
  error: unknown,
  name: string,
  tag: string,
  digest: string,
  { region, resource }: { region: string; resource: string },
): Error {
  if (isAwsError(error, 'RepositoryNotFoundException')) return noRepository(name, region, error);
  const doing = `Moving tag "${tag}" of ECR repository "${name}" to ${digest}`;
  if (isAwsError(error, 'LimitExceededException')) {
    return new ActionError(`${doing} failed: a quota of ECR is used up.`, {
      cause: asError(error),
      hint: 'One image can have 1,000 tags, a repository 100,000 images: remove tags that nobody needs, or add a lifecycle policy.',
    });
  }
  if (isAwsError(error, 'LayersNotFoundException', 'ReferencedImagesNotFoundException')) {
    return new ActionError(`${doing} failed: parts of the image are not in the repository.`, {
      cause: asError(error),
      hint: 'A lifecycle policy or somebody removed them. Run the job again with `skip-unchanged: false`, which builds and pushes anew.',
    });
  }
  return explainAws(error, { doing, action: 'ecr:PutImage', resource, region });
}

function mediaTypeOf(manifest: string): string {
  const { mediaType } = JSON.parse(manifest) as { mediaType?: string };
  return mediaType ?? 'application/vnd.oci.image.manifest.v1+json';
}

function* chunks<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size);
}
