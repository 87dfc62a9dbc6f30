import { ActionError } from '../errors.ts';
import type { Inputs } from '../inputs/inputs.ts';
import { isBuild } from './build-arguments.ts';
import { attributes } from './csv.ts';
import type { BuilderDriver, DockerFacts } from './plan.ts';

export interface BuilderChoice {
  readonly driver: BuilderDriver;
  /** One line for the log: what was chosen, and why. */
  readonly why: string;
}

type Asked = Pick<Inputs, 'builder' | 'build' | 'cache' | 'image'>;

/**
 * Which builder builds. An existing one (`builder`) is found out about where it is looked up: its entry
 * here only says so.
 *
 * @param emulated other platforms whose programs run here (`linux/arm64`), see emulatedPlatforms.
 * @throws ActionError when what is asked for needs something that isn't there.
 */
export function chooseBuilder(
  facts: DockerFacts,
  inputs: Asked,
  emulated: readonly string[] = [],
): BuilderChoice {
  const { builder } = inputs;
  if (builder.builder !== '') {
    return { driver: 'remote', why: `Builder: ${builder.builder}, which exists (input builder).` };
  }
  const { driver } = builder;
  if (driver === 'remote' || (driver === 'auto' && builder.endpoint !== '')) {
    return { driver: 'remote', why: `Builder: the BuildKit service at ${builder.endpoint}.` };
  }
  if (driver === 'kubernetes') return { driver, why: 'Builder: Kubernetes, as driver says.' };
  requireDaemon(facts);
  if (driver === 'docker-container') {
    return { driver, why: 'Builder: a BuildKit container, as driver says.' };
  }
  const reason = whyOwn(facts, inputs, emulated);
  if (driver === 'docker') {
    requireDockerCan(facts, inputs);
    return { driver, why: "Builder: Docker's own BuildKit, as driver says." };
  }
  if (reason !== undefined) {
    return { driver: 'docker-container', why: `Builder: a BuildKit container, because ${reason}.` };
  }
  return {
    driver: 'docker',
    why: facts.containerdStore
      ? "Builder: Docker's own BuildKit; with the containerd image store it needs no builder to be pulled and booted."
      : "Builder: Docker's own BuildKit; nothing is asked for that needs the containerd image store.",
  };
}

/**
 * Platforms whose programs the kernel runs by an emulator, from the names in
 * `/proc/sys/fs/binfmt_misc` (`qemu-aarch64`). Registered by docker/setup-qemu-action or a package.
 */
export function emulatedPlatforms(entries: readonly string[]): readonly string[] {
  const known: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    aarch64: 'arm64',
    arm: 'arm',
    riscv64: 'riscv64',
    ppc64le: 'ppc64le',
    s390x: 's390x',
    i386: '386',
    loongarch64: 'loong64',
  };
  return entries
    .map((entry) => known[/^qemu-(\w+)/.exec(entry)?.[1] ?? ''])
    .filter((name) => name !== undefined)
    .map((name) => `linux/${name}`);
}

/** Why Docker's own BuildKit won't do; undefined when it will. */
function whyOwn(
  facts: DockerFacts,
  inputs: Asked,
  emulated: readonly string[],
): string | undefined {
  const { builder, build, cache } = inputs;
  const types = cacheTypes(inputs);
  if (builder.driverOpts.length > 0) return 'driver-opts are for one';
  if (builder.buildkitdFlags !== '') return 'buildkitd-flags are for one';
  if (builder.buildkitdConfig !== '' || builder.buildkitdConfigInline !== '') {
    return 'a BuildKit configuration is for one';
  }
  const remote = ['s3', 'azblob'].find((type) => types.includes(type));
  if (remote !== undefined) return `Docker's own BuildKit doesn't know the ${remote} cache`;
  // Docker's own BuildKit grants this only when its daemon.json says so.
  if (build.allow.includes('security.insecure')) return 'security.insecure has to be allowed to it';
  const foreign = build.platforms.find((platform) => !runsHere(platform, facts.platform, emulated));
  if (foreign !== undefined)
    return `${foreign} can't run here, and BuildKit's image brings emulators`;
  if (!facts.containerdStore) {
    const need = needsStore(inputs);
    return need === undefined
      ? undefined
      : `Docker's own BuildKit has no containerd image store, which ${need}`;
  }
  // GitHub's cache service v2 came with BuildKit 0.20; v1 was switched off in 2025.
  const major = Number.parseInt(facts.serverVersion ?? '', 10);
  const gha = types.includes('gha') && cache.write !== 'never';
  if (gha && major < 28)
    return `Docker ${facts.serverVersion ?? ''} doesn't know GitHub's cache of today`;
  return undefined;
}

/** What was asked for that only the containerd image store can give; undefined: nothing. */
function needsStore(inputs: Asked): string | undefined {
  const { build, image } = inputs;
  if (!isBuild(build.call)) return undefined;
  const cache = cacheTypes(inputs).find((type) => type !== 'inline');
  if (cache !== undefined) return `the ${cache} cache needs`;
  if (build.platforms.length > 1) return 'an image of several platforms needs';
  if (build.provenance !== undefined && build.provenance !== 'false') return 'provenance needs';
  if (build.sbom !== undefined && build.sbom !== 'false') return 'an SBOM needs';
  if (build.attests.length > 0) return 'an attestation needs';
  if (image.annotations.length > 0) return 'annotations need';
  const output = build.outputs
    .map((item) => attributes(item).get('type'))
    .find((type) => type === 'oci');
  return output === undefined ? undefined : 'an output type=oci needs';
}

function cacheTypes({ cache }: Asked): readonly string[] {
  const raw = [...cache.from, ...cache.to].map(
    (item) => attributes(item).get('type') ?? 'registry',
  );
  return [...cache.backends.filter((name) => name !== 'off'), ...raw];
}

function runsHere(platform: string, own: string, emulated: readonly string[]): boolean {
  const bare = (text: string) => (text.includes('/') ? text : `linux/${text}`);
  const [system = '', machine = ''] = bare(platform).split('/');
  const found = `${system}/${machine}`;
  const [ownSystem = '', ownMachine = ''] = bare(own).split('/');
  if (found === `${ownSystem}/${ownMachine}`) return true;
  // An amd64 kernel runs 386 programs.
  if (found === 'linux/386' && ownMachine === 'amd64') return true;
  return emulated.includes(found);
}

function requireDaemon(facts: DockerFacts): void {
  if (facts.serverVersion !== undefined) return;
  throw new ActionError(
    'No Docker daemon answers on this runner, so there is nothing to build with.',
    {
      ...(facts.problem !== undefined && { block: facts.problem }),
      hint: 'On runners without Docker give a BuildKit service: endpoint: tcp://buildkitd.internal:1234',
    },
  );
}

/** `driver: docker` was asked for: what it can't do is said now, not by a failed build. */
function requireDockerCan(facts: DockerFacts, { build }: Asked): void {
  if (facts.containerdStore || !isBuild(build.call) || build.platforms.length < 2) return;
  throw new ActionError(
    `driver: docker can't build for several platforms (${build.platforms.join(', ')}) without the containerd image store.`,
    { hint: 'Leave driver out (auto), or: driver: docker-container' },
  );
}
