// What the two cache levels of Python save: real pip on a local index that counts bytes, the real
// @actions/cache on the sandbox's cache service, the example's own tests as `verify`. Each case is
// measured against the same steps with nothing restored, one after the other, the median of several.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { preparePython, savePython } from '../src/steps/python.ts';
import { runVerify } from '../src/steps/verify.ts';
import { connectCache } from '../src/systems/cache.ts';
import { run } from '../src/systems/process.ts';
import type { Log } from '../src/systems/runner.ts';
import { duration } from '../src/wait.ts';
import { startCacheService, type CacheService } from '../test/sandbox/cache/index.ts';
import { must } from '../test/sandbox/engine/execute.ts';
import { startPypi, type Pypi } from '../test/sandbox/pypi/pypi.ts';

const TIMES = Number(process.argv[2] ?? 3);
const ADDED = 'structlog==25.4.0';
const example = join(import.meta.dirname, '../examples/fastapi-lambda');

interface Figures {
  readonly prepare: number;
  readonly verify: number;
  readonly bytes: number;
  readonly files: number;
  readonly hit: string;
}

interface Bench {
  readonly workspace: string;
  readonly temp: string;
  readonly pypi: Pypi;
  readonly service: CacheService;
}

/** One run of the job on a fresh runner; `keep` does what post does. */
async function oneRun(bench: Bench, keep: boolean): Promise<Figures> {
  const { workspace, temp, pypi, service } = bench;
  rmSync(temp, { recursive: true, force: true });
  mkdirSync(temp, { recursive: true });
  pypi.forget();
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: temp,
    RUNNER_TEMP: temp,
    GITHUB_WORKSPACE: workspace,
    ...pypi.env,
    ...service.environment({ ref: 'refs/heads/main' }),
  };
  const cache = connectCache({ env, log: quiet });
  const from = performance.now();
  const python = await preparePython({
    python: {
      requirements: ['requirements-dev.txt'],
      install: true,
      installer: 'pip',
      cachePrefix: 'bench',
    },
    workspace,
    temp,
    env,
    fork: false,
    cache,
    run,
    log: quiet,
    runner: { addPath: () => {}, exportVariable: () => {} },
  });
  const prepare = performance.now() - from;
  const result = await runVerify('python -m pytest -q', {
    cwd: workspace,
    env: { ...env, ...python.env },
    temp,
    run,
    log: quiet,
  });
  if (!result.ok) throw result.error;
  if (keep && python.record !== undefined) await savePython(python.record, { cache, log: quiet });
  const { bytes } = pypi;
  const files = new Set(pypi.downloads).size;
  return { prepare, verify: result.ms, bytes, files, hit: python.hit };
}

const quiet: Log = {
  info: () => {},
  debug: () => {},
  notice: (message) => console.log(`  ${message}`),
  warning: (message) => console.log(`  ${message}`),
  error: (message) => console.log(`  ${message}`),
  group: (_title, work) => work(quiet),
};

const cases: readonly { name: string; change: (bench: Bench) => void }[] = [
  { name: 'nothing changed', change: () => {} },
  {
    name: 'one source line changed',
    change: ({ workspace }) => append(join(workspace, 'app/main.py'), '# one more line\n'),
  },
  {
    name: 'one requirement added',
    change: ({ workspace }) => append(join(workspace, 'requirements.txt'), `${ADDED}\n`),
  },
];

function append(file: string, text: string): void {
  writeFileSync(file, readFileSync(file, 'utf8') + text);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const total = ({ prepare, verify }: Figures) => prepare + verify;
const middle = (runs: readonly Figures[]) => median(runs.map(total));
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;

const folder = mkdtempSync(join(tmpdir(), 'bench-python-'));
const wheelhouse = join(folder, 'wheelhouse');
const workspace = join(folder, 'workspace');
const fresh = () => {
  rmSync(workspace, { recursive: true, force: true });
  cpSync(example, workspace, { recursive: true });
};

console.log('Downloading the example’s packages once, for the local index');
const lists = ['-r', join(example, 'requirements-dev.txt'), ADDED];
await must('python3', ['-m', 'pip', 'download', '--quiet', '-d', wheelhouse, ...lists]);
const pypi = await startPypi({ wheelhouse });
const service = await startCacheService();
const bench: Bench = { workspace, temp: join(folder, 'temp'), pypi, service };
try {
  fresh();
  await oneRun(bench, false); // Warms up the disk cache, which no case is to pay for.
  const lines: string[] = [];
  for (const { name, change } of cases) {
    const cold: Figures[] = [];
    const warm: Figures[] = [];
    for (let time = 1; time <= TIMES; time += 1) {
      console.log(`${name}, ${time} of ${TIMES}`);
      fresh();
      service.clear();
      await oneRun(bench, true);
      change(bench);
      warm.push(await oneRun(bench, false));
      service.clear();
      cold.push(await oneRun(bench, false));
    }
    const [coldOne, warmOne] = [cold[0], warm[0]];
    if (coldOne === undefined || warmOne === undefined) throw new Error('At least one time');
    lines.push(
      `| ${[
        name,
        warmOne.hit,
        duration(middle(cold)),
        duration(middle(warm)),
        `${(middle(cold) / middle(warm)).toFixed(1)}×`,
        `${megabytes(coldOne.bytes)} (${coldOne.files})`,
        `${megabytes(warmOne.bytes)} (${warmOne.files})`,
      ].join(' | ')} |`,
    );
  }
  console.log(`
Environment and verify, median of ${TIMES}. The index is local: over a network, downloads cost more.

| case | pip-cache-hit | nothing restored | restored | faster | downloaded (files), nothing restored | restored |
|---|---|---|---|---|---|---|
${lines.join('\n')}`);
} finally {
  await pypi[Symbol.asyncDispose]();
  await service.close();
  rmSync(folder, { recursive: true, force: true });
}
