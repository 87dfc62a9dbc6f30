/** What the user asked for, parsed and checked. Built by read.ts from `INPUT_*`; nothing here is raw. */
export interface Inputs {
  readonly aws: AwsInputs;
  readonly image: ImageInputs;
  readonly build: BuildInputs;
  readonly builder: BuilderInputs;
  readonly cache: CacheInputs;
  readonly python: PythonInputs;
  /** Shell lines to run beside the build; empty: none. */
  readonly verify: string;
  readonly order: OrderInputs;
  readonly lambda: LambdaInputs;
  readonly dryRun: boolean;
  readonly summary: boolean;
  readonly buildRecord: boolean;
}

export interface AwsInputs {
  readonly region: string;
  /** Absent: the SDK's default chain. */
  readonly role:
    | {
        readonly arn: string;
        readonly sessionName: string;
        readonly durationSeconds: number;
        readonly audience: string;
      }
    | undefined;
  readonly allowedAccountIds: readonly string[];
}

export interface ImageInputs {
  /** ECR repository name without host (`team/app`). */
  readonly repository: string;
  /** Given as a full URI: its registry account, and host as written. Absent: the caller's account. */
  readonly registryId: string | undefined;
  readonly registryHost: string | undefined;
  readonly createRepository: boolean;
  /** Set at push. Defaults are filled in: the commit SHA and `run-<number>[.<attempt>]`. */
  readonly tags: readonly string[];
  /** Ordered. Empty: none. */
  readonly movingTags: readonly string[];
  /** `key=value` each. */
  readonly labels: readonly string[];
  /** `[level:]key=value` each. */
  readonly annotations: readonly string[];
}

export interface BuildInputs {
  readonly context: string;
  /** Path of the Dockerfile as given; empty: `<context>/Dockerfile`. */
  readonly file: string;
  readonly target: string;
  readonly platforms: readonly string[];
  readonly buildArgs: readonly string[];
  readonly buildContexts: readonly string[];
  /** `id=value`, the value byte for byte. Masked as they are read. */
  readonly secrets: readonly string[];
  /** `id=ENV_NAME`. */
  readonly secretEnvs: readonly string[];
  /** `id=path`. */
  readonly secretFiles: readonly string[];
  readonly ssh: readonly string[];
  readonly network: string;
  readonly shmSize: string;
  readonly ulimit: readonly string[];
  readonly addHosts: readonly string[];
  readonly allow: readonly string[];
  readonly cgroupParent: string;
  readonly pull: boolean;
  readonly noCache: boolean;
  readonly noCacheFilters: readonly string[];
  readonly load: boolean;
  readonly outputs: readonly string[];
  /** Undefined: unset, a default by the repository's visibility. Otherwise as written. */
  readonly provenance: string | undefined;
  readonly sbom: string | undefined;
  readonly attests: readonly string[];
  /** `build` (default), `check`, `outline`, `targets`, … with BuildKit's options. */
  readonly call: string;
  readonly githubToken: string;
  readonly skipUnchanged: boolean;
}

export type Driver = 'auto' | 'docker' | 'docker-container' | 'remote' | 'kubernetes';

export interface BuilderInputs {
  readonly driver: Driver;
  /** An existing builder's name; wins over `driver`. */
  readonly builder: string;
  /** Empty: the buildx that is there. `latest`, `v0.29.1`, … */
  readonly buildxVersion: string;
  readonly driverOpts: readonly string[];
  readonly buildkitdFlags: string;
  /** A file's path. */
  readonly buildkitdConfig: string;
  readonly buildkitdConfigInline: string;
  readonly endpoint: string;
  /** PEM texts or file paths for a remote endpoint. */
  readonly cacert: string;
  readonly cert: string;
  readonly key: string;
  readonly keepState: boolean;
  readonly cleanup: boolean;
}

export type CacheBackend = 'gha' | 's3' | 'registry' | 'local' | 'inline' | 'off';

export interface CacheInputs {
  readonly backends: readonly CacheBackend[];
  /** Empty: automatic. */
  readonly scope: string;
  readonly mode: 'min' | 'max';
  readonly bucket: string;
  readonly prefix: string;
  /** Empty: the action's Region. */
  readonly region: string;
  /** Empty: the image's repository. */
  readonly repository: string;
  readonly write: 'auto' | 'always' | 'never';
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** `auto`, `off`, or targets listed. */
  readonly mounts: 'auto' | 'off' | readonly string[];
}

export interface PythonInputs {
  /** Files or globs; empty: off. */
  readonly requirements: readonly string[];
  readonly install: boolean;
  readonly installer: 'auto' | 'pip' | 'uv';
  readonly cachePrefix: string;
}

export interface OrderInputs {
  readonly mode: 'in-turn' | 'newest' | 'off';
  readonly state: 'github' | 'registry' | 's3';
  /** Name of the publishing job in other runs; empty: this job's own. */
  readonly job: string;
  /** Joins several workflows to one lane; empty: the workflow and branch. */
  readonly lane: string;
  readonly bucket: string;
  /** ms */
  readonly timeout: number;
  /** ms */
  readonly interval: number;
}

export interface LambdaInputs {
  readonly functions: readonly FunctionTarget[];
  readonly publish: boolean;
  /** Payload of the smoke invocation; undefined: none. */
  readonly invoke: string | undefined;
  readonly rollback: boolean;
  /** ms, for each wait on Lambda. */
  readonly timeout: number;
}

export interface FunctionTarget {
  /** As written: name, ARN, or partial ARN, without the alias. */
  readonly name: string;
  readonly alias: string | undefined;
  readonly canary: { readonly percent: number; readonly stepMs: number } | undefined;
}
