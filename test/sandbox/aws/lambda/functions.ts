import { randomUUID } from 'node:crypto';

/** How an update (or a new version) goes: for `polls` looks or `ms` it is under way, then settles. */
export interface Timeline {
  /** How many GetFunction calls still see it under way. Default 1. */
  readonly polls?: number;
  /** Under way for this long, whatever the looks. */
  readonly ms?: number;
  /** Absent: it succeeds. */
  readonly failed?: { readonly code: string; readonly reason: string };
}

/** What runs: an image as Lambda has resolved it. */
export interface Code {
  readonly imageUri: string;
  /** `host/name@sha256:…` */
  readonly resolvedImageUri: string;
  readonly codeSha256: string;
  readonly architecture: string;
}

interface Settling {
  polls: number;
  readonly until: number;
  readonly settle: () => void;
}

export interface Status {
  state: string;
  stateReason: string | undefined;
  stateReasonCode: string | undefined;
  lastUpdateStatus: string;
  lastUpdateStatusReason: string | undefined;
  lastUpdateStatusReasonCode: string | undefined;
}

/** `$LATEST` or a published version. */
export interface Revision extends Status {
  version: string;
  revisionId: string;
  code: Code | undefined;
  settling: Settling | undefined;
  description: string;
}

export interface StoredAlias {
  readonly name: string;
  version: string;
  weights: Record<string, number>;
  description: string;
  revisionId: string;
  /** With provisioned concurrency: for how many reads AWS's own weights are seen after a move. */
  settlingReads: number;
  settlingWeights: Record<string, number>;
}

export interface StoredFunction {
  readonly name: string;
  readonly arn: string;
  readonly packageType: 'Image' | 'Zip';
  /** What nobody may touch. */
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly latest: Revision;
  /** Published versions, oldest first. */
  readonly versions: Revision[];
  readonly aliases: Map<string, StoredAlias>;
  /** ms */
  timeout: number;
  provisionedConcurrency: boolean;
  /** Counted up by every change to what a new version would hold. */
  changed: boolean;
  /** Scripted: taken one by one, then the defaults (one look under way, then fine). */
  readonly nextUpdates: Timeline[];
  readonly nextVersions: Timeline[];
  /** `Errors` of CloudWatch by version. */
  readonly errors: Map<string, number>;
  nextVersion: number;
}

const settled: Status = {
  state: 'Active',
  stateReason: undefined,
  stateReasonCode: undefined,
  lastUpdateStatus: 'Successful',
  lastUpdateStatusReason: undefined,
  lastUpdateStatusReasonCode: undefined,
};

export function newFunction(
  name: string,
  arn: string,
  options: { packageType?: 'Image' | 'Zip' | undefined; code: Code | undefined },
): StoredFunction {
  return {
    name,
    arn,
    packageType: options.packageType ?? 'Image',
    configuration: {
      MemorySize: 512,
      Role: `${arn.split(':function:')[0] ?? ''}:role/app`,
      Environment: { Variables: { SECRET: 'kept' } },
    },
    latest: {
      version: '$LATEST',
      revisionId: randomUUID(),
      code: options.code,
      settling: undefined,
      description: '',
      ...settled,
    },
    versions: [],
    aliases: new Map(),
    timeout: 10_000,
    provisionedConcurrency: false,
    changed: true,
    nextUpdates: [],
    nextVersions: [],
    errors: new Map(),
    nextVersion: 1,
  };
}

/** Changes `$LATEST`'s code as an accepted UpdateFunctionCode does: under way first, then settled. */
export function startUpdate(
  fn: StoredFunction,
  code: Code,
  timeline: Timeline = fn.nextUpdates.shift() ?? {},
): void {
  const { latest } = fn;
  fn.changed = true;
  Object.assign(latest, {
    code,
    revisionId: randomUUID(),
    lastUpdateStatus: 'InProgress',
    lastUpdateStatusReason: 'The function is being created.',
    lastUpdateStatusReasonCode: 'Creating',
  });
  latest.settling = settling(timeline, () => {
    const { failed } = timeline;
    Object.assign(latest, {
      // The id changes once more when an update settles.
      revisionId: randomUUID(),
      ...(failed === undefined
        ? settled
        : {
            lastUpdateStatus: 'Failed',
            lastUpdateStatusReason: failed.reason,
            lastUpdateStatusReasonCode: failed.code,
          }),
    });
  });
}

/** The version that PublishVersion answers: the last one again when nothing has changed since. */
export function publish(fn: StoredFunction, description: string): Revision {
  const last = fn.versions.at(-1);
  if (!fn.changed && last !== undefined) return last;
  const timeline = fn.nextVersions.shift() ?? {};
  const version: Revision = {
    version: String(fn.nextVersion),
    revisionId: randomUUID(),
    code: fn.latest.code,
    settling: undefined,
    description,
    ...settled,
    state: 'Pending',
    stateReason: 'The function is being created.',
    stateReasonCode: 'Creating',
  };
  version.settling = settling(timeline, () => {
    const { failed } = timeline;
    Object.assign(version, {
      revisionId: randomUUID(),
      ...(failed === undefined
        ? settled
        : { state: 'Failed', stateReason: failed.reason, stateReasonCode: failed.code }),
    });
  });
  fn.nextVersion += 1;
  fn.versions.push(version);
  fn.changed = false;
  fn.latest.revisionId = randomUUID();
  return version;
}

function settling(timeline: Timeline, settle: () => void): Settling {
  return { polls: timeline.polls ?? 1, until: Date.now() + (timeline.ms ?? 0), settle };
}

/** One look from outside: what is under way comes nearer to its end. */
export function look(revision: Revision): Revision {
  const { settling } = revision;
  if (settling !== undefined) {
    if (due(settling)) {
      revision.settling = undefined;
      settling.settle();
    }
    settling.polls -= 1;
  }
  return revision;
}

/** Whether something is under way: what is due settles first, as AWS needs nobody to look. */
export function underWay(revision: Revision): boolean {
  if (revision.settling !== undefined && due(revision.settling)) look(revision);
  return revision.settling !== undefined;
}

function due(settling: Settling): boolean {
  return settling.polls <= 0 && Date.now() >= settling.until;
}

export function setAlias(
  fn: StoredFunction,
  name: string,
  change: { version: string; weights: Record<string, number>; description: string },
): StoredAlias {
  const before = fn.aliases.get(name);
  const alias: StoredAlias = {
    name,
    ...change,
    revisionId: randomUUID(),
    settlingReads:
      fn.provisionedConcurrency && before !== undefined && before.version !== change.version
        ? 2
        : 0,
    settlingWeights: before === undefined ? {} : { [before.version]: 1 },
  };
  fn.aliases.set(name, alias);
  return alias;
}
