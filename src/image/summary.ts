import { duration } from '../wait.ts';
import type { BuildOutcome, PlatformImage } from './plan.ts';

/** What the job summary tells, gathered by steps/report.ts. */
export interface SummaryFacts {
  /** `host/name@sha256:…`, or undefined when nothing was pushed. */
  readonly image: string | undefined;
  readonly tags: readonly string[];
  readonly outcome: 'built' | 'unchanged' | 'build only' | 'called';
  /** One sentence: why it was built, or not. */
  readonly why: string;
  readonly platforms: readonly PlatformImage[];
  readonly build: Pick<BuildOutcome, 'steps' | 'slowest'> | undefined;
  readonly cacheBackends: readonly string[];
  readonly pipCache: string | undefined;
  readonly order:
    | {
        readonly result: string;
        readonly supersededBy: string | undefined;
        readonly waitedMs: number;
        readonly tags: readonly {
          readonly tag: string;
          readonly from: string | undefined;
          readonly to: string;
        }[];
      }
    | undefined;
  readonly functions: readonly {
    readonly name: string;
    readonly from: string | undefined;
    readonly to: string;
    readonly version: string | undefined;
    readonly result: string;
  }[];
  readonly phases: readonly {
    readonly name: string;
    readonly start: number;
    readonly end: number;
    readonly result: 'done' | 'failed' | 'skipped';
  }[];
  readonly notices: readonly string[];
  readonly dryRun: boolean;
  /** The error's whole text, when the run failed. */
  readonly failure: string | undefined;
}

/** The job summary as GitHub-flavoured Markdown. */
export function summarize(facts: SummaryFacts): string {
  return [
    heading(facts),
    failure(facts),
    imageTable(facts),
    orderTable(facts),
    functionTable(facts),
    gantt(facts),
    slowest(facts),
    notices(facts),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

function heading({ outcome, why, image, failure: failed, dryRun }: SummaryFacts): string {
  const title = failed === undefined ? (dryRun ? 'Dry run' : 'Shipped') : 'Not shipped';
  const what = image === undefined ? '' : `\n\n${code(image)}`;
  const reason = why === '' ? '' : `\n\n${text(why)}`;
  return `## ${outcome === 'build only' && failed === undefined ? 'Built, not published' : title}${what}${reason}`;
}

function failure({ failure: failed }: SummaryFacts): string {
  return failed === undefined ? '' : fenced(failed);
}

function imageTable(facts: SummaryFacts): string {
  const rows: [string, string][] = [];
  if (facts.tags.length > 0) rows.push(['Tags', facts.tags.map(code).join(' ')]);
  for (const { platform, digest, bytes } of facts.platforms) {
    rows.push([platform, `${short(digest)}, ${megabytes(bytes)} compressed`]);
  }
  if (facts.build !== undefined) {
    const { cached, run } = facts.build.steps;
    rows.push(['Build steps', `${cached} cached, ${run} run`]);
  }
  if (facts.cacheBackends.length > 0) rows.push(['Layer cache', facts.cacheBackends.join(', ')]);
  if (facts.pipCache !== undefined) rows.push(['Python environment', facts.pipCache]);
  return rows.length === 0 ? '' : table(['', ''], rows);
}

function orderTable({ order, dryRun }: SummaryFacts): string {
  if (order === undefined) return '';
  const lines = [dryRun ? '### Moving tags' : `### Moving tags: ${order.result}`];
  if (order.supersededBy !== undefined) lines.push(`Superseded by ${order.supersededBy}.`);
  if (order.waitedMs >= 1000) lines.push(`Waited ${duration(order.waitedMs)} for earlier runs.`);
  if (order.tags.length > 0) {
    const to = dryRun ? 'Would be at' : 'Now at';
    const rows = order.tags.map(({ tag, from, to: now }) => [
      code(tag),
      from === undefined ? 'nothing' : short(from),
      from === now ? 'the same' : short(now),
    ]);
    lines.push(table(['Tag', 'Was at', to], rows));
  }
  return lines.join('\n\n');
}

function functionTable({ functions, dryRun }: SummaryFacts): string {
  if (functions.length === 0) return '';
  const rows = functions.map(({ name, from, to, version, result }) => [
    code(name),
    from === undefined ? 'nothing' : short(from),
    short(to),
    version ?? '',
    result,
  ]);
  return `### Lambda\n\n${table(['Function', 'Was at', dryRun ? 'Would be at' : 'Now at', 'Version', 'Result'], rows)}`;
}

/** Mermaid's Gantt chart; times are ms since the action began. */
function gantt({ phases }: SummaryFacts): string {
  const shown = phases.filter(({ result, start, end }) => result !== 'skipped' && end > start);
  if (shown.length === 0) return '';
  const bars = shown
    .toSorted((one, other) => one.start - other.start)
    .map(({ name, start, end, result }) => {
      // A colon or semicolon ends a task's name in Mermaid.
      const label = `${name.replaceAll(/[:;#,]/g, ' ')} (${duration(end - start)})`;
      const from = Math.round(start);
      return `  ${label} :${result === 'failed' ? 'crit, ' : ''}${from}, ${Math.max(Math.round(end), from + 1)}`;
    });
  return [
    '### Where the time went',
    '```mermaid\ngantt\n  dateFormat x\n  axisFormat %M:%S',
    ...bars,
    '```',
  ].join('\n');
}

function slowest({ build }: SummaryFacts): string {
  const steps = build?.slowest.filter(({ ms }) => ms >= 100).slice(0, 5) ?? [];
  if (steps.length === 0) return '';
  const rows = steps.map(({ name, ms, cached }) => [code(name), cached ? 'cached' : duration(ms)]);
  return `<details><summary>Slowest build steps</summary>\n\n${table(['Step', 'Time'], rows)}\n\n</details>`;
}

function notices({ notices: list }: SummaryFacts): string {
  return list.length === 0
    ? ''
    : `### Notices\n\n${list.map((one) => `- ${text(one)}`).join('\n')}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A digest as people compare it: its first 12 hex digits. */
export function short(digest: string): string {
  return code(digest.replace(/^.*@/, '').slice(0, 'sha256:'.length + 12));
}

function code(value: string): string {
  // A backtick in a code span is closed by a longer fence; a pipe would end the table's cell.
  const safe = value.replaceAll('|', String.raw`\|`).replaceAll(/\s+/g, ' ');
  return safe.includes('`') ? `\`\` ${safe} \`\`` : `\`${safe}\``;
}

function text(value: string): string {
  return value.replaceAll('<', '&lt;');
}

function fenced(value: string): string {
  const longest = Math.max(2, ...[...value.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${value}\n${fence}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
