import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { justBuild, running, said, tiny } from './facts.ts';
import {
  dockerfile,
  openWorld,
  ship,
  unique,
  whole,
  type World,
  type WorldResult,
  type WorldRun,
} from './kit.ts';

// A runner sends SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL; then post runs. Whatever is cut
// off where, others see the old state or the new one, and post tells what it repaired.
let world: World;
/** Two images with content known to the repository, so that runs ship them without a build. */
const checkouts = { old: '', new: '' };
const digests = { old: '', new: '' };
const inputs = { cache: 'off', provenance: 'false' };

beforeAll(async () => {
  world = await openWorld();
  for (const name of ['old', 'new'] as const) {
    checkouts[name] = await world.workspace(tiny());
    const { main } = await ship(world, { workspace: checkouts[name], inputs });
    digests[name] = main.outputs['digest'] ?? '';
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.aws.faults.clear();
  world.aws.ecr.moveTag('shop', 'latest', digests.old);
});

/** The contract with the runner: ended by itself, in time, nothing left on the machine. */
function expectCleanEnd(result: WorldResult): void {
  expect(result.main.signal, whole(result)).toBeNull();
  expect(result.main.code).toBe(1);
  expect(result.main.cancelMs).toBeLessThan(7_500);
  expect(said(result, 'error', 'main')).toEqual(['The run was cancelled.']);
  expect(result.post.code).toBe(0);
  expect(result).toMatchObject({ left: [], orphans: [], leaks: [] });
}

/** Ships what `new` holds, and does something to the run when `ready` resolves. */
async function shipUntil(ready: Promise<void>, act: () => unknown, request: WorldRun = {}) {
  const run = world.run({
    workspace: checkouts.new,
    ...request,
    inputs: { ...inputs, ...request.inputs },
  });
  // A run that ends before fails the test by what it did, not by its time.
  await Promise.race([ready, run]);
  await act();
  return run;
}

/** Ships what `new` holds, cancelled when `ready` resolves. */
function cancelWhen(ready: Promise<void>, request: WorldRun = {}) {
  const cancel = new AbortController();
  return shipUntil(ready, () => cancel.abort(), { cancel: cancel.signal, ...request });
}

async function until(seen: () => boolean): Promise<void> {
  while (!seen()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Lets a held call go whose client is dead; it still does its work, and that is waited for. */
async function letGo(hold: { release(): void }): Promise<void> {
  const { length } = world.aws.requests;
  hold.release();
  await until(() => world.aws.requests.length > length);
}

/** The process of `main`, found by a variable of the run's environment. */
async function killMain(mark: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string) => readFile(join('/proc', pid, file), 'utf8').catch(() => '');
    const [environment, command] = await Promise.all([read('environ'), read('cmdline')]);
    if (environment.includes(`MARK=${mark}\0`) && /\/main\.(js|ts)\0/.test(command)) {
      process.kill(Number(pid), 'SIGKILL');
    }
  }
}

test('during the build: the build stops, nothing is pushed, nothing has moved', async () => {
  const mark = unique();
  const result = await world.run({
    files: { Dockerfile: dockerfile(`RUN echo started-${mark} && sleep 600`) },
    inputs: { ...justBuild, verify: `echo checking-${mark}; sleep 600` },
    cancelAt: new RegExp(`│ started-${mark}`),
  });
  expectCleanEnd(result);
  expect(world.tag('latest')).toBe(digests.old);
  for (const tag of (result.main.outputs['tags'] ?? '').split('\n')) {
    expect(world.tag(tag)).toBeUndefined();
  }
  expect(result.main.summary).toContain('Not shipped');
  expect(said(result, 'warning')).toEqual([]);
});

test('while it waits for its turn: the image is there under its own tags, nothing has moved', async () => {
  const ahead = world.github.addRun({ event: 'push' });
  world.github.setJob(ahead.id, 'ship', { status: 'in_progress' });
  const seen = Promise.withResolvers<void>();
  const pushed = until(() => world.tag(`run-${ahead.number + 1}`) !== undefined);
  const result = await cancelWhen(
    Promise.all([seen.promise, pushed]).then(() => undefined),
    {
      onLine: (line) => {
        if (line.startsWith('Waiting for ')) seen.resolve();
      },
    },
  );
  world.github.setRun(ahead.id, { status: 'completed', conclusion: 'success' });
  expectCleanEnd(result);
  expect(result.main.log).toContain(`/actions/runs/${ahead.id}`);
  expect(world.tag('latest')).toBe(digests.old);
  expect(said(result, 'notice')).toEqual([]);
});

/** Holds the PUT that moves `latest`, and no other tag's. */
const holdLatest = () =>
  world.aws.faults.hold(
    'ecr:PutImage',
    (request) => request?.body.toString().includes('"imageTag":"latest"') === true,
  );

test('while latest moves: the move is finished, the functions stay', async () => {
  await world.lambda.create('api', { image: `${world.aws.registryHost}/shop@${digests.old}` });
  const moving = holdLatest();
  const result = await cancelWhen(moving.reached, {
    inputs: { 'lambda-functions': 'api' },
    onLine: (line) => {
      if (line.startsWith('The run was cancelled')) moving.release();
    },
  });
  expectCleanEnd(result);
  expect(world.tag('latest')).toBe(digests.new);
  expect(running(world, 'api')).toBe(digests.old);
  expect(result.main.log).toContain(`latest is at ${digests.new} (was at ${digests.old})`);
  expect(said(result, 'warning')).toEqual([]);
});

test('while latest moves, and ECR does not answer: main gives up in time, post moves it', async () => {
  const moving = holdLatest();
  const result = await cancelWhen(moving.reached);
  await letGo(moving);
  expectCleanEnd(result);
  expect(said(result, 'notice', 'post')).toEqual([
    `The run was cut off while it moved latest; that is finished now: ${digests.old} → ${digests.new}.`,
  ]);
  expect(world.tag('latest')).toBe(digests.new);
});

test('killed between its announcement and the move: post moves the tag', async () => {
  const mark = unique();
  const moving = holdLatest();
  const result = await shipUntil(moving.reached, () => killMain(mark), { env: { MARK: mark } });
  await letGo(moving);
  expect(result.main.signal).toBe('SIGKILL');
  expect(world.tag('latest')).toBe(digests.new);
  expect(said(result, 'notice', 'post')).toEqual([
    `The run was cut off while it moved latest; that is finished now: ${digests.old} → ${digests.new}.`,
  ]);
  expect(result).toMatchObject({ left: [], orphans: [], leaks: [] });
  expect(result.post.code).toBe(0);
});

test('while a function settles: its code is taken back, and post tells what runs', async () => {
  const fn = await world.lambda.create('slow', {
    image: `${world.aws.registryHost}/shop@${digests.old}`,
  });
  fn.nextUpdates.push({ ms: 600_000 });
  const result = await cancelWhen(
    until(() => fn.latest.lastUpdateStatus === 'InProgress'),
    {
      inputs: { 'lambda-functions': 'slow' },
      onLine: (line) => {
        const { settling } = fn.latest;
        // From the cancel on, the update comes to its end: post finds it done.
        if (line.startsWith('Error: The run was cancelled') && settling !== undefined) {
          fn.latest.settling = { ...settling, polls: 0, until: 0 };
        }
      },
    },
  );
  expectCleanEnd(result);
  const [notice = '', ...others] = said(result, 'notice', 'post');
  expect(others).toEqual([]);
  expect(notice.split('\n')).toEqual([
    'The deployment to Lambda was cut off while the code was updated; what had changed was taken back as far as possible. What runs now:',
    `slow: $LATEST runs ${digests.old.slice(0, 19)} (Active)`,
  ]);
  expect(running(world, 'slow')).toBe(digests.old);
});

test('while an alias moves: the move is finished, and post tells what runs', async () => {
  const fn = await world.lambda.create('flip', {
    image: `${world.aws.registryHost}/shop@${digests.old}`,
  });
  const moving = world.aws.faults.hold('lambda:CreateAlias');
  const result = await cancelWhen(moving.reached, {
    inputs: { 'lambda-functions': 'flip:live' },
  });
  expectCleanEnd(result);
  expect(fn.aliases.get('live')).toMatchObject({ version: '1', weights: {} });
  expect(running(world, 'flip:live')).toBe(digests.new);
  const now = digests.new.slice(0, 19);
  expect(said(result, 'notice', 'post').join('\n').split('\n')).toEqual([
    'The deployment to Lambda was cut off while aliases were moved; it was finished. What runs now:',
    `flip:live: serves version 1 (${now}); $LATEST runs ${now} (Active)`,
  ]);
});
