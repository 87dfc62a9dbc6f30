import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asError } from '../errors.ts';
import type { RegistryLogin } from './ecr.ts';

export interface DockerConfigOptions {
  /** The private folder, DOCKER_CONFIG of every docker command of this run. */
  readonly folder: string;
  /** The user's own (`~/.docker`, or DOCKER_CONFIG). Read only, and need not be there. */
  readonly userFolder: string;
  readonly logins: readonly RegistryLogin[];
  /** For DOCKER_AUTH_CONFIG: auths that docker (28.3 and later) takes from the environment. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly notice: (message: string) => void;
}

interface ConfigFile extends Record<string, unknown> {
  auths?: Record<string, unknown>;
  credHelpers?: Record<string, unknown>;
}

/**
 * Writes a DOCKER_CONFIG of our own: everything the user's has (auths, credential helpers, proxies,
 * headers, current context, CLI plugins) and our logins. May be called again to renew a login while
 * docker commands run. A user configuration that can't be read is told once and left out.
 */
export async function writeDockerConfig(options: DockerConfigOptions): Promise<void> {
  const { folder, userFolder, logins, env = {} } = options;
  const target = join(folder, 'config.json');
  const first = !(await exists(target));
  const notice = first ? options.notice : () => {};
  const user = await readUserConfig(join(userFolder, 'config.json'), notice);
  const extra = parseAuths(env['DOCKER_AUTH_CONFIG'], notice);

  const config: ConfigFile = { ...user, auths: { ...user.auths, ...extra } };
  const helpers: Record<string, unknown> = { ...user.credHelpers };
  for (const login of logins) {
    config.auths = without(config.auths ?? {}, login.host);
    const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    config.auths[login.host] = { auth };
    // Docker asks `credsStore` for a host even if `auths` has it. An entry of its own with an empty
    // helper is what sends it to `auths` (docker/cli, getConfiguredCredentialStore).
    delete helpers[login.host];
    if (typeof user['credsStore'] === 'string' && user['credsStore'] !== '') {
      helpers[login.host] = '';
    }
  }
  if (Object.keys(helpers).length > 0) config.credHelpers = helpers;
  else delete config.credHelpers;

  await mkdir(folder, { recursive: true, mode: 0o700 });
  // In one step: a docker command that reads meanwhile must not see half a file.
  const draft = `${target}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, target);
  for (const name of ['cli-plugins', 'contexts']) {
    const theirs = join(userFolder, name);
    const ours = join(folder, name);
    if ((await exists(theirs)) && !(await exists(ours))) await symlink(theirs, ours);
  }
}

async function readUserConfig(
  path: string,
  notice: (message: string) => void,
): Promise<ConfigFile> {
  const leftOut = (why: string) => {
    notice(
      `The Docker configuration ${path} can't be used (${why}), so its logins and proxies are not either. Builds go on without.`,
    );
    return {};
  };
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = asError(error) as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? {} : leftOut(message);
  }
  if (text.trim() === '') return {};
  const config = parseObject(text);
  if (config === undefined) return leftOut('it is no JSON object');
  for (const name of ['auths', 'credHelpers']) {
    const value = config[name];
    if (value !== undefined && value !== null && !isObject(value)) {
      return leftOut(`its "${name}" is no object`);
    }
  }
  return config;
}

function parseAuths(
  text: string | undefined,
  notice: (message: string) => void,
): Record<string, unknown> {
  if (text === undefined || text === '') return {};
  const auths = parseObject(text)?.['auths'];
  if (isObject(auths)) return auths;
  notice('DOCKER_AUTH_CONFIG is no JSON object with "auths": its logins are not used.');
  return {};
}

/** Never says what the text was: it holds secrets, and JSON.parse quotes it. */
function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Auths without those of `host`, however it was written (`https://host/v1/`). */
function without(auths: Record<string, unknown>, host: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(auths).filter(
      ([key]) => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '') !== host,
    ),
  );
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    (error: unknown) => {
      if (/^(ENOENT|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    },
  );
}
