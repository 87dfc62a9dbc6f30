/**
 * A statement to paste into a policy.
 *
 * @param principal only in resource policies (a repository's): who is let in.
 */
export function statement(
  actions: readonly string[],
  resources: readonly string[] | undefined,
  principal?: unknown,
): string {
  return JSON.stringify(
    {
      Effect: 'Allow',
      ...(principal === undefined ? {} : { Principal: principal }),
      Action: actions,
      ...(resources === undefined ? {} : { Resource: resources }),
    },
    null,
    2,
  );
}

/** Everything a deployment to Lambda calls, as one statement for a function. */
export const deployActions = [
  'lambda:GetFunction',
  'lambda:UpdateFunctionCode',
  'lambda:PublishVersion',
  'lambda:GetAlias',
  'lambda:CreateAlias',
  'lambda:UpdateAlias',
  'lambda:InvokeFunction',
] as const;

/** What Lambda needs of the caller when a function gets an image from ECR. */
export const imageActions = [
  'ecr:BatchGetImage',
  'ecr:GetDownloadUrlForLayer',
  'ecr:GetRepositoryPolicy',
  'ecr:SetRepositoryPolicy',
] as const;

/** A function's ARN and its qualified ones: a policy for the bare ARN doesn't cover versions. */
export function functionResources(arn: string): readonly string[] {
  const bare = arn.split(':').slice(0, 7).join(':');
  return [bare, `${bare}:*`];
}

/** `arn:aws:ecr:REGION:ACCOUNT:repository/name` of `host/name`, when the host tells. */
export function repositoryArn(repository: string, partition: string): string {
  const slash = repository.indexOf('/');
  const name = repository.slice(slash + 1);
  const [, account, region] =
    /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\./.exec(repository.slice(0, slash)) ?? [];
  return `arn:${partition}:ecr:${region ?? '*'}:${account ?? '*'}:repository/${name}`;
}
