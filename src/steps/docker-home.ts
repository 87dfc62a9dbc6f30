import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '../job.ts';
import { writeDockerConfig } from '../systems/docker-config.ts';
import type { RegistryLogin } from '../systems/ecr.ts';
import { connectRegistry, type Registry } from '../systems/registry.ts';

/** Docker with this run's logins, apart from the user's own configuration. */
export interface DockerHome {
  /** The private DOCKER_CONFIG folder. */
  readonly folder: string;
  /** Environment of every docker command. */
  readonly env: NodeJS.ProcessEnv;
  /** Reads with the same logins as the builds. */
  readonly registry: Registry;
  /** Puts another login into the configuration, when a build has outlived the first. */
  relogin(login: RegistryLogin): Promise<void>;
}

/** @param login of ECR; undefined for runs that push nothing. */
export async function openDockerHome(
  job: Job,
  login: RegistryLogin | undefined,
): Promise<DockerHome> {
  const { env, log } = job;
  const folder = join(job.folder, 'docker');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const userFolder = env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker');
  const write = (logins: readonly RegistryLogin[]) =>
    writeDockerConfig({
      folder,
      userFolder,
      logins,
      env,
      notice: (message) => log.notice(message),
    });
  await write(login === undefined ? [] : [login]);
  const { DOCKER_AUTH_CONFIG: _merged, ...others } = env;
  return {
    folder,
    // Docker prefers this variable to the configuration, which has its logins already.
    env: { ...others, DOCKER_CONFIG: folder, BUILDX_CONFIG: join(folder, 'buildx') },
    registry: connectRegistry({
      configFolder: folder,
      env,
      run: job.run,
      signal: job.signal,
      clock: job.clock,
    }),
    relogin: (fresh) => write([fresh]),
  };
}
