import type { Repository as EcrRepository } from '@aws-sdk/client-ecr';
import { ActionError, asError } from '../errors.ts';
import { explainAws, isAwsError } from './aws-errors.ts';
import { openConnection, type EcrOptions } from './ecr-connection.ts';
import { explainPut, refuseOther, TagImmutableError } from './ecr-errors.ts';
import { chunks, readImages } from './ecr-images.ts';
import type { Ecr, Repository } from './ecr.ts';

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

/** Connects to ECR; nothing is sent before the first call. */
export function connectEcr(options: EcrOptions): Ecr {
  const connection = openConnection(options);
  const { connect, ask, registry, control, region, arn } = connection;
  const reads = readImages(connection);

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
        resource: arn(name),
        region,
      });
    }
  };

  return {
    ...reads,
    repository,

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
      const own = new URL(data.proxyEndpoint).host;
      const { registryHost: host = own } = options;
      return {
        host,
        endpoint: host === own ? data.proxyEndpoint : `https://${host}`,
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
            resource: arn(name),
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
          const there = (await reads.tagDigests(name, [tag])).get(tag);
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
        throw explainPut(error, name, tag, manifest.digest, { region, resource: arn(name) });
      }
    },

    deleteTags: async (name, tags) => {
      for (const chunk of chunks([...new Set(tags)], 100)) {
        const { failures = [] } = await ask(
          name,
          { doing: `Removing tags of ECR repository "${name}"`, action: 'ecr:BatchDeleteImage' },
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
          resource: arn(name),
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
