import type { DockerFacts } from '../image/plan.ts';
import type { Run } from './process.ts';

/** The parts of `docker info --format json` that are read. */
interface Info {
  readonly ServerVersion?: string;
  readonly OSType?: string;
  readonly Architecture?: string;
  readonly DriverStatus?: readonly (readonly string[])[] | null;
  readonly ServerErrors?: readonly string[];
  readonly ClientInfo?: {
    readonly Context?: string;
    readonly Plugins?: readonly { readonly Name?: string; readonly Version?: string }[] | null;
  };
}

/** A daemon that doesn't answer in this time is as good as none, ms. */
const patience = 60_000;

/**
 * What Docker there is, by one `docker info` (0.14 s). Never throws for a missing Docker: `problem` says why.
 *
 * @param env the environment in which the builds will run (DOCKER_HOST, DOCKER_CONFIG).
 */
export async function inspectDocker(
  run: Run,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<DockerFacts> {
  const tooLong = AbortSignal.timeout(patience);
  try {
    const { stdout, stderr } = await run('docker', ['info', '--format', 'json'], {
      env,
      signal: signal === undefined ? tooLong : AbortSignal.any([signal, tooLong]),
    });
    return readInfo(stdout, stderr);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    const why = error instanceof Error ? error.message : String(error);
    return noDocker(
      tooLong.aborted ? `"docker info" did not answer within ${patience / 1000} s` : why,
    );
  }
}

/** `docker info`'s JSON as facts. Without a daemon docker still tells of its plugins, and of its errors. */
export function readInfo(stdout: string, stderr: string): DockerFacts {
  let info: Info;
  try {
    info = JSON.parse(stdout) as Info;
  } catch {
    // An old docker without `--format json` prints the word "json" or an error.
    return noDocker(
      stderr.trim() === ''
        ? `"docker info" answered no JSON: ${stdout.slice(0, 200)}`
        : stderr.trim(),
    );
  }
  const plugin = info.ClientInfo?.Plugins?.find(({ Name }) => Name === 'buildx');
  const serverVersion = info.ServerVersion === '' ? undefined : info.ServerVersion;
  const problem = [...(info.ServerErrors ?? []), stderr.trim()].find((text) => text !== '');
  return {
    serverVersion,
    containerdStore: (info.DriverStatus ?? []).some(
      ([, value]) => value === 'io.containerd.snapshotter.v1',
    ),
    buildxVersion: plugin?.Version?.replace(/^v/, '').replace(/[+~].*$/, ''),
    platform: platformOf(info.OSType ?? '', info.Architecture ?? ''),
    problem: serverVersion === undefined ? (problem ?? 'no Docker daemon answered') : undefined,
    context: info.ClientInfo?.Context,
  };
}

/** The kernel's names of architectures (`uname -m`) as OCI's. */
function platformOf(os: string, machine: string): string {
  const known: Record<string, string> = {
    x86_64: 'amd64',
    aarch64: 'arm64',
    armv7l: 'arm/v7',
    armv6l: 'arm/v6',
    i686: '386',
  };
  return `${os === '' ? 'linux' : os}/${known[machine] ?? (machine === '' ? 'amd64' : machine)}`;
}

function noDocker(problem: string): DockerFacts {
  return {
    serverVersion: undefined,
    containerdStore: false,
    buildxVersion: undefined,
    platform: 'linux/amd64',
    problem,
    context: undefined,
  };
}
