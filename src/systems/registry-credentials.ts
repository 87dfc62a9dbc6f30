import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from './process.ts';

/** A login, or an identity token that is exchanged for one. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string };

export type FindCredentials = (host: string) => Promise<Credentials | undefined>;

interface DockerConfig {
  readonly auths?: Readonly<
    Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>
  >;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

// Docker Hub's logins are kept under this address.
const hubServer = 'https://index.docker.io/v1/';

/**
 * Logins from Docker's `config.json`: `auths`, `credHelpers`, `credsStore`. Read each time, because
 * ECR's logins are replaced during long runs. A missing file or helper means no login.
 */
export function dockerConfigCredentials(
  folder: string,
  run: Run | undefined,
  env: NodeJS.ProcessEnv | undefined,
): FindCredentials {
  return async (host) => {
    const config = await readConfig(join(folder, 'config.json'));
    const server = host === 'docker.io' ? hubServer : host;
    const stored = Object.entries(config.auths ?? {}).find(([key]) => hostOf(key) === host)?.[1];
    if (stored !== undefined) {
      const found = fromAuth(stored);
      if (found !== undefined) return found;
    }
    const helpers = Object.entries(config.credHelpers ?? {});
    const helper = helpers.find(([key]) => hostOf(key) === host)?.[1] ?? config.credsStore;
    return helper === undefined || helper === '' || run === undefined
      ? undefined
      : askHelper(helper, server, run, env);
  };
}

async function readConfig(file: string): Promise<DockerConfig> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    // No config, or one that isn't JSON: docker itself says so where a login is needed.
    return {};
  }
}

/** `https://index.docker.io/v1/` → `docker.io`; `https://host/v2/` → `host`. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

function fromAuth(entry: {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
}): Credentials | undefined {
  if (entry.identitytoken !== undefined && entry.identitytoken !== '') {
    return { identityToken: entry.identitytoken };
  }
  const decoded = Buffer.from(entry.auth ?? '', 'base64')
    .toString('utf8')
    .replace(/\0+$/, '');
  const at = decoded.indexOf(':');
  if (at > 0) return { username: decoded.slice(0, at), password: decoded.slice(at + 1) };
  return entry.username === undefined || entry.password === undefined
    ? undefined
    : { username: entry.username, password: entry.password };
}

async function askHelper(
  helper: string,
  server: string,
  run: Run,
  env: NodeJS.ProcessEnv | undefined,
): Promise<Credentials | undefined> {
  try {
    const ended = await run(`docker-credential-${helper}`, ['get'], { env, stdin: server });
    if (ended.code !== 0) return undefined;
    const { Username, Secret } = JSON.parse(ended.stdout) as { Username?: string; Secret?: string };
    if (Username === undefined || Secret === undefined) return undefined;
    if (Username === '<token>') return { identityToken: Secret };
    return { username: Username, password: Secret };
  } catch {
    // A helper that isn't installed knows no login; public images need none.
    return undefined;
  }
}
