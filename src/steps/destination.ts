import { ActionError } from '../errors.ts';
import type { Job } from '../job.ts';
import { connectAccount, type Account } from '../systems/account.ts';
import {
  connectEcr,
  tagIsFixed,
  type Ecr,
  type RegistryLogin,
  type Repository,
} from '../systems/ecr.ts';

/** The repository that is shipped to, and the account it is in. */
export interface Destination {
  readonly account: Account;
  readonly accountId: string;
  readonly ecr: Ecr;
  /** The same ECR with requests that another signal ends. */
  readonly connect: (until: AbortSignal) => Ecr;
  readonly repository: Repository;
  readonly login: RegistryLogin;
  /** Those of the run's own tags that exist already, with their digests. */
  readonly existing: ReadonlyMap<string, string>;
}

/**
 * Credentials, ECR login and the repository, made when it is missing and `create-repository` says so.
 *
 * @throws ActionError with the IAM statement to paste when something is denied; naming
 *   `create-repository` when there is no such repository.
 */
export async function openDestination(job: Job): Promise<Destination> {
  const { inputs, runner, log, signal } = job;
  const { image, aws } = inputs;
  const account = connectAccount({
    aws,
    runner,
    idTokens: (job.env['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? '') !== '',
    clock: job.clock,
  });
  const identity = await account.identity(signal);
  log.info(`AWS account ${identity.account} as ${identity.arn}, Region ${aws.region}`);

  const connect = (until: AbortSignal) =>
    connectEcr({
      region: aws.region,
      credentials: account.credentials,
      registryId: image.registryId,
      registryHost: image.registryHost,
      mask: (secret) => runner.mask(secret),
      notice: (message) => log.notice(message),
      signal: until,
    });
  const ecr = connect(signal);
  const [login, repository] = await Promise.all([
    ecr.login(signal),
    findRepository(job, ecr, identity.account),
  ]);
  const wanted = [...image.tags, ...image.movingTags];
  const existing = await ecr.tagDigests(repository.name, wanted);
  const fixed = image.movingTags.find((tag) => existing.has(tag) && tagIsFixed(repository, tag));
  if (fixed !== undefined) {
    throw new ActionError(
      `moving-tags: ${fixed} can't be moved, because the repository ${repository.name} is ${repository.mutability}.`,
      {
        hint: `Let this tag move (aws ecr put-image-tag-mutability --repository-name ${repository.name} --image-tag-mutability IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters filterType=WILDCARD,filter=${fixed}), or set moving-tags to nothing.`,
      },
    );
  }
  return { account, accountId: identity.account, ecr, connect, repository, login, existing };
}

async function findRepository(
  { inputs, log }: Job,
  ecr: Ecr,
  account: string,
): Promise<Repository> {
  const { repository: name, createRepository } = inputs.image;
  const found = await ecr.repository(name);
  if (found !== undefined) return found;
  if (!createRepository) {
    throw new ActionError(
      `There is no ECR repository ${name} in ${inputs.aws.region} of account ${inputs.image.registryId ?? account}.`,
      {
        hint: `Check repository and aws-region, make it (aws ecr create-repository --repository-name ${name} --region ${inputs.aws.region}), or set create-repository: true.`,
      },
    );
  }
  const made = await ecr.createRepository(name);
  log.info(`Made the repository ${made.uri}`);
  return made;
}
