import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { poll } from '../../src/wait.ts';
import { tiny } from './facts.ts';
import { openWorld, whole, type World, type WorldResult } from './kit.ts';

// Three runs overlap, each a process of its own with a real build and push. Files open the gates at
// which their checks wait: no sleep decides who ends when.

const modes: Record<string, Readonly<Record<string, string>>> = {
  'in-turn by github': { order: 'in-turn' },
  'newest by registry': { order: 'newest' },
  'newest by s3': { order: 'newest', 'order-state': 's3', 'order-bucket': 'order' },
};
/** The order in which their builds and checks end. */
const endings = ['123', '321', '231'] as const;

interface Gated {
  readonly id: number;
  readonly number: number;
  readonly sha: string;
  readonly ended: Promise<WorldResult>;
  /** Resolves when a line of the log fits. */
  says(line: RegExp): Promise<void>;
  /** Lets its checks end; resolves when they have. */
  open(): Promise<void>;
}

/** Starts a run whose image is built at once, and whose checks last until it is let go. */
function start(
  world: World,
  inputs: Readonly<Record<string, string>>,
  { cancel, files = tiny() }: { cancel?: AbortSignal; files?: ReturnType<typeof tiny> } = {},
): Gated {
  // GitHub numbers the runs by their events, whichever machine starts first.
  const { id, number, sha } = world.github.addRun();
  const gate = join(world.folder, `gate-${id}`);
  const lines: string[] = [];
  const waiting: { line: RegExp; found: () => void }[] = [];
  const says = (line: RegExp) =>
    new Promise<void>((found) => {
      if (lines.some((one) => line.test(one))) found();
      else waiting.push({ line, found });
    });
  const ended = world.run({
    run: { id },
    files,
    inputs: {
      cache: 'off',
      'lambda-functions': 'backend',
      'order-interval': '1s',
      verify: `until test -e ${gate}; do sleep 0.05; done; echo checked ${number}`,
      ...inputs,
    },
    ...(cancel === undefined ? {} : { cancel }),
    onLine: (text) => {
      lines.push(text);
      for (const { line, found } of waiting) if (line.test(text)) found();
    },
  });
  return {
    id,
    number,
    sha,
    ended,
    says,
    open: async () => {
      await writeFile(gate, '');
      // A run that failed says nothing any more: its result tells.
      await Promise.race([says(new RegExp(`checked ${number}$`)), ended]);
    },
  };
}

/** Resolves when the run's image is in the repository; its build has ended then. */
async function pushed(world: World, { number, sha, ended }: Gated): Promise<void> {
  const what = `the image of run ${number} to be pushed`;
  const image = poll(() => Promise.resolve(world.tag(sha)), {
    what,
    interval: 50,
    timeout: 120_000,
  });
  const over = ended.then((result) => {
    throw new Error(`Run ${number} ended before its turn:\n${whole(result)}`);
  });
  over.catch(() => {});
  await Promise.race([image, over]);
}

/** The digest that the function runs, whatever index it came from. */
function deployed(world: World): string | undefined {
  return world.lambda.functions.get('backend')?.latest.code?.resolvedImageUri.split('@')[1];
}

function expectAt(world: World, result: WorldResult): void {
  const { outputs } = result.main;
  expect(world.tag('latest')).toBe(outputs['digest']);
  const children = JSON.parse(outputs['platform-digests'] ?? '{}') as Record<string, string>;
  expect(Object.values(children)).toEqual([deployed(world)]);
}

async function succeed(run: Gated | Promise<WorldResult>): Promise<WorldResult> {
  const result = await ('ended' in run ? run.ended : run);
  expect(result.ok, whole(result)).toBe(true);
  expect(result).toMatchObject({ leaks: [], orphans: [] });
  return result;
}

test.each(Object.entries(modes))(
  '%s: builds end in the orders 123, 321, 231',
  async (name, inputs) => {
    await using world = await openWorld();
    await world.lambda.create('backend');
    world.aws.s3.createBucket('order');
    const outsiders: string[] = [];
    for (const ending of endings) {
      const runs = [1, 2, 3].map(() => start(world, inputs));
      await Promise.all(runs.map((run) => pushed(world, run)));
      const results: WorldResult[] = [];
      for (const nth of ending) {
        const run = runs[Number(nth) - 1];
        await run?.open();
        // In turn, a later run now waits; otherwise it ends before the next one's checks do.
        if (inputs['order'] === 'newest' && run !== undefined) await run.ended;
      }
      for (const run of runs) results.push(await succeed(run));
      const [first, , third] = results;
      const orders = results.map(({ main }) => main.outputs['order-result']);
      const superseded = results.map(({ main }) => main.outputs['superseded-by'] ?? '');
      const expected = {
        '123': ['moved', 'moved', 'moved'],
        '321': ['superseded', 'superseded', 'moved'],
        '231': ['superseded', 'moved', 'moved'],
      };
      expect(orders, name).toEqual(expected[inputs['order'] === 'newest' ? ending : '123']);
      for (const [at, order] of orders.entries()) {
        if (order === 'superseded') expect(superseded[at]).toContain(`/runs/${third?.runId}`);
        else expect(superseded[at]).toBe('');
      }
      if (third === undefined || first === undefined) throw new Error('three runs');
      expectAt(world, third);
      // Before the next three, something else than this action pushes `latest`.
      outsiders.push(first.main.outputs['digest'] ?? '');
      if (ending !== '231') world.aws.ecr.moveTag('shop', 'latest', outsiders.at(-1) ?? '');
      else {
        const again = world.run({
          workspace: first.workspace,
          run: { id: first.runId, attempt: 2 },
          inputs: { cache: 'off', 'lambda-functions': 'backend', ...inputs },
        });
        const { main } = await succeed(again);
        expect(main.outputs).toMatchObject({ 'order-result': 'superseded', built: 'false' });
        expect(main.outputs['superseded-by']).toContain(`/runs/${third.runId}`);
        expectAt(world, third);
      }
    }
  },
);

test('the run before is cancelled while the one before that still pushes: its turn is waited for', async () => {
  await using world = await openWorld();
  await world.lambda.create('backend');
  const inputs = { order: 'in-turn' };
  const push = world.aws.faults.hold('registry:PutImage');
  const first = start(world, inputs);
  await first.open();
  await push.reached;

  const cancel = new AbortController();
  const second = start(world, inputs, { cancel: cancel.signal });
  const third = start(world, inputs);
  await Promise.all([pushed(world, second), pushed(world, third), second.open(), third.open()]);
  await Promise.all([second.says(/Waiting for run #1\b/), third.says(/Waiting for run #2\b/)]);
  cancel.abort();
  const cancelled = await second.ended;
  expect(cancelled.main.code, whole(cancelled)).toBe(1);
  expect(cancelled.main.log).toContain('The run was cancelled.');
  await third.says(/Waiting for run #1\b/);
  expect(world.tag('latest')).toBeUndefined();

  push.release();
  const results = [await succeed(first), await succeed(third)];
  expect(results.map(({ main }) => main.outputs['order-result'])).toEqual(['moved', 'moved']);
  const [one, three] = results;
  if (one === undefined || three === undefined) throw new Error('two runs');
  expect(three.main.log).toContain(`was at ${one.main.outputs['digest']}`);
  expectAt(world, three);
});

test('a revert that has waited for its turn puts the function back to the image it ran when the wait began', async () => {
  await using world = await openWorld();
  await world.lambda.create('backend');
  const files = tiny();
  const inputs = { order: 'in-turn' };
  const original = start(world, inputs, { files });
  await original.open();
  const { outputs } = (await succeed(original)).main;

  const between = start(world, inputs);
  await pushed(world, between);
  const revert = start(world, inputs, { files });
  await revert.says(/^Waiting for/);
  await revert.open();
  await between.open();
  await succeed(between);
  const last = await succeed(revert);
  expect(last.main.outputs).toMatchObject({ built: 'false', digest: outputs['digest'] });
  expectAt(world, last);
});
