import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { baseImages } from '../../../src/image/content/base-images.ts';
import { contentDigest } from '../../../src/image/content/content-digest.ts';
import { connectLocalImages } from '../../../src/systems/local-images.ts';
import type { Run } from '../../../src/systems/process.ts';
import { ensureBusybox, busyboxImage } from '../../sandbox/base-image/images.ts';
import { ensureEngine, type Engine } from '../../sandbox/engine/engine.ts';
import { Random } from './oracle/random.ts';
import {
  deck,
  dockerfile,
  edit,
  firstState,
  makeContext,
  restore,
  type State,
} from './random-context.ts';

// The same edits each time, unless CONTENT_SEED says otherwise; CONTENT_EDITS for more of them.
const seed = Number(process.env['CONTENT_SEED'] ?? 5);
const edits = Number(process.env['CONTENT_EDITS'] ?? 20);

let engine: Engine;
const folder = mkdtempSync(join(tmpdir(), 'equality-'));
const context = join(folder, 'context');
const named = join(folder, 'named');
const file = join(folder, 'Dockerfile');
let nonce = '';
const base = `content-equality-base:${process.pid}-${Date.now()}`;
const bases = new Map<string, string>();

beforeAll(async () => {
  engine = await ensureEngine();
  await ensureBusybox(engine);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  const ids = [base, ...bases.values()];
  await engine.docker(['rmi', '-f', ...ids]);
  engine.release();
});

test(
  `what we would skip is what BuildKit has in its cache (${edits} random edits, seed ${seed})`,
  { timeout: 300_000 + edits * 20_000 },
  async () => {
    // A second try starts anew, with nothing of the first in BuildKit's cache.
    for (const each of [context, named]) rmSync(each, { recursive: true, force: true });
    nonce = `${process.pid}-${Date.now()}`;
    const random = new Random(seed);
    const kinds = deck();
    makeContext(context, named);
    const past: Moment[] = [];
    let state = firstState;
    let what = 'first';
    const wrong: string[] = [];
    const careful: string[] = [];
    const counts = { skipped: 0, built: 0 };
    for (let step = 0; step <= edits; step += 1) {
      const made = await decideAndBuild(state, nonce);
      const last = past.at(-1);
      if (made === undefined && last !== undefined) {
        // This edit leaves something to copy out of the context: no image, nothing to compare.
        putBack(last);
        ({ state } = last);
        ({ state, what } = edit(kinds, random, state, context, named));
        continue;
      }
      if (made === undefined) throw new Error('The first state can not be built.');
      const { digest, cached, image, ran } = made;
      const now: Moment = { state, digest, image, copy: join(folder, `past-${step}`) };
      cpSync(context, join(now.copy, 'context'), { recursive: true, verbatimSymlinks: true });
      cpSync(named, join(now.copy, 'named'), { recursive: true, verbatimSymlinks: true });
      const before = past.find((each) => each.digest === digest);
      if (before !== undefined && !(cached && before.image === image)) {
        if (!(await isSame(before, now))) {
          wrong.push(`${what}: we would skip, BuildKit ran ${ran.join(', ')}`);
        }
      }
      const known = past.some((each) => each.image === image);
      if (before === undefined && cached && known) careful.push(what);
      counts[before === undefined ? 'built' : 'skipped'] += 1;
      if (process.env['CONTENT_SHOW'])
        console.log(step, what, { before: before?.image, image, ran });
      past.push(now);
      if (random.chance(15)) {
        const back = random.pick(past);
        putBack(back);
        state = back.state;
        what = 'back to an earlier state';
      } else ({ state, what } = edit(kinds, random, state, context, named));
    }
    expect(wrong).toEqual([]);
    expect(careful.filter((each) => !knownCareful.some((known) => known.test(each)))).toEqual([]);
    expect(counts.skipped).toBeGreaterThan(edits / 8);
    expect(counts.built).toBeGreaterThan(edits / 8);
  },
);

// Where we build although BuildKit would run nothing, and the image is an earlier one. It costs
// seconds, never a wrong image.
const knownCareful: readonly RegExp[] = [
  // The same value written in another way; we compare what is written.
  /^heredoc: /,
  // Another command that leaves the same files behind, which only running it tells.
  /^tool: /,
  // The mode of a folder, which BuildKit sees in a context that it gets for the first time, but not
  // when it updates the one of the build before.
  /^chmod folder /,
];

/** One state of everything, and what was made of it. */
interface Moment {
  readonly state: State;
  readonly digest: string;
  readonly image: string;
  readonly copy: string;
}

function putBack(moment: Moment): void {
  restore(join(moment.copy, 'context'), context);
  restore(join(moment.copy, 'named'), named);
}

// A busy BuildKit sometimes runs a step that it has in its cache. Whether two states really are the
// same to it shows where neither was ever built: under a new nonce, one after the other.
async function isSame(first: Moment, second: Moment): Promise<boolean> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const fresh = `${nonce}-${(nonces += 1)}`;
    putBack(first);
    const one = await decideAndBuild(first.state, fresh);
    putBack(second);
    const two = await decideAndBuild(second.state, fresh);
    expect(two?.digest).toBe(one?.digest);
    if (two?.cached === true && two.image === one?.image) return true;
  }
  return false;
}
let nonces = 0;

// Digests of what was built: what can't be built must never be among them.
const skippable = new Set<string>();

async function decideAndBuild(state: State, nonce: string) {
  await write(state, nonce);
  const content = await ask(state);
  if (content.kind === 'unknown') throw new Error(content.why);
  const built = await build(state);
  if (built === undefined) expect(skippable.has(content.digest)).toBe(false);
  else skippable.add(content.digest);
  return built === undefined ? undefined : { digest: content.digest, ...built };
}

async function write(state: State, nonce: string): Promise<void> {
  writeFileSync(file, dockerfile(state, base));
  writeFileSync(join(context, '.dockerignore'), `${state.ignore.join('\n')}\n`);
  const key = `${nonce}-${state.base}`;
  if (!bases.has(key)) {
    const tag = `content-equality-base:${key}`;
    await engine.must(['build', '--provenance=false', '-t', tag, '-'], {
      input: `FROM ${busyboxImage}\nCOPY <<E /nonce\n${nonce}\nE\nENV BASE_VALUE=${state.base}\n`,
    });
    bases.set(key, tag);
  }
  await engine.must(['tag', bases.get(key) ?? '', base]);
}

function ask(state: State) {
  const run: Run = async (_command, args) => {
    const { code, stdout, stderr } = await engine.docker(args);
    return { code, signal: null, stdout, stderr };
  };
  const nowhere = {
    manifest: () => Promise.resolve(undefined),
    blob: () => Promise.reject(new Error('not asked')),
  };
  return contentDigest({
    workspace: folder,
    settings: {
      context: 'context',
      file: 'Dockerfile',
      target: state.target,
      platforms: [],
      buildArgs: new Map(Object.entries(state.buildArgs)),
      buildContexts: [['named', named]],
      counted: [state.labels, state.addHosts.map((host) => host.split(':')[0])],
    },
    builderPlatform: 'linux/amd64',
    image: baseImages(nowhere, connectLocalImages(run, undefined)),
    frontend: () => Promise.reject(new Error('not asked')),
  });
}

async function build(state: State) {
  const metadata = join(folder, 'metadata.json');
  const each = (option: string, values: readonly string[]) =>
    values.flatMap((value) => [option, value]);
  const { code, stderr } = await engine.docker([
    'buildx',
    'build',
    '--progress=rawjson',
    '--provenance=false',
    '--output=type=image,push=false,store=false',
    `--metadata-file=${metadata}`,
    `--file=${file}`,
    `--build-context=named=${named}`,
    ...(state.target === '' ? [] : [`--target=${state.target}`]),
    ...each(
      '--build-arg',
      Object.entries(state.buildArgs).map(([key, value]) => `${key}=${value}`),
    ),
    ...each('--label', state.labels),
    ...each('--add-host', state.addHosts),
    context,
  ]);
  if (code !== 0 && stderr.includes('not found')) return undefined;
  if (code !== 0) throw new Error(stderr);
  const steps = new Map<string, { name: string; cached: boolean }>();
  for (const line of stderr.split('\n').filter((each) => each.startsWith('{'))) {
    const { vertexes = [] } = JSON.parse(line) as {
      vertexes?: { digest: string; name: string; cached?: boolean; completed?: string }[];
    };
    for (const { digest, name, cached = false, completed } of vertexes) {
      // `[internal] load …` and the like are no steps of the image.
      if (completed !== undefined && /^\[(?!internal|context|auth)/.test(name)) {
        steps.set(digest, { name, cached });
      }
    }
  }
  const ran = [...steps.values()].filter(({ cached, name }) => !cached && !/\] FROM /.test(name));
  const { 'containerimage.digest': image } = JSON.parse(readFileSync(metadata, 'utf8')) as {
    'containerimage.digest': string;
  };
  return { cached: ran.length === 0, ran: ran.map(({ name }) => name), image };
}
