// What the caches save: the whole action on examples/fastapi-lambda (environment, checks, image, push,
// `latest`, Lambda), each case beside the same with nothing restored, right after it. A new runner each
// time: an empty RUNNER_TEMP, none of the example's layers or cache mounts in the builder.
import { appendFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { duration } from '../src/wait.ts';
import { ensurePython } from '../test/sandbox/base-image/images.ts';
import { startCacheService, type CacheService } from '../test/sandbox/cache/index.ts';
import { openFastapi, takeBytes, type Example } from '../test/sandbox/example.ts';
import { openWorld, type World } from '../test/sandbox/world.ts';

const ROUNDS = Number(process.argv[2] ?? 1);
const FUNCTION = 'backend-dev';

/** One run: ms, and bytes from the local package indexes. */
interface Figures {
  readonly main: number;
  readonly post: number;
  /** The Python environment that the checks run in. */
  readonly python: number;
  /** Restoring cache mounts and building, with the push; 0 when nothing was built. */
  readonly image: number;
  readonly bytes: { readonly runner: number; readonly image: number };
  readonly hit: string;
  readonly built: boolean;
}

interface Bench {
  readonly world: World;
  readonly example: Example;
  readonly workspace: string;
  readonly temp: string;
}

async function ship(bench: Bench, repository: string, cache: CacheService): Promise<Figures> {
  const { world, example, workspace, temp } = bench;
  await example.freshRunner();
  takeBytes(example.indexes);
  const result = await world.run({
    workspace,
    temp,
    env: { ...example.env, ...cache.environment({ ref: 'refs/heads/main' }) },
    inputs: {
      ...example.inputs,
      repository,
      'lambda-functions': `${FUNCTION}:live`,
      'lambda-invoke': example.event,
    },
  });
  if (!result.ok) throw new Error(`A run failed:\n${result.main.log}\n${result.post.log}`);
  const { outputs, ms } = result.main;
  const phases = JSON.parse(outputs['timings'] ?? '{}') as Record<string, number>;
  return {
    main: ms,
    post: result.post.ms,
    python: phases['python'] ?? 0,
    image: (phases['cache mounts'] ?? 0) + (phases['build'] ?? 0),
    bytes: takeBytes(example.indexes),
    hit: outputs['pip-cache-hit'] ?? '',
    built: outputs['built'] === 'true',
  };
}

const cases: readonly { name: string; change: (workspace: string) => Promise<void> }[] = [
  { name: 'nothing changed', change: () => Promise.resolve() },
  {
    name: 'one source line',
    change: (workspace) => appendFile(join(workspace, 'app/main.py'), '# one more line\n'),
  },
  {
    name: 'one requirement more',
    change: (workspace) => appendFile(join(workspace, 'requirements.txt'), 'one-more==1.0\n'),
  },
];

interface Pair {
  readonly restored: Figures;
  readonly nothing: Figures;
}

/** A first run fills the caches; then each case with them, and with nothing. */
async function round(bench: Bench, number: number, measured: Map<string, Pair[]>): Promise<void> {
  const { world, example, workspace } = bench;
  const repositoryOf = (name: string) => {
    const repository = `bench-${number}-${name.replaceAll(' ', '-')}`;
    world.aws.ecr.createRepository(repository);
    return repository;
  };
  await rm(workspace, { recursive: true, force: true });
  await cp(example.folder, workspace, { recursive: true });
  const kept = repositoryOf('kept');
  await using caches = await startCacheService();
  const first = await ship(bench, kept, caches);
  console.log(`round ${number}: the first run took ${duration(first.main)}`);
  for (const { name, change } of cases) {
    await change(workspace);
    const restored = await ship(bench, kept, caches);
    await using none = await startCacheService();
    const nothing = await ship(bench, repositoryOf(name), none);
    console.log(`  ${name}: ${duration(nothing.main)} → ${duration(restored.main)}`);
    measured.set(name, [...(measured.get(name) ?? []), { restored, nothing }]);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e5 ? 3 : 1)} MB`;

function rowOf(name: string, pairs: readonly Pair[]): string {
  const time = (pick: (one: Figures) => number) => {
    const [nothing, restored] = [
      median(pairs.map((pair) => pick(pair.nothing))),
      median(pairs.map((pair) => pick(pair.restored))),
    ];
    if (restored === 0) return `${duration(nothing)} → –`;
    return `${duration(nothing)} → ${duration(restored)} (${(nothing / restored).toFixed(1)}×)`;
  };
  const bytes = (pick: (one: Figures) => number) => {
    const [pair] = pairs;
    if (pair === undefined) return '';
    return `${megabytes(pick(pair.nothing))} → ${megabytes(pick(pair.restored))}`;
  };
  const cells = [
    name,
    time((one) => one.main),
    time((one) => one.python),
    bytes((one) => one.bytes.runner),
    time((one) => one.image),
    bytes((one) => one.bytes.image),
    time((one) => one.post),
    pairs.at(0)?.restored.hit ?? '',
  ];
  return `| ${cells.join(' | ')} |`;
}

await using world = await openWorld();
await ensurePython(world.engine);
const example = await openFastapi(world);
if ('why' in example) throw new Error(`The example's packages can't be had: ${example.why}`);
await using opened = example;
for (const index of Object.values(opened.indexes)) {
  index.add({ name: 'one_more', version: '1.0' });
}
await world.lambda.create(FUNCTION);
const folder = await mkdtemp(join(tmpdir(), 'bench-python-'));
const measured = new Map<string, Pair[]>();
try {
  const places = { workspace: join(folder, 'workspace'), temp: join(folder, 'temp') };
  for (let number = 1; number <= ROUNDS; number += 1) {
    await round({ world, example: opened, ...places }, number, measured);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`
Nothing restored → restored, ${ROUNDS === 1 ? 'one round' : `median of ${ROUNDS} rounds`}. The package index is on this machine: over a network, downloads take longer.

| case | whole action | Python environment | downloaded for it | image | downloaded in it | post | pip-cache-hit |
|---|---|---|---|---|---|---|---|
${[...measured].map(([name, pairs]) => rowOf(name, pairs)).join('\n')}`);
