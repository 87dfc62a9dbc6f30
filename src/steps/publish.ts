import type { RunContext } from '../context.ts';
import { asError } from '../errors.ts';
import type { OrderInputs } from '../inputs/inputs.ts';
import type { Manifest } from '../systems/ecr.ts';
import { flagAhead } from '../turn/ahead/flags.ts';
import { githubAhead } from '../turn/ahead/github.ts';
import { drive, type Driven } from '../turn/drive.ts';
import {
  compareKeys,
  keyText,
  laneRegister,
  shortHash,
  tagRegister,
  type OrderKey,
} from '../turn/keys.ts';
import { counted, movingTag, openParts, type Requests, type TurnSystems } from '../turn/open.ts';
import { resume, start, step, type Announced, type Result } from '../turn/protocol.ts';
import type { TurnRecord } from '../turn/record.ts';
import type { Ahead } from '../turn/register.ts';

export type { TurnRecord } from '../turn/record.ts';
export { readTurnRecord } from '../turn/record.ts';

export interface TurnOptions {
  readonly order: OrderInputs;
  readonly context: RunContext;
  readonly repository: { readonly name: string; readonly uri: string };
  readonly movingTags: readonly string[];
  /** False for pull requests, forks and dry runs: nothing is announced or moved. */
  readonly canPublish: boolean;
  /** Told before anything is announced and after each change, for the post step. */
  readonly onRecord?: (record: TurnRecord) => void;
}

/** A newer run that has announced. `url` undefined: another workflow's, maybe another repository's. */
export interface Superseded {
  readonly key: OrderKey;
  readonly url: string | undefined;
}

export interface MovedTag {
  readonly tag: string;
  /** The digest before; undefined: the tag didn't exist. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export interface Published {
  /**
   * `superseded`: end at once, deploy nothing. `unchanged`: tags are where they belong. With
   * `supersededBy`, a newer run of another workflow holds the tag, and this run goes on to deploy.
   */
  readonly result: 'moved' | 'unchanged' | 'superseded' | 'off';
  readonly supersededBy: Superseded | undefined;
  readonly tags: readonly MovedTag[];
  readonly waitedMs: number;
  readonly requests: Requests;
}

/** One run's turn in the order. */
export interface Turn {
  readonly key: OrderKey;
  /** 8 hex digits: which runs supersede each other. */
  readonly lane: string;
  readonly record: TurnRecord;
  /** Makes this run visible to later ones where that takes a flag. Call it as early as possible. */
  begin(): Promise<void>;
  /**
   * Waits until no earlier live run of the lane is still to publish (`in-turn`), or order-timeout is
   * over. Called beside the build, its requests cost no time; else `publish` does it.
   * @returns ms waited.
   */
  wait(signal?: AbortSignal): Promise<number>;
  /** Announces the image and moves the tags. Only for an image that is pushed, built well and verified. */
  publish(manifest: Pick<Manifest, 'digest'>, signal?: AbortSignal): Promise<Published>;
  /** The newer run of the lane that has announced, if any: ask before each step of a deployment. */
  check(): Promise<Superseded | undefined>;
}

/** The lane of a run: order-lane, or the job of its workflow on its branch. */
export function laneOf(order: Pick<OrderInputs, 'lane'>, context: RunContext): string {
  return order.lane === ''
    ? shortHash('job', context.serverUrl, workflowPath(context), context.ref, context.job)
    : shortHash('named', context.serverUrl, order.lane);
}

function workflowPath(context: RunContext): string {
  return context.workflowRef.split('@')[0] ?? context.workflow;
}

/** A run's turn; nothing is asked of the outside yet. @throws ActionError when S3 has no bucket. */
export function openTurn(options: TurnOptions, outside: TurnSystems): Turn {
  const { order, context, repository, movingTags } = options;
  const { systems, requests } = counted(outside);
  const { log, clock, ecr } = systems;
  const key: OrderKey = { runId: context.runId, runAttempt: context.runAttempt };
  const lane = laneOf(order, context);
  const unordered = order.mode === 'off' || !options.canPublish;
  const server = context.serverUrl;
  let record: TurnRecord = {
    schema: 1,
    phase: 'waiting',
    key,
    lane,
    repository: { name: repository.name, uri: repository.uri },
    registers:
      movingTags.length === 0
        ? [{ id: laneRegister(server, lane), tag: undefined }]
        : movingTags.map((tag) => ({ id: tagRegister(server, tag), tag })),
    state: order.state,
    bucket: order.bucket,
    flag: false,
    timeout: order.timeout,
    digest: undefined,
  };
  const note = (change: Partial<TurnRecord>) => {
    record = { ...record, ...change };
    options.onRecord?.(record);
  };
  const newer: { key: OrderKey; lane: string }[] = [];
  const parts = unordered ? undefined : openParts(record, systems, () => newer);
  const urlOf = (runId: number) => `${server}/${context.repository}/actions/runs/${runId}`;
  const superseded = (by: Announced | undefined): Superseded | undefined =>
    by && { key: by.key, url: by.lane === lane ? urlOf(by.key.runId) : undefined };
  let waiting: Promise<number> | undefined;
  let begun = false;

  const ahead = ((): Ahead | undefined => {
    if (parts === undefined || order.mode !== 'in-turn') return undefined;
    const flags = parts.flags();
    if (flags !== undefined) {
      const { timeout } = order;
      const { github } = systems;
      return flagAhead(flags, { key, url: urlOf(key.runId), timeout, urlOf, github }, clock);
    }
    if (systems.github === undefined) return undefined;
    return githubAhead(
      systems.github,
      {
        ...context,
        orderJob: order.job,
        onNewer: (runs) => {
          newer.length = 0;
          for (const run of runs) {
            for (let attempt = 1; attempt <= run.attempt; attempt += 1) {
              newer.push({ key: { runId: run.id, runAttempt: attempt }, lane });
            }
          }
        },
      },
      { log, clock },
    );
  })();

  const driven = (at: NonNullable<typeof parts>['registers'][number]): Driven => ({
    ...at,
    ahead,
    timeout: order.timeout,
    interval: order.interval,
    log,
    clock,
  });

  const turn: Turn = {
    key,
    lane,
    get record() {
      return record;
    },

    async begin() {
      if (begun || ahead === undefined) return;
      begun = true;
      if (order.state !== 'github') note({ flag: true });
      await ahead.begin();
    },

    async wait(signal) {
      waiting ??= waitOnce(signal).catch((error: unknown) => {
        // A wait that was cancelled or failed may be tried again.
        waiting = undefined;
        throw error;
      });
      return waiting;
    },

    async publish(manifest, signal) {
      if (parts === undefined) return moveUnordered(manifest.digest);
      const waitedMs = await turn.wait(signal);
      signal?.throwIfAborted();
      note({ phase: 'publishing', digest: manifest.digest });
      const results: { name: string | undefined; result: Result }[] = [];
      for (const at of parts.registers) {
        const config = { key, lane, inTurn: false, hasTag: at.tag !== undefined };
        const begun = step(config, start(config).state, { on: 'image', digest: manifest.digest });
        // Once the first is announced, the others follow, cancel or not.
        const cancel = results.length === 0 ? signal : undefined;
        const { effect } = await drive(config, begun, driven(at), cancel);
        if (effect.do !== 'end') continue;
        results.push({ name: at.name, result: effect.result });
        tell(at.name, effect.result, log);
        if (effect.result.by === undefined) {
          // Only tidying: what is left is tidied up by the next run.
          await at.register
            .prune({ key, lane, digest: manifest.digest })
            .catch((error: unknown) => log.debug(`Pruning: ${asError(error).message}`));
        }
      }
      await lowerFlag();
      note({ phase: 'done', flag: false });
      const kinds = results.map(({ result }) => result.kind);
      const result = (['superseded', 'moved'] as const).find((kind) => kinds.includes(kind));
      const by = results.map((one) => one.result.by).find((one) => one !== undefined);
      return {
        result: result ?? 'unchanged',
        supersededBy: superseded(
          results.find((one) => one.result.kind === 'superseded')?.result.by ?? by,
        ),
        tags: results.flatMap(({ name: tag, result: { from, to } }) =>
          tag === undefined ? [] : [{ tag, from, to }],
        ),
        waitedMs,
        requests,
      };
    },

    async check() {
      const first = parts?.registers[0];
      if (first === undefined) return undefined;
      const { own } = await first.register.read(lane);
      return own !== undefined && compareKeys(own.key, key) > 0 ? superseded(own) : undefined;
    },
  };
  return turn;

  async function waitOnce(signal: AbortSignal | undefined): Promise<number> {
    const first = parts?.registers[0];
    if (first === undefined || ahead === undefined) return 0;
    await turn.begin();
    const began = clock.now();
    const config = { key, lane, inTurn: true, hasTag: first.tag !== undefined };
    await drive(config, start(config), driven(first), signal);
    return clock.now() - began;
  }

  async function lowerFlag(): Promise<void> {
    // A flag that stays costs others a wait until it is too old, no wrong order.
    await ahead
      ?.finish()
      .catch((error: unknown) => log.warning(`The order's flag stays: ${asError(error).message}`));
  }

  async function moveUnordered(digest: string): Promise<Published> {
    const tags: MovedTag[] = [];
    for (const tag of options.canPublish ? movingTags : []) {
      const moving = movingTag(ecr, repository.name, tag);
      const from = await moving.read();
      if (from !== digest) await moving.put({ key, lane, digest });
      tags.push({ tag, from, to: digest });
    }
    return { result: 'off', supersededBy: undefined, tags, waitedMs: 0, requests };
  }
}

function tell(tag: string | undefined, result: Result, log: TurnSystems['log']): void {
  const { by, gone, contended } = result;
  const run = by === undefined ? 'the newest run' : `run ${keyText(by.key)}`;
  if (gone) {
    log.warning(
      `${run} announced an image that is no longer in the repository, so "${tag}" stays where it was. A lifecycle rule or a person removed it; the next run moves the tag.`,
    );
  }
  if (contended) {
    log.warning(
      `Something else keeps moving "${tag}" while this run puts it where it belongs. Only this action may move it, or the order can't hold.`,
    );
  }
  if (result.kind === 'superseded') {
    log.notice(`Superseded by ${run}, which is newer and has published already.`);
  } else if (by !== undefined) {
    log.notice(`"${tag}" stays with ${run}, a newer run of another workflow.`);
  }
}

/**
 * For the post step: finishes what main left. Moves each tag to what its register holds and lowers the
 * run's flag. Doing it again changes nothing.
 * @returns tags that had to be moved.
 */
export async function repair(record: TurnRecord, systems: TurnSystems): Promise<MovedTag[]> {
  const parts = openParts(record, systems);
  const moved: MovedTag[] = [];
  if (record.phase === 'publishing') {
    for (const { register, tag, name } of parts.registers) {
      if (tag === undefined || name === undefined) continue;
      const config = { key: record.key, lane: record.lane, inTurn: false, hasTag: true };
      const { log, clock } = systems;
      const driven = { register, tag, ahead: undefined, timeout: 0, interval: 0, log, clock };
      const { effect } = await drive(config, resume(), driven, undefined);
      if (effect.do !== 'end' || effect.result.from === effect.result.to) continue;
      moved.push({ tag: name, from: effect.result.from, to: effect.result.to });
    }
  }
  if (record.flag) await parts.flags()?.lower(record.key);
  return moved;
}
