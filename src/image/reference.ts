/** A repository URI taken apart: `host/name`. */
export interface RepositoryUri {
  /** With its port: `127.0.0.1:5000`. */
  readonly host: string;
  readonly name: string;
}

/** A full image reference: `host/name`, then `:tag`, `@digest` or both. */
export interface ImageReference extends RepositoryUri {
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** What an ECR host says about itself. */
export interface EcrHost {
  readonly accountId: string;
  readonly region: string;
  readonly fips: boolean;
}

/**
 * A private ECR registry's host in any partition: `ID.dkr.ecr.R.amazonaws.com`, `.com.cn`,
 * `amazonaws.eu`, FIPS (`dkr.ecr-fips`) and dual-stack (`ID.dkr-ecr.R.on.aws`).
 *
 * @returns undefined for any other host.
 */
export function parseEcrHost(host: string): EcrHost | undefined {
  const match =
    /^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-\d+)\.[a-z0-9.-]+(?::\d+)?$/.exec(host);
  const [, accountId, fips, region] = match ?? [];
  if (accountId === undefined || region === undefined) return undefined;
  return { accountId, region, fips: fips !== undefined };
}

/**
 * Takes a fully qualified reference apart. The first part is a host when it has a dot or a port, or
 * is `localhost`: the rule of the distribution project. Docker Hub's short names have none.
 *
 * @returns undefined when there is no host, or the text is no reference.
 */
export function parseReference(text: string): ImageReference | undefined {
  const slash = text.indexOf('/');
  const host = text.slice(0, Math.max(slash, 0));
  if (
    !/^(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)(?::\d+)?$|^\[[0-9a-f:]+\](?::\d+)?$/i.test(
      host,
    )
  ) {
    return undefined;
  }
  if (host !== 'localhost' && !/[.:]/.test(host)) return undefined;
  const match = /^([^:@]+)(?::([^:@]+))?(?:@([a-z0-9]+:[0-9a-f]{32,}))?$/.exec(
    text.slice(slash + 1),
  );
  const [, name, tag, digest] = match ?? [];
  if (name === undefined) return undefined;
  if (!/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+|\/[a-z0-9]+)*$/.test(name)) return undefined;
  if (tag !== undefined && !isTag(tag)) return undefined;
  return { host, name, tag, digest };
}

/** Amazon ECR's rule for repository names: 2 to 256 characters, lower case, `/` between parts. */
export function isRepositoryName(name: string): boolean {
  return name.length >= 2 && name.length <= 256 && /^[a-z0-9]+(?:[._/-][a-z0-9]+)*$/.test(name);
}

/** The distribution specification's rule for tags. */
export function isTag(tag: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag);
}

/** AWS's Regions have this shape in every partition: `eu-west-1`, `us-gov-east-1`, `eusc-de-east-1`. */
export function isRegion(text: string): boolean {
  return /^[a-z]{2,4}(-[a-z]+)+-\d+$/.test(text);
}
