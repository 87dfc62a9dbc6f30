import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages, unpack } from './debian.ts';
import { cacheFolder, type Say } from './places.ts';

/**
 * Debian 12's own docker.io is too old (20.10); sid's runs there. Its runc wants a newer libc, so
 * runc, iptables and tini are the machine's.
 */
const enginePackages = ['docker.io/sid', 'docker-cli/sid', 'docker-buildx/sid', 'containerd/sid'];
const registryPackage = 'docker-registry/trixie';

export interface Installed {
  /** First on the PATH of whoever uses the engine: docker, dockerd, containerd, docker-registry. */
  readonly bin: string;
  /** A DOCKER_CONFIG with the buildx plugin. */
  readonly config: string;
}

/** Unpacks Docker Engine and the registry once a machine. Call it under the engine's lock. */
export async function installEngine(say: Say): Promise<Installed> {
  await ensurePackages(say);
  const home = join(cacheFolder, 'engine-1');
  const bin = join(home, 'bin');
  const config = join(home, 'config');
  if (!existsSync(home)) {
    say('Unpacking Docker Engine, buildx and the registry from Debian packages');
    const part = join(cacheFolder, 'part-engine');
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part, { recursive: true });
    await unpack([...enginePackages, registryPackage], join(part, 'root'));
    mkdirSync(join(part, 'bin'));
    mkdirSync(join(part, 'config', 'cli-plugins'), { recursive: true });
    for (const [folder, names] of [
      ['usr/bin', ['containerd', 'containerd-shim-runc-v2', 'ctr', 'docker', 'docker-registry']],
      ['usr/sbin', ['dockerd', 'docker-proxy']],
    ] as const) {
      for (const name of names) {
        symlinkSync(join('..', 'root', folder, name), join(part, 'bin', name));
      }
    }
    // The docker-container driver starts its container with an init; the package has only a link.
    copyFileSync('/usr/bin/tini-static', join(part, 'bin', 'docker-init'));
    symlinkSync(
      join('..', '..', 'root/usr/libexec/docker/cli-plugins/docker-buildx'),
      join(part, 'config', 'cli-plugins', 'docker-buildx'),
    );
    renameSync(part, home);
  }
  return { bin, config };
}
