import { explain } from '../errors.ts';
import type { BuildOutcome, PushedImage } from '../image/plan.ts';
import { summarize, type SummaryFacts } from '../image/summary.ts';
import type { Job } from '../job.ts';
import type { DeployReport } from '../deploy/plan.ts';
import type { Published } from './publish.ts';
import { duration } from '../wait.ts';

/**
 * What is known of the run so far. Steps' results are put here as they come, so that a failed run's
 * summary and outputs tell how far it got.
 */
export interface Told {
  outcome: SummaryFacts['outcome'];
  /** Why it was built, or not. */
  why: string;
  tags: readonly string[];
  image?: PushedImage;
  build?: BuildOutcome;
  cacheBackends: readonly string[];
  pipCacheHit?: string;
  order?: NonNullable<SummaryFacts['order']>;
  functions: SummaryFacts['functions'];
  /** `name` or `name:alias` → version. */
  versions: Readonly<Record<string, string>>;
  notices: string[];
}

export function startTold(): Told {
  return {
    outcome: 'built',
    why: '',
    tags: [],
    cacheBackends: [],
    functions: [],
    versions: {},
    notices: [],
  };
}

/** What became of the moving tags. */
export function tellPublished(told: Told, published: Published): void {
  const { result, supersededBy, waitedMs, tags } = published;
  told.order = {
    result,
    supersededBy:
      supersededBy === undefined
        ? undefined
        : (supersededBy.url ?? `run ${supersededBy.key.runId}`),
    waitedMs,
    tags: tags.flatMap(({ tag, from, to }) => (to === undefined ? [] : [{ tag, from, to }])),
  };
}

/** What became of the functions. */
export function tellDeployed(told: Told, { rows }: DeployReport): void {
  const label = (name: string, alias: string | undefined) =>
    alias === undefined ? name : `${name}:${alias}`;
  told.functions = rows.map((row) => ({
    name: label(row.function, row.alias),
    from: row.fromDigest,
    to: row.toDigest,
    version: row.version,
    result: row.supersededBy === undefined ? row.result : `superseded by ${row.supersededBy}`,
  }));
  told.versions = Object.fromEntries(
    rows.flatMap((row): [string, string][] =>
      row.version === undefined ? [] : [[label(row.function, row.alias), row.version]],
    ),
  );
}

/**
 * Sets the outputs and writes the job summary, of a failed run as well.
 *
 * @param failure what the run failed with; undefined: it succeeded.
 */
export async function report(job: Job, told: Told, failure: unknown): Promise<void> {
  const { runner, timeline, inputs } = job;
  for (const [name, value] of outputs(job, told)) runner.setOutput(name, value);
  if (!inputs.summary) return;
  const { image, build } = told;
  await runner.summary(
    summarize({
      image: image === undefined ? undefined : `${image.repository}@${image.digest}`,
      tags: told.tags,
      outcome: told.outcome,
      why: told.why,
      platforms: image?.platforms ?? [],
      build,
      cacheBackends: told.cacheBackends,
      pipCache: told.pipCacheHit,
      order: told.order,
      functions: told.functions,
      phases: timeline.phases,
      notices: [...told.notices, ...(build?.notices ?? [])],
      dryRun: inputs.dryRun,
      failure: failure === undefined ? undefined : explain(failure),
    }),
  );
}

/** Outputs as SPEC names them; what is not known is left unset (an empty string to the workflow). */
function outputs({ timeline }: Job, told: Told): readonly [string, string][] {
  const { image, build, order } = told;
  const all: [string, string | undefined][] = [
    ['image', image && `${image.repository}@${image.digest}`],
    ['repository', image?.repository],
    ['tags', told.tags.join('\n')],
    ['digest', image?.digest],
    [
      'platform-digests',
      image &&
        JSON.stringify(
          Object.fromEntries(image.platforms.map((one) => [one.platform, one.digest])),
        ),
    ],
    ['imageid', build?.imageId],
    ['metadata', build?.metadata],
    ['built', told.why === '' ? undefined : String(told.outcome !== 'unchanged')],
    ['cache-hit-ratio', build?.cacheHitRatio?.toFixed(2)],
    ['order-result', order?.result ?? (image && 'off')],
    ['superseded-by', order?.supersededBy],
    ['lambda-versions', JSON.stringify(told.versions)],
    ['pip-cache-hit', told.pipCacheHit],
    [
      'timings',
      JSON.stringify(
        Object.fromEntries(
          timeline.phases.map(({ name, start, end }) => [name, Math.round(end - start)]),
        ),
      ),
    ],
  ];
  return all.flatMap(([name, value]): [string, string][] =>
    value === undefined || value === '' ? [] : [[name, value]],
  );
}

/** The last lines of the log: what was shipped, where everything is now, and how long it took. */
export function closingLines({ timeline, inputs }: Job, told: Told): readonly string[] {
  const { image, order } = told;
  const lines: string[] = [];
  if (image !== undefined) lines.push(`Image: ${image.repository}@${image.digest}`);
  for (const { tag, from, to } of order?.tags ?? []) {
    const verb = inputs.dryRun ? 'would be' : 'is';
    lines.push(
      from === to
        ? `${tag} ${verb} at ${to} as before`
        : `${tag} ${verb} at ${to} (was at ${from ?? 'nothing'})`,
    );
  }
  if (order?.supersededBy !== undefined) lines.push(`Superseded by ${order.supersededBy}`);
  for (const { name, to, result, version } of told.functions) {
    lines.push(`${name}: ${result}, ${to}${version === undefined ? '' : ` as version ${version}`}`);
  }
  const phases = timeline.phases
    .filter(({ result }) => result !== 'skipped')
    .map(({ name, start, end }) => `${name} ${duration(end - start)}`);
  lines.push(`${duration(timeline.elapsed())} in all: ${phases.join(', ')}`);
  return lines;
}
