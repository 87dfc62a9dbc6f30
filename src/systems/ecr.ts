export { connectEcr } from './ecr-client.ts';
export type { EcrOptions } from './ecr-connection.ts';
export { TagImmutableError } from './ecr-errors.ts';

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
