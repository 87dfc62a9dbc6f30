import type { Inputs } from '../../inputs/inputs.ts';
import { attributes } from '../csv.ts';
import type { ContentSettings } from './question.ts';

/** What the inputs say about a build's content. */
export interface Asked {
  readonly settings: ContentSettings;
  /** Why this build has to run whatever its content is; its image still stands for that content. */
  readonly forced: string | undefined;
  /** Why an image that exists already would not be what is asked for. */
  readonly needed: string | undefined;
}

/**
 * Reads the inputs as a question about content.
 *
 * Not counted, because BuildKit's cache doesn't count them either: secrets' values, caches, `pull`
 * (tags are looked up in any case), addresses of `add-hosts`, predefined proxy arguments that no
 * `ARG` declares, build arguments that no needed stage declares.
 *
 * @param env for build arguments without a value, and SOURCE_DATE_EPOCH, which buildx takes from it.
 */
export function contentAsked(inputs: Inputs, env: NodeJS.ProcessEnv): Asked {
  const { build, image, cache } = inputs;
  const buildArgs = readBuildArgs(build.buildArgs, env);
  const counted = {
    labels: image.labels,
    annotations: image.annotations,
    network: build.network,
    addHosts: build.addHosts.map((host) => host.split(/[:=]/)[0]),
    shmSize: build.shmSize,
    ulimit: build.ulimit,
    cgroupParent: build.cgroupParent,
    provenance: build.provenance ?? null,
    sbom: build.sbom ?? null,
    attests: build.attests,
    outputs: build.outputs,
    // An inline cache is written into the image itself.
    inlineCache: cache.backends.includes('inline') || cache.to.some(isInline),
    settings: [...buildArgs]
      .filter(([key]) => /^BUILDKIT_|^SOURCE_DATE_EPOCH$/.test(key))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
    // `--platform` of one platform is not the same as none: it may fill in a variant.
    platforms: build.platforms,
  };
  return {
    settings: {
      context: build.context,
      file: build.file,
      target: build.target,
      platforms: build.platforms,
      buildArgs,
      buildContexts: build.buildContexts.map((each): readonly [string, string] => {
        const at = each.indexOf('=');
        return [each.slice(0, Math.max(at, 0)), each.slice(at + 1)];
      }),
      counted,
    },
    forced: forcedBy(build),
    needed: neededBy(build),
  };
}

function readBuildArgs(
  items: readonly string[],
  env: NodeJS.ProcessEnv,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const item of items) {
    const at = item.indexOf('=');
    const value = at === -1 ? env[item] : item.slice(at + 1);
    if (value !== undefined) found.set(at === -1 ? item : item.slice(0, at), value);
  }
  const epoch = env['SOURCE_DATE_EPOCH'];
  if (epoch !== undefined && epoch !== '' && !found.has('SOURCE_DATE_EPOCH')) {
    found.set('SOURCE_DATE_EPOCH', epoch);
  }
  return found;
}

function forcedBy(build: Inputs['build']): string | undefined {
  if (build.noCache) return 'no-cache asks for a build from scratch';
  if (build.noCacheFilters.length > 0) {
    return `no-cache-filters asks to build ${build.noCacheFilters.join(', ')} afresh`;
  }
  return undefined;
}

function neededBy(build: Inputs['build']): string | undefined {
  if (build.call !== '' && !/^build(,|$)/.test(build.call)) {
    return `call: ${build.call} looks at the build itself`;
  }
  if (build.load) return 'load asks for the image in the local Docker';
  if (build.ssh.length > 0) return 'with ssh the build may fetch what has changed';
  const elsewhere = build.outputs.find((output) => {
    const found = attributes(output);
    return found.get('type') !== 'image' || found.has('name') || found.has('push');
  });
  return elsewhere === undefined
    ? undefined
    : `outputs asks for more than the image (${elsewhere})`;
}

function isInline(cacheTo: string): boolean {
  return cacheTo === 'inline' || attributes(cacheTo).get('type') === 'inline';
}
