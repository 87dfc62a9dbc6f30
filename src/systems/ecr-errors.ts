import type { ImageFailure } from '@aws-sdk/client-ecr';
import { ActionError, asError } from '../errors.ts';
import { explainAws, isAwsError } from './aws-errors.ts';

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

/** The repository that was asked for is not there. */
export function noRepository(name: string, region: string, cause: unknown): ActionError {
  return new ActionError(`There is no ECR repository "${name}" in Region ${region}.`, {
    cause: asError(cause),
    hint: 'Check `repository` and `aws-region`, create the repository, or set `create-repository: true`.',
  });
}

/** A missing image is an answer; any other failure of a batch is an error. */
export function refuseOther(failures: readonly ImageFailure[], repository: string): void {
  const other = failures.find(({ failureCode }) => failureCode !== 'ImageNotFound');
  if (other === undefined) return;
  const image = other.imageId?.imageTag ?? other.imageId?.imageDigest ?? '?';
  throw new ActionError(
    `ECR could not handle "${image}" of repository "${repository}": ${other.failureCode}.`,
    { block: other.failureReason },
  );
}

/** Why a tag could not be put, for all but the tag's own immutability. */
export function explainPut(
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
