/** A Lambda function as users may name it: name, partial ARN or full ARN. */
export interface FunctionReference {
  readonly name: string;
  /** Only a full ARN has it. */
  readonly region: string | undefined;
  /** Full and partial ARNs have it. */
  readonly account: string | undefined;
}

const forms = [
  /^arn:(?<partition>aws[a-z-]*):lambda:(?<region>[a-z0-9-]+):(?<account>\d{12}):function:(?<name>[\w-]{1,64})$/,
  /^(?<account>\d{12}):function:(?<name>[\w-]{1,64})$/,
  /^function:(?<name>[\w-]{1,64})$/,
  /^(?<name>[\w-]{1,64})$/,
];

/**
 * Reads `name`, `123456789012:function:name` or `arn:aws:lambda:REGION:ACCOUNT:function:name`
 * (https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html).
 *
 * @returns undefined when the text is none of them.
 */
export function parseFunctionReference(text: string): FunctionReference | undefined {
  for (const form of forms) {
    const groups = form.exec(text)?.groups;
    const name = groups?.['name'];
    if (name !== undefined)
      return { name, region: groups?.['region'], account: groups?.['account'] };
  }
  return undefined;
}

/** Account and Region in a registry's host; undefined for hosts that aren't ECR's own. */
export function registryPlace(host: string): { account: string; region: string } | undefined {
  const found = /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\./.exec(host);
  const [, account, region] = found ?? [];
  return account === undefined || region === undefined ? undefined : { account, region };
}

/**
 * The repository as Lambda accepts it in `ImageUri`: FIPS and dual-stack hosts are other doors to the
 * same repository, but only the plain host is taken.
 *
 * @param repository `host/name`.
 */
export function plainRepository(repository: string): string {
  const slash = repository.indexOf('/');
  const host = repository
    .slice(0, slash)
    .replace('.dkr.ecr-fips.', '.dkr.ecr.')
    .replace(/\.dkr-ecr(?:-fips)?\.([a-z0-9-]+)\.on\.aws$/, '.dkr.ecr.$1.amazonaws.com')
    .replace(
      /\.dkr-ecr\.([a-z0-9-]+)\.on\.amazonwebservices\.com\.cn$/,
      '.dkr.ecr.$1.amazonaws.com.cn',
    );
  return `${host}${repository.slice(slash)}`;
}

/** `sha256:…` of `repo@sha256:…`. */
export function digestOf(imageUri: string | undefined): string | undefined {
  return /@(sha256:[0-9a-f]{64})$/.exec(imageUri ?? '')?.[1];
}

/** Whether two `repo@sha256:…` are the same image in the same repository. */
export function sameImage(one: string | undefined, other: string): boolean {
  return one !== undefined && plainRepository(one) === plainRepository(other);
}

/** First twelve hex digits, as people compare digests; `none` when there is none. */
export function shortDigest(digest: string | undefined): string {
  return digest === undefined ? 'none' : digest.slice(0, 'sha256:'.length + 12);
}
