import type { LocalImage, LocalImages } from '../image/content/base-images.ts';
import type { Run } from './process.ts';

interface Inspected {
  readonly Id?: string;
  readonly Os?: string;
  readonly Architecture?: string;
  readonly Variant?: string;
  readonly Config?: {
    readonly Env?: readonly string[] | null;
    readonly OnBuild?: readonly string[] | null;
  };
}

/** Images in the Docker on this machine, by `docker image inspect`. */
export function connectLocalImages(
  run: Run,
  env: NodeJS.ProcessEnv | undefined,
  signal?: AbortSignal,
): LocalImages {
  return async (reference) => {
    const ended = await run('docker', ['image', 'inspect', '--', reference], { env, signal });
    // Docker says "No such image", and the registry is asked next.
    if (ended.code !== 0) return undefined;
    const [found] = JSON.parse(ended.stdout) as readonly Inspected[];
    return found?.Id === undefined ? undefined : toLocalImage(found, found.Id);
  };
}

function toLocalImage(found: Inspected, id: string): LocalImage {
  const { Os = '', Architecture = '', Variant = '' } = found;
  return {
    id,
    // Docker states `v8` for arm64, which platforms leave out.
    platform: [Os, Architecture, ...(Variant === '' || Variant === 'v8' ? [] : [Variant])].join(
      '/',
    ),
    env: found.Config?.Env ?? [],
    onbuild: found.Config?.OnBuild ?? [],
  };
}
