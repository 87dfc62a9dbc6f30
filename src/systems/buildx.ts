import { ActionError, asError, isAbort } from '../errors.ts';
import { csvField } from '../image/csv.ts';
import type { BuilderDriver } from '../image/plan.ts';
import type { Ended, Run } from './process.ts';

/** A builder to be made, as `docker buildx create` takes it. */
export interface BuilderSpec {
  readonly name: string;
  readonly driver: Exclude<BuilderDriver, 'docker'>;
  /** One `--driver-opt` each, as written. */
  readonly driverOpts: readonly string[];
  readonly buildkitdFlags: string;
  /** Path; empty: none. */
  readonly buildkitdConfig: string;
  /** BuildKit's address (remote), a docker context (docker-container) or a kube context (kubernetes). */
  readonly endpoint: string;
  /** Paths of PEM files for a remote endpoint; empty: none. */
  readonly tls: { readonly cacert: string; readonly cert: string; readonly key: string };
}

export interface BuilderDetails {
  readonly driver: string;
  readonly buildkitVersion: string | undefined;
  readonly platforms: readonly string[];
  /** Why a node is not usable. */
  readonly error: string | undefined;
}

/** buildx's builders. Rejects with ActionError in buildx's own words; an abort rejects with its reason. */
export interface Buildx {
  create(spec: BuilderSpec): Promise<void>;
  /** Boots the builder where it has to be, and says what it is. */
  boot(name: string): Promise<BuilderDetails>;
  names(): Promise<readonly string[]>;
  remove(name: string, keepState: boolean): Promise<void>;
}

/**
 * @param env holds BUILDX_CONFIG (whose builders are meant) and DOCKER_CONFIG (where the plugin is).
 */
export function connectBuildx(connection: {
  readonly run: Run;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}): Buildx {
  const { run, env, signal } = connection;
  const buildx = async (what: string, args: readonly string[]): Promise<Ended> => {
    let ended: Ended;
    try {
      ended = await run('docker', ['buildx', ...args], { env, signal });
    } catch (error) {
      if (isAbort(error) || signal?.aborted === true) throw error;
      throw new ActionError(`docker could not be started to ${what}.`, {
        cause: asError(error),
        hint: "Docker's command line must be on the PATH of the runner.",
      });
    }
    if (ended.code !== 0) throw buildxError(what, ended);
    return ended;
  };
  return {
    create: async (spec) => {
      await buildx(`create the builder "${spec.name}"`, createArguments(spec));
    },
    boot: async (name) => {
      const { stdout } = await buildx(`boot the builder "${name}"`, [
        'inspect',
        '--bootstrap',
        name,
      ]);
      const details = readDetails(stdout);
      if (details.error !== undefined) {
        throw new ActionError(
          `The builder "${name}" is there but doesn't answer: ${details.error}`,
        );
      }
      return details;
    },
    names: async () => {
      const { stdout } = await buildx('list the builders', ['ls', '--format', '{{.Name}}']);
      // Nodes are listed below their builder, indented; the current builder carries a star.
      const names = stdout.split('\n').map((line) => line.replace(/\*$/, ''));
      return names.filter((line) => line !== '' && !/^\s/.test(line));
    },
    remove: async (name, keepState) => {
      const keep = keepState ? ['--keep-state'] : [];
      await buildx(`remove the builder "${name}"`, ['rm', ...keep, name]);
    },
  };
}

/** Exact argv after `docker buildx`. Options as docker/setup-buildx-action maps its inputs. */
export function createArguments(spec: BuilderSpec): readonly string[] {
  const args = ['create', '--name', spec.name, '--driver', spec.driver];
  const tls = Object.entries(spec.tls).filter(([, path]) => path !== '');
  const opts = [...spec.driverOpts, ...tls.map(([name, path]) => csvField(`${name}=${path}`))];
  for (const opt of opts) args.push('--driver-opt', opt);
  if (spec.buildkitdFlags !== '') args.push('--buildkitd-flags', spec.buildkitdFlags);
  if (spec.buildkitdConfig !== '') args.push('--buildkitd-config', spec.buildkitdConfig);
  if (spec.endpoint !== '') args.push(spec.endpoint);
  return args;
}

/** `docker buildx inspect`'s text (it has no JSON). */
export function readDetails(text: string): BuilderDetails {
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(text)?.[1]?.trim();
  const platforms = field('Platforms') ?? '';
  return {
    driver: field('Driver') ?? '',
    buildkitVersion: field('BuildKit version')?.replace(/^v/, ''),
    platforms: platforms
      .split(',')
      .map((name) => name.trim().replace(/\*$/, ''))
      .filter((name) => name !== ''),
    error: field('Error'),
  };
}

function buildxError(what: string, { code, signal, stderr, stdout }: Ended): ActionError {
  const words = (stderr.trim() === '' ? stdout : stderr).trim();
  const ending = code === null ? `ended by ${signal ?? 'a signal'}` : `exit code ${code}`;
  if (/'buildx' is not a docker command|unknown (shorthand )?flag|unknown command/i.test(words)) {
    return new ActionError(`docker has no buildx plugin that could ${what} (${ending}).`, {
      block: words,
      hint: 'Set buildx-version (`latest`) to have buildx downloaded, or install the plugin docker-buildx.',
    });
  }
  return new ActionError(`buildx could not ${what} (${ending}).`, { block: words });
}
