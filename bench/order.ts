// What keeping order costs: a day of one lane, 1,000 runs, some 50 of them alive at a time, by simulation
// of the production code over systems in memory, in simulated time. `--deep` explores more interleavings
// of the protocol with the model checker instead.
import type { OrderInputs } from '../src/inputs/inputs.ts';
import type { GitHubActions } from '../src/systems/github.ts';
import { openTurn, repair, type Published } from '../src/steps/publish.ts';
import { duration } from '../src/wait.ts';
import { explore } from '../test/turn/model/explore.ts';
import {
  contextOf,
  FakeEcr,
  FakeGitHub,
  FakeLog,
  FakeStore,
  manifestOf,
  ORDER,
  REPOSITORY,
  SimulatedClock,
} from '../test/turn/fakes.ts';

const RUNS = 1_000;
const FIRST = 100_000;
const DAY = 24 * 3_600_000;

interface Load {
  readonly name: string;
  /** When run n begins, and how long it builds, in ms. */
  begins(n: number, random: () => number): number;
  builds(random: () => number): number;
}

const loads: readonly Load[] = [
  {
    name: 'evenly over the day, builds of 40-100 min',
    begins: (n, random) => ((n + random()) * DAY) / RUNS,
    builds: (random) => (40 + 60 * random()) * 60_000,
  },
  {
    name: '20 bursts of 50 in a minute, builds of 2-6 min',
    begins: (n, random) => (Math.floor(n / 50) * DAY) / 20 + ((n % 50) + random()) * 1_200,
    builds: (random) => (2 + 4 * random()) * 60_000,
  },
];

const orders: readonly (Pick<OrderInputs, 'mode' | 'state'> & { name: string })[] = [
  { name: 'in-turn, github', mode: 'in-turn', state: 'github' },
  { name: 'in-turn, registry', mode: 'in-turn', state: 'registry' },
  { name: 'in-turn, s3', mode: 'in-turn', state: 's3' },
  { name: 'newest, registry', mode: 'newest', state: 'registry' },
  { name: 'newest, s3', mode: 'newest', state: 's3' },
  { name: 'off', mode: 'off', state: 'github' },
];

/** Counts what a rate limit counts: an answer that is the same as last time is a 304 and free. */
function conditional(github: GitHubActions, tell: (free: boolean) => void): GitHubActions {
  const last = new Map<string, string>();
  const ask = async <T>(name: string, answer: Promise<T>): Promise<T> => {
    const value = await answer;
    const text = JSON.stringify(value) ?? '';
    tell(last.get(name) === text);
    last.set(name, text);
    return value;
  };
  return {
    run: (id) => ask(`run ${id}`, github.run(id)),
    runs: (workflow, page) => ask(`runs ${page}`, github.runs(workflow, page)),
    jobs: (id) => ask(`jobs ${id}`, github.jobs(id)),
  };
}

interface Day {
  readonly published: readonly Published[];
  /** From the image being ready to the turn, in ms. */
  readonly waits: readonly number[];
  readonly gitHubCounted: number;
  readonly alive: number;
  readonly back: number;
  readonly right: boolean;
}

async function day(load: Load, order: (typeof orders)[number]): Promise<Day> {
  const clock = new SimulatedClock(7);
  const random = () => clock.random();
  const ecr = new FakeEcr();
  const store = new FakeStore();
  const github = new FakeGitHub();
  const pause = (from: number, to: number) => async () =>
    clock.sleep(from + (to - from) * random());
  ecr.before = pause(20, 80);
  store.before = pause(15, 60);
  github.before = pause(80, 300);
  const builtBy = new Map<string, number>();
  let newest = -1;
  let back = 0;
  ecr.onPut = (tag, digest) => {
    if (tag !== 'latest') return;
    const run = builtBy.get(digest) ?? -1;
    if (run < newest) back += 1;
    newest = run;
  };
  const published: Published[] = [];
  const waits: number[] = [];
  let gitHubCounted = 0;
  let live = 0;
  let alive = 0;
  let last = -1;

  const one = async (n: number, begins: number, builds: number, fails: boolean) => {
    await clock.sleep(begins);
    const runId = FIRST + n;
    live += 1;
    alive = Math.max(alive, live);
    github.add(runId, { number: n + 1 });
    const turn = openTurn(
      {
        order: { ...ORDER, mode: order.mode, state: order.state, timeout: 2 * 3_600_000 },
        context: contextOf(runId),
        repository: REPOSITORY,
        movingTags: ['latest'],
        canPublish: true,
      },
      {
        ecr,
        store,
        log: new FakeLog(),
        clock,
        github: conditional(github, (free) => (gitHubCounted += free ? 0 : 1)),
      },
    );
    // As in production: the wait goes on beside the build.
    await turn.begin();
    const stop = new AbortController();
    const waited = turn.wait(stop.signal).catch(() => 0);
    await clock.sleep(builds);
    const ready = clock.now();
    if (fails) stop.abort();
    await waited;
    waits.push(clock.now() - ready);
    if (!fails) {
      const image = ecr.push(manifestOf(`run ${n}`), `run-${n + 1}`);
      builtBy.set(image.digest, n);
      last = Math.max(last, n);
      published.push(await turn.publish(image));
    } else if (turn.record.flag) {
      await repair(turn.record, { ecr, store, github, log: new FakeLog(), clock });
    }
    github.finish(runId, fails ? 'failure' : 'success');
    // GitHub keeps runs, and so the list grows; the jobs of finished runs are never asked for again.
    live -= 1;
  };

  const all = Array.from({ length: RUNS }, (_, n) =>
    one(n, load.begins(n, random), load.builds(random), random() < 0.06),
  );
  await clock.run(Promise.all(all));
  const latest = ecr.tags.get('latest') ?? '';
  return { published, waits, gitHubCounted, alive, back, right: builtBy.get(latest) === last };
}

function row(name: string, result: Day): string[] {
  const { published } = result;
  const per = (pick: (one: Published) => number) =>
    (published.reduce((sum, one) => sum + pick(one), 0) / published.length).toFixed(1);
  const waits = result.waits.toSorted((a, b) => a - b);
  const at = (share: number) => duration(waits[Math.floor((waits.length - 1) * share)] ?? 0);
  const superseded = published.filter((one) => one.result === 'superseded').length;
  return [
    name,
    per((one) => one.requests.ecr),
    per((one) => one.requests.s3),
    per((one) => one.requests.github),
    (result.gitHubCounted / RUNS).toFixed(1),
    at(0.5),
    at(0.95),
    `${((100 * superseded) / published.length).toFixed(1)} %`,
    String(result.back),
    result.right ? 'yes' : 'NO',
  ];
}

const HEAD = [
  'order',
  'ECR req/run',
  'S3 req/run',
  'GitHub req/run',
  'of them counted',
  'wait p50',
  'wait p95',
  'superseded',
  'latest went back',
  'right at the end',
];

function table(rows: readonly (readonly string[])[]): string {
  const all = [HEAD, ...rows];
  const width = HEAD.map((_, column) =>
    Math.max(...all.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(width[column] ?? 0)).join(' | ')} |`;
  return [line(HEAD), `|${width.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}

async function simulate(): Promise<void> {
  for (const load of loads) {
    const rows: string[][] = [];
    let alive = 0;
    for (const order of orders) {
      const result = await day(load, order);
      alive = Math.max(alive, result.alive);
      rows.push(row(order.name, result));
    }
    console.log(
      `\n1,000 runs of one lane in a day, ${load.name}; up to ${alive} alive at once; 6 % fail.\n`,
    );
    console.log(table(rows));
  }
}

function deep(): void {
  const three = [{}, {}, {}];
  for (const [name, setup] of [
    [
      'two, newest: two kills, two copies',
      { runs: [{}, {}], inTurn: false, crashes: 2, copies: 2, failures: true },
    ],
    ['three, newest, two lanes', { runs: [{}, { lane: 'b' }, {}], inTurn: false }],
    ['three, in turn: timeouts', { runs: three, inTurn: true, timeouts: true, failures: true }],
  ] as const) {
    const began = performance.now();
    const { states, transitions, windows, broken } = explore(setup, undefined, {
      states: 12_000_000,
    });
    const took = duration(performance.now() - began);
    console.log(
      `${name}: ${states} states, ${transitions} transitions in ${took}`,
      windows,
      broken ?? 'all promises kept',
    );
    if (broken !== undefined) process.exitCode = 1;
  }
}

if (process.argv.includes('--deep')) deep();
else await simulate();
