import type { BuildInputs } from '../inputs/inputs.ts';

/** What one `docker info` told, and what buildx answers. */
export interface DockerFacts {
  /** Undefined: no daemon answered. */
  readonly serverVersion: string | undefined;
  /** Whether the containerd image store is on: only then the docker driver exports caches and indexes. */
  readonly containerdStore: boolean;
  /** `0.29.1`; undefined: no buildx plugin. */
  readonly buildxVersion: string | undefined;
  /** The daemon's own platform, `linux/amd64`. */
  readonly platform: string;
  /** Why there is no daemon, in docker's words. */
  readonly problem: string | undefined;
  /** Name of docker's current context: the docker driver's builder is called so. Absent: `default`. */
  readonly context?: string | undefined;
}

export type BuilderDriver = 'docker' | 'docker-container' | 'remote' | 'kubernetes';

/** A builder that is ready. */
export interface Builder {
  readonly name: string;
  readonly driver: BuilderDriver;
  /** `docker buildx build` can push by digest (not with the docker driver). */
  readonly pushByDigest: boolean;
  /** Whether caches can be exported at all, and to S3. */
  readonly cacheExport: boolean;
  readonly s3Cache: boolean;
  /** BuildKit's version where known. */
  readonly buildkitVersion: string | undefined;
  /** Whether we created it (post removes only what was created). */
  readonly created: boolean;
}

/** Raw `--cache-from`/`--cache-to` values and what to tell the user about them. */
export interface CachePlan {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Folders of the `local` backend, restored before and saved after the build. */
  readonly local:
    | {
        readonly from: string;
        readonly to: string;
        readonly key: string;
        readonly restoreKeys: readonly string[];
      }
    | undefined;
  readonly notices: readonly string[];
  /** Backends in force, for log and summary. */
  readonly backends: readonly string[];
}

/**
 * Everything one `docker buildx build` needs; image/build-arguments.ts makes argv of it. `secrets` are
 * ready `--secret` specs (`id=a,src=/path`, `id=b,env=NAME`); `provenance`, `sbom` and `attests` are
 * ready values of their options.
 */
export interface BuildPlan extends Omit<
  BuildInputs,
  'secretEnvs' | 'secretFiles' | 'githubToken' | 'skipUnchanged'
> {
  readonly builder: Builder;
  /** Full references to push (`host/name:tag`). Empty: nothing is pushed. */
  readonly references: readonly string[];
  /** Names under which `load` puts the image. Default: `references`. */
  readonly localReferences?: readonly string[];
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
  readonly metadataFile: string;
}

/** What a build left behind. */
export interface BuildOutcome {
  /** Digest of what was pushed (image or index); undefined when nothing was pushed (a fork, `call`). */
  readonly digest: string | undefined;
  readonly imageId: string | undefined;
  /** buildx's metadata file as JSON text. */
  readonly metadata: string;
  readonly steps: { readonly cached: number; readonly run: number };
  /** cached / (cached + run), or undefined when there were no steps. */
  readonly cacheHitRatio: number | undefined;
  /** Slowest steps first: name and ms. */
  readonly slowest: readonly {
    readonly name: string;
    readonly ms: number;
    readonly cached: boolean;
  }[];
  readonly notices: readonly string[];
  /** Output of `call` (check, outline, targets). */
  readonly callResult: string | undefined;
  /** Bytes of build context sent to BuildKit, and of base images and caches pulled. */
  readonly bytes?: { readonly context: number; readonly pulled: number };
}

/** An image in the repository, as read back from it. */
export interface PushedImage {
  /** `host/name` */
  readonly repository: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly index: boolean;
  /** Real platforms only (attestations left out). */
  readonly platforms: readonly PlatformImage[];
}

export interface PlatformImage {
  /** `linux/amd64`, `linux/arm64/v8`. */
  readonly platform: string;
  /** Architecture as in the image's config: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly layerMediaTypes: readonly string[];
  /** Compressed bytes of the layers. */
  readonly bytes: number;
}

/** Tags of a run's own image. */
export interface ImageTags {
  /** `tags`: for people. */
  readonly named: readonly string[];
  /** Under which an image with this content is found again: none or one. */
  readonly content: readonly string[];
}
