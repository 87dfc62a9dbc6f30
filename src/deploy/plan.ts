import type { FunctionTarget } from '../inputs/inputs.ts';
import type { PlatformImage } from '../image/plan.ts';
import type { AliasView, FunctionView } from '../systems/lambda.ts';

/** A function as it was found before anything changed. */
export interface FunctionPlan {
  readonly target: FunctionTarget;
  /** `name` or `name:alias`, for messages. */
  readonly label: string;
  /** As the user wrote it, for calls; an ARN keeps its account. */
  readonly name: string;
  readonly view: FunctionView;
  /** Digest of `$LATEST`'s image. */
  readonly digest: string | undefined;
  /** Undefined: none asked for, or it doesn't exist yet. */
  readonly alias: AliasView | undefined;
  /** `repo@sha256:…` of the alias's version. */
  readonly aliasImage: string | undefined;
}

/** What a function shall run. */
export interface Goal {
  readonly plan: FunctionPlan;
  readonly child: PlatformImage;
  /** `repo@sha256:…` as Lambda takes it. */
  readonly imageUri: string;
}

/** An order guard's verdict on what is deployed: ours is newer, or somebody newer was here. */
export type Verdict = 'go' | { readonly supersededBy: string };

/** For which function and image a guard is asked. */
export interface GuardedGoal {
  readonly plan: { readonly view: Pick<FunctionView, 'arn'> };
  readonly child: Pick<PlatformImage, 'digest'>;
}

/** Asked with the digest that is deployed now, just before it would be replaced. */
export type Guard = (deployed: string | undefined, goal: GuardedGoal) => Promise<Verdict>;

export interface DeployRow {
  readonly function: string;
  readonly alias: string | undefined;
  readonly fromDigest: string | undefined;
  readonly toDigest: string;
  /** The version that runs the image; undefined: none was published. */
  readonly version: string | undefined;
  readonly aliasFrom: string | undefined;
  readonly aliasTo: string | undefined;
  readonly result: 'updated' | 'unchanged' | 'superseded' | 'planned';
  readonly supersededBy: string | undefined;
  readonly ms: number;
}

export interface DeployReport {
  readonly rows: readonly DeployRow[];
}
