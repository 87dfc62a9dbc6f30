/** One look at a function (GetFunction), in our words. */
export interface FunctionView {
  readonly name: string;
  readonly arn: string;
  readonly packageType: string;
  /** `x86_64` or `arm64`. */
  readonly architecture: string;
  readonly state: string;
  readonly stateReason: string | undefined;
  readonly stateReasonCode: string | undefined;
  readonly lastUpdateStatus: string;
  readonly lastUpdateStatusReason: string | undefined;
  readonly lastUpdateStatusReasonCode: string | undefined;
  readonly revisionId: string;
  readonly codeSha256: string;
  /** `repo@sha256:…` */
  readonly resolvedImageUri: string | undefined;
  readonly imageUri: string | undefined;
  readonly version: string;
}

export interface AliasView {
  readonly version: string;
  readonly revisionId: string;
  /** Additional version → weight in [0, 1]. */
  readonly weights: Readonly<Record<string, number>>;
  readonly description: string;
}

export interface Invocation {
  /** Set when the function failed, although the HTTP status is 200. */
  readonly functionError: string | undefined;
  readonly payload: string;
  /** Last 4 kB of the log, decoded. */
  readonly logTail: string;
  readonly executedVersion: string;
}

/**
 * AWS Lambda. Errors are the SDK's own (their `name` decides; deploy/errors.ts explains them).
 * `RevisionId` is a real compare-and-set: PreconditionFailedException (412) on mismatch.
 */
export interface Lambda {
  getFunction(name: string, qualifier?: string): Promise<FunctionView>;
  updateCode(
    name: string,
    change: { imageUri: string; architecture: string; revisionId: string; dryRun: boolean },
  ): Promise<FunctionView>;
  publishVersion(
    name: string,
    expected: { codeSha256: string; revisionId: string; description: string },
  ): Promise<FunctionView>;
  /** Undefined: no such alias. */
  getAlias(name: string, alias: string): Promise<AliasView | undefined>;
  createAlias(
    name: string,
    alias: string,
    version: string,
    description: string,
  ): Promise<AliasView>;
  updateAlias(
    name: string,
    alias: string,
    change: {
      version: string;
      weights: Readonly<Record<string, number>>;
      revisionId: string;
      description: string;
    },
  ): Promise<AliasView>;
  /** One try, no retry of the SDK's. */
  invoke(name: string, qualifier: string, payload: string): Promise<Invocation>;
}
