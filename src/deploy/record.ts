import { ActionError } from '../errors.ts';
import type { AliasView, FunctionView } from '../systems/lambda.ts';
import type { Goal } from './plan.ts';
import { sameImage } from './reference.ts';

/** How far a deployment has come. Aliases are untouched before `flip`. */
export type Stage = 'code' | 'publish' | 'smoke' | 'flip' | 'done';

/**
 * What a deployment has changed, as plain JSON for the action's state: enough for the post step to
 * finish or undo it. No secrets.
 */
export interface DeployRecord {
  readonly stage: Stage;
  readonly rollback: boolean;
  readonly functions: readonly FunctionRecord[];
}

export interface FunctionRecord {
  /** For calls, as the user wrote it. */
  readonly name: string;
  readonly label: string;
  readonly alias?: string;
  readonly architecture: string;
  /** `repo@sha256:…` that this run deploys. */
  readonly imageUri: string;
  /** `$LATEST`'s image that this run replaced; absent: it replaced none. */
  readonly codeBefore?: string;
  /** The version that this run published. */
  readonly version?: string;
  /** The alias before this run moved it; absent: it didn't. */
  readonly aliasBefore?:
    | {
        readonly version: string;
        readonly weights: Readonly<Record<string, number>>;
        readonly description: string;
      }
    | 'none';
  /** Its canary was asked for: a cut-off one is taken back, not finished. */
  readonly canary: boolean;
  /** It left the deployment: a newer run took over. */
  readonly superseded: boolean;
}

/** Keeps the record, and hands it on before each change it is about. */
export interface Recorder {
  readonly record: () => DeployRecord;
  stage(stage: Stage): void;
  changing(goal: Goal, view: FunctionView): void;
  published(goal: Goal, version: string): void;
  moving(goal: Goal, before: AliasView | undefined): void;
  superseded(goal: Goal): void;
}

export function createRecorder(
  goals: readonly Goal[],
  rollback: boolean,
  onRecord: (record: DeployRecord) => void,
): Recorder {
  const functions = new Map<Goal, FunctionRecord>(
    goals.map((goal) => [
      goal,
      {
        name: goal.plan.name,
        label: goal.plan.label,
        ...(goal.plan.target.alias === undefined ? {} : { alias: goal.plan.target.alias }),
        architecture: goal.plan.view.architecture,
        imageUri: goal.imageUri,
        canary: goal.plan.target.canary !== undefined,
        superseded: false,
      },
    ]),
  );
  let stage: Stage = 'code';
  const record = (): DeployRecord => ({ stage, rollback, functions: [...functions.values()] });
  const change = (goal: Goal, part: Partial<FunctionRecord>) => {
    const before = functions.get(goal);
    if (before === undefined) return;
    functions.set(goal, { ...before, ...part });
    onRecord(record());
  };
  return {
    record,
    stage: (next) => {
      stage = next;
      onRecord(record());
    },
    changing: (goal, { resolvedImageUri }) => {
      // The last one that isn't ours counts: somebody may have deployed between two tries.
      if (resolvedImageUri === undefined || sameImage(resolvedImageUri, goal.imageUri)) return;
      change(goal, { codeBefore: resolvedImageUri });
    },
    published: (goal, version) => {
      change(goal, { version });
    },
    moving: (goal, before) => {
      if (before === undefined) {
        change(goal, { aliasBefore: 'none' });
        return;
      }
      const { version, weights, description } = before;
      const ours = functions.get(goal)?.version;
      // What this run itself has put there is nothing to go back to.
      if (version === ours) return;
      const others = Object.entries(weights).filter(([other]) => other !== ours);
      change(goal, {
        aliasBefore: { version, weights: Object.fromEntries(others), description },
      });
    },
    superseded: (goal) => {
      change(goal, { superseded: true });
    },
  };
}

/**
 * A record as the action's state gives it back.
 *
 * @returns undefined when there is none. @throws ActionError when it is something else.
 */
export function readDeployRecord(value: unknown): DeployRecord | undefined {
  if (value === undefined || value === null) return undefined;
  const record = value as Partial<DeployRecord>;
  const complete =
    typeof value === 'object' &&
    stages.has(record.stage ?? '') &&
    typeof record.rollback === 'boolean' &&
    Array.isArray(record.functions) &&
    record.functions.every(
      (fn: Partial<FunctionRecord> | null) =>
        typeof fn?.name === 'string' &&
        typeof fn.label === 'string' &&
        typeof fn.imageUri === 'string',
    );
  if (!complete) {
    throw new ActionError("What the main step left about its deployment to Lambda can't be read.", {
      hint: 'See in the Lambda console what the functions and their aliases run.',
    });
  }
  return value as DeployRecord;
}

const stages: ReadonlySet<string> = new Set<Stage>(['code', 'publish', 'smoke', 'flip', 'done']);
