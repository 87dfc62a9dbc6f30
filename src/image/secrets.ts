import type { RunContext } from '../context.ts';
import type { BuildInputs } from '../inputs/inputs.ts';
import { csvField } from './csv.ts';

/** What BuildKit is to be given as secrets. */
export interface SecretPlan {
  /** To be written into files; each becomes `id=…,src=…`. */
  readonly values: readonly { readonly id: string; readonly value: string }[];
  /** Ready `--secret` specs that hold no value: variables, and files of the user's. */
  readonly specs: readonly string[];
}

/**
 * Sorts the secrets by how they travel. The value of `secrets` is everything after the first `=`, byte
 * for byte. A Git context on GitHub's own host is fetched with the token, unless a secret of the user's
 * says how.
 */
export function planSecrets(
  build: Pick<
    BuildInputs,
    'secrets' | 'secretEnvs' | 'secretFiles' | 'githubToken' | 'context' | 'buildContexts'
  >,
  context: Pick<RunContext, 'serverUrl'>,
): SecretPlan {
  const values = build.secrets.map((item) => {
    const at = item.indexOf('=');
    return { id: item.slice(0, at).trim(), value: item.slice(at + 1) };
  });
  const specs = [
    ...build.secretEnvs.map((item) => spec(item, 'env')),
    ...build.secretFiles.map((item) => spec(item, 'src')),
  ];
  const ids = [
    ...values.map(({ id }) => id),
    ...specs.map((item) => /^"?id=([^,]+)/.exec(item)?.[1]),
  ];
  const host = new URL(context.serverUrl).host;
  const sources = [
    build.context,
    ...build.buildContexts.map((item) => item.slice(item.indexOf('=') + 1)),
  ];
  const ownGit = sources.some((source) => source.startsWith(`https://${host}/`));
  const token = ids.some((id) => id?.startsWith('GIT_AUTH_')) ? '' : build.githubToken;
  if (ownGit && token !== '') {
    // With the host's name, BuildKit sends the token to no other host.
    values.push({ id: `GIT_AUTH_TOKEN.${host}`, value: token });
  }
  return { values, specs };
}

/** `--secret` spec of a value that was written to `path`. */
export function secretFileSpec(id: string, path: string): string {
  return `id=${id},${csvField(`src=${path}`)}`;
}

function spec(item: string, kind: 'env' | 'src'): string {
  const at = item.indexOf('=');
  return `id=${item.slice(0, at).trim()},${csvField(`${kind}=${item.slice(at + 1).trim()}`)}`;
}
