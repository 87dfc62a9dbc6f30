// The whole action beside plain `docker buildx build --push` of the same image: one changed line in an
// image of 20 MB, layers warm. Taken in turns within one run, so that the machine's other load meets
// all of them; medians. The action also logs in, looks the image up, moves `latest` in order and reports.
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { connectEcr } from '../src/systems/ecr.ts';
import { writeDockerConfig } from '../src/systems/docker-config.ts';
import { execute } from '../test/sandbox/engine/execute.ts';
import { openWorld, type World } from '../test/sandbox/world.ts';

const TIMES = Number(process.argv[2] ?? 5);
const FILES = 20;
const MEGABYTE = 1_000_000;

/** ms of one turn: the part that the job waits for, and post. */
interface Turn {
  readonly main: number;
  readonly post?: number;
  /** ms of each phase, by the output `timings`. */
  readonly phases?: Readonly<Record<string, number>>;
}

interface Contender {
  readonly name: string;
  /** The contender it is measured against. */
  readonly against?: string;
  /** @param version is in the image's one changed line. */
  readonly turn: (version: string) => Promise<Turn>;
}

/** A checkout with 20 files of 1 MB and one of a line. */
async function checkout(world: World): Promise<string> {
  const place = await world.workspace({
    Dockerfile:
      'FROM sandbox/busybox:1\nCOPY data /data\nCOPY app /app\nCMD ["cat", "/app/line"]\n',
  });
  await mkdir(join(place, 'data'));
  await mkdir(join(place, 'app'));
  for (let file = 1; file <= FILES; file += 1) {
    await writeFile(join(place, 'data', `part-${file}`), randomBytes(MEGABYTE));
  }
  return place;
}

/** Plain Docker, logged in to the repository. */
async function plainDocker(world: World): Promise<NodeJS.ProcessEnv> {
  Object.assign(process.env, world.aws.env);
  const ecr = connectEcr({
    region: world.aws.region,
    credentials: () => Promise.resolve(world.aws.credentials),
    mask: () => {},
    notice: () => {},
  });
  const folder = join(world.folder, 'docker');
  await writeDockerConfig({
    folder,
    userFolder: world.engine.env['DOCKER_CONFIG'] ?? '',
    logins: [await ecr.login()],
    notice: () => {},
  });
  const cache = world.cache.environment({ ref: 'refs/heads/main' });
  return { ...world.engine.env, ...cache, DOCKER_CONFIG: folder };
}

async function contenders(world: World): Promise<readonly Contender[]> {
  const env = await plainDocker(world);
  const repository = `${world.aws.registryHost}/${world.repository}`;
  const change = async (place: string, version: string) => {
    await writeFile(join(place, 'app/line'), `${version}\n`);
  };
  const plain = (place: string, more: readonly string[]) => async (version: string) => {
    await change(place, version);
    const tags = ['--tag', `${repository}:${version}`, '--tag', `${repository}:latest`];
    const args = ['buildx', 'build', '--progress=plain', '--push', ...tags, ...more, place];
    const from = performance.now();
    const { code, stderr } = await execute('docker', args, { env });
    const main = performance.now() - from;
    if (code !== 0) throw new Error(stderr);
    return { main };
  };
  const action =
    (workspace: string, inputs: Readonly<Record<string, string>>, changes = true) =>
    async (version: string) => {
      if (changes) await change(workspace, version);
      const { ok, main, post } = await world.run({ workspace, inputs });
      if (!ok) throw new Error(`${main.log}\n${post.log}`);
      const built = String(main.outputs['built']);
      if (built !== String(changes)) throw new Error(`built is ${built}\n${main.log}`);
      const phases = JSON.parse(main.outputs['timings'] ?? '{}') as Record<string, number>;
      return { main: main.ms, post: post.ms, phases };
    };
  const [one, two, three, four] = [
    await checkout(world),
    await checkout(world),
    await checkout(world),
    await checkout(world),
  ];
  const gha = [
    '--cache-from',
    'type=gha,scope=plain',
    '--cache-to',
    'type=gha,scope=plain,mode=max',
  ];
  const names = { plain: 'docker buildx build --push', gha: 'the same with type=gha' };
  return [
    { name: names.plain, turn: plain(one, []) },
    { name: 'the action, cache: off', against: names.plain, turn: action(two, { cache: 'off' }) },
    { name: names.gha, turn: plain(three, gha) },
    { name: 'the action, cache: gha', against: names.gha, turn: action(four, {}) },
    { name: 'the action, nothing changed', against: names.plain, turn: action(four, {}, false) },
  ];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

await using world = await openWorld();
const all = await contenders(world);
const turns = new Map<string, Turn[]>(all.map(({ name }) => [name, []]));
for (let round = 0; round <= TIMES; round += 1) {
  for (const { name, turn } of all) {
    const took = await turn(`round-${round}-${randomBytes(3).toString('hex')}`);
    // The first round fills the caches.
    if (round > 0) turns.get(name)?.push(took);
  }
}
const middle = (name: string) => median((turns.get(name) ?? []).map(({ main }) => main));
const [load = 0] = loadavg();
console.log(`
One changed line in an image of ${FILES} MB, layers warm; median of ${TIMES} (least to most).
${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, load ${load.toFixed(1)}

| what | time | from, to | beside plain | post |
|---|---|---|---|---|`);
for (const { name, against } of all) {
  const took = turns.get(name) ?? [];
  const times = took.map(({ main }) => main);
  const posts = took.flatMap(({ post }) => post ?? []);
  const cells = [
    name,
    seconds(middle(name)),
    `${seconds(Math.min(...times))}, ${seconds(Math.max(...times))}`,
    against === undefined ? '' : `${(middle(name) / middle(against)).toFixed(2)}×`,
    posts.length === 0 ? '' : seconds(median(posts)),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

console.log('\nPhases (some run side by side), median ms:');
for (const { name } of all) {
  const phases = (turns.get(name) ?? []).map(({ phases }) => phases ?? {});
  const names = Object.keys(phases[0] ?? {});
  if (names.length === 0) continue;
  const each = names.map((phase) => [phase, median(phases.map((one) => one[phase] ?? 0))] as const);
  const shown = each.filter(([, ms]) => ms > 0).map(([phase, ms]) => `${phase} ${ms}`);
  console.log(`  ${name}: ${shown.join(', ')}`);
}
