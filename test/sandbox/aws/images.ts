import { createHash, randomBytes } from 'node:crypto';

export interface StoredImage {
  readonly digest: string;
  readonly mediaType: string;
  /** Exact text of the manifest. */
  readonly manifest: string;
  readonly pushedAt: number;
}

export type Mutability =
  | 'MUTABLE'
  | 'IMMUTABLE'
  | 'MUTABLE_WITH_EXCLUSION'
  | 'IMMUTABLE_WITH_EXCLUSION';

export interface StoredRepository {
  readonly name: string;
  readonly createdAt: number;
  mutability: Mutability;
  /** Wildcard filters of the exclusion kinds. */
  filters: readonly string[];
  lifecyclePolicy: string | undefined;
  readonly resourceTags: Map<string, string>;
  readonly tags: Map<string, string>;
  readonly images: Map<string, StoredImage>;
}

/** Why an image can't be put, with ECR's exception name and text. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface PutRequest {
  readonly manifest: string;
  readonly mediaType: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/**
 * Repositories of one stand-in. Layers and manifests are in a real OCI registry, under a prefix of
 * this instance's own, so that instances don't see each other; which tag is at which digest is kept
 * here, because a plain registry can't untag, refuse or expire as ECR does.
 */
export interface Images {
  readonly repositories: Map<string, StoredRepository>;
  /** Largest number of tags on one image (ECR's quota: 1,000). */
  tagsPerImage: number;
  create(name: string, mutability?: Mutability, filters?: readonly string[]): StoredRepository;
  find(repository: string, reference: string): StoredImage | undefined;
  put(repository: StoredRepository, request: PutRequest): Promise<StoredImage>;
  untag(repository: StoredRepository, tag: string): string | undefined;
  remove(repository: StoredRepository, digest: string): void;
  /** Indexes that list `digest`. */
  parents(repository: StoredRepository, digest: string): readonly string[];
  tagsOf(repository: StoredRepository, digest: string): string[];
  /** Path of a repository in the real registry: `<prefix>/<name>`. */
  path(repository: string): string;
}

export function createImages(realHost: string, account: string): Images {
  const prefix = `ecr-${randomBytes(6).toString('hex')}`;
  const repositories = new Map<string, StoredRepository>();
  const path = (name: string) => `${prefix}/${name}`;

  const images: Images = {
    repositories,
    tagsPerImage: 1000,
    path,
    create: (name, mutability = 'MUTABLE', filters = []) => {
      const repository: StoredRepository = {
        name,
        createdAt: Date.now(),
        mutability,
        filters,
        lifecyclePolicy: undefined,
        resourceTags: new Map(),
        tags: new Map(),
        images: new Map(),
      };
      repositories.set(name, repository);
      return repository;
    },
    find: (name, reference) => {
      const repository = repositories.get(name);
      const digest = reference.startsWith('sha256:') ? reference : repository?.tags.get(reference);
      return digest === undefined ? undefined : repository?.images.get(digest);
    },
    put: async (repository, { manifest, mediaType, tag, digest }) => {
      const actual = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
      if (digest !== undefined && digest !== actual) {
        throw new Refused(
          'ImageDigestDoesNotMatchException',
          `The specified image digest '${digest}' does not match the image digest '${actual}' calculated by the server`,
        );
      }
      const check = (): string | undefined => {
        if (tag === undefined) return undefined;
        const before = repository.tags.get(tag);
        if (before === actual) return before;
        if (before !== undefined && isFixed(repository, tag)) {
          const what = repository.mutability === 'IMMUTABLE' ? 'repository' : 'tag';
          throw new Refused(
            'ImageTagAlreadyExistsException',
            `The image tag '${tag}' already exists in the '${repository.name}' repository and cannot be overwritten because the ${what} is immutable.`,
          );
        }
        if (images.tagsOf(repository, actual).length >= images.tagsPerImage) {
          throw new Refused(
            'LimitExceededException',
            `The image with digest '${actual}' already has the maximum number of tags: ${images.tagsPerImage}`,
          );
        }
        return before;
      };
      const known = repository.images.has(actual);
      if (known && (tag === undefined || check() === actual)) {
        throw new Refused(
          'ImageAlreadyExistsException',
          `Image with digest '${actual}' and tag '${tag ?? 'null'}' already exists in the repository with name '${repository.name}' in registry with id '${account}'`,
        );
      }
      check();
      const url = `http://${realHost}/v2/${path(repository.name)}/manifests/${actual}`;
      if (!known) await store(url, { manifest, mediaType });
      // Another request may have been quicker meanwhile: an immutable tag is create-if-absent.
      check();
      const image = repository.images.get(actual) ?? {
        digest: actual,
        mediaType,
        manifest,
        pushedAt: Date.now(),
      };
      repository.images.set(actual, image);
      if (tag !== undefined) repository.tags.set(tag, actual);
      return image;
    },
    untag: (repository, tag) => {
      const digest = repository.tags.get(tag);
      if (digest === undefined) return undefined;
      repository.tags.delete(tag);
      // ECR: who removes an image's last tag removes the image.
      if (
        images.tagsOf(repository, digest).length === 0 &&
        images.parents(repository, digest).length === 0
      ) {
        repository.images.delete(digest);
      }
      return digest;
    },
    remove: (repository, digest) => {
      repository.images.delete(digest);
      for (const [tag, at] of repository.tags) if (at === digest) repository.tags.delete(tag);
    },
    parents: (repository, digest) =>
      [...repository.images.values()]
        .filter(({ manifest }) => children(manifest).includes(digest))
        .map((image) => image.digest),
    tagsOf: (repository, digest) =>
      [...repository.tags].filter(([, at]) => at === digest).map(([tag]) => tag),
  };
  return images;
}

/** Whether a tag that exists can't be moved. Filters name the tags the kind does not hold for. */
export function isFixed(repository: StoredRepository, tag: string): boolean {
  const excluded = repository.filters.some((filter) => matches(filter, tag));
  if (repository.mutability === 'IMMUTABLE') return true;
  if (repository.mutability === 'IMMUTABLE_WITH_EXCLUSION') return !excluded;
  return repository.mutability === 'MUTABLE_WITH_EXCLUSION' && excluded;
}

function matches(filter: string, tag: string): boolean {
  const parts = filter.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(tag);
}

function children(manifest: string): readonly string[] {
  const { manifests } = JSON.parse(manifest) as { manifests?: { digest: string }[] };
  return manifests?.map(({ digest }) => digest) ?? [];
}

async function store(url: string, image: { manifest: string; mediaType: string }): Promise<void> {
  const answer = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': image.mediaType },
    body: image.manifest,
  });
  const text = await answer.text();
  if (answer.ok) return;
  if (/MANIFEST_BLOB_UNKNOWN|MANIFEST_UNKNOWN|BLOB_UNKNOWN/.test(text)) {
    const digests = [...text.matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest);
    throw new Refused(
      children(image.manifest).length > 0
        ? 'ReferencedImagesNotFoundException'
        : 'LayersNotFoundException',
      `Layers with digests '[${digests.join(', ')}]' required for pushing image into repository do not exist`,
    );
  }
  throw new Refused('InvalidParameterException', `Invalid parameter at 'imageManifest': ${text}`);
}
