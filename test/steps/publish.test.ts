import { describe, expect, test } from 'vitest';
import { openTurn, readTurnRecord } from '../../src/steps/publish.ts';
import { contextOf, FakeLog, manifestOf, ORDER, REPOSITORY } from '../turn/fakes.ts';
import { world } from '../turn/lane.ts';

const permutations = [
  [1, 2, 3],
  [1, 3, 2],
  [2, 1, 3],
  [2, 3, 1],
  [3, 1, 2],
  [3, 2, 1],
];

describe.each(['registry', 's3'] as const)('newest, register in %s', (state) => {
  test.each(permutations.map((order) => [order.join(''), order] as const))(
    'finishing %s ends at 3',
    async (_, order) => {
      const w = world({ mode: 'newest', state });
      const results: string[] = [];
      for (const n of order) {
        const { result } = await w.clock.run(w.open(1_000 + n).publish());
        results[n] = result;
      }
      expect(w.latest()).toBe(manifestOf('run 1003').digest);
      expect(results[3]).toBe('moved');
      // Whoever comes after a newer one is superseded, and nobody else.
      for (const n of [1, 2]) {
        const newerFirst = order.slice(0, order.indexOf(n)).some((other) => other > n);
        expect(results[n]).toBe(newerFirst ? 'superseded' : 'moved');
      }
    },
  );

  test('twelve at once, every request taking its time', async () => {
    for (let seed = 1; seed <= 15; seed += 1) {
      const w = world({ mode: 'newest', state });
      for (let skip = 0; skip < seed; skip += 1) w.clock.random();
      const slow = async () => w.clock.sleep(w.clock.random() * 500);
      w.ecr.before = slow;
      w.store.before = slow;
      const runs = Array.from({ length: 12 }, (_, at) => w.open(1_001 + at));
      await w.clock.run(Promise.all(runs.map((run) => run.publish())));
      expect(w.latest()).toBe(manifestOf('run 1012').digest);
    }
  });

  test.each(['before', 'after'] as const)(
    'killed %s any of its requests takes effect, the post step puts it right',
    async (when) => {
      for (let at = 1; ; at += 1) {
        const w = world({ mode: 'newest', state });
        await w.clock.run(w.open(1_001).publish());
        const run = w.open(1_002);
        let requests = 0;
        const kill = () => {
          requests += 1;
          if (requests === at) throw new Error('killed');
        };
        if (when === 'before') w.ecr.before = w.store.before = async () => kill();
        else
          w.ecr.onPut = (tag, digest) => {
            if (tag === 'latest') w.history.push(digest);
            kill();
          };
        const killed = await w.clock.run(run.publish()).then(
          () => false,
          () => true,
        );
        w.ecr.before = w.store.before = async () => {};
        w.ecr.onPut = (tag, digest) => void (tag === 'latest' && w.history.push(digest));
        await w.clock.run(run.post());
        expect(await w.clock.run(run.post())).toEqual([]);
        const own = w.open(1_001, { context: { runAttempt: 2 }, text: 'probe' });
        const announced = (await w.clock.run(own.turn.check())) !== undefined;
        expect(w.latest()).toBe(manifestOf(announced ? 'run 1002' : 'run 1001').digest);
        if (!killed) {
          expect(announced).toBe(true);
          break;
        }
      }
    },
  );

  test('what the post step reads survives being saved as text', async () => {
    const w = world({ mode: 'newest', state });
    const run = w.open(1_001);
    await w.clock.run(run.publish());
    expect(readTurnRecord(JSON.parse(JSON.stringify(run.saved())))).toEqual(run.turn.record);
    expect(readTurnRecord({ schema: 2 })).toBeUndefined();
    expect(readTurnRecord('')).toBeUndefined();
  });

  test('announced and killed: the next older one helps', async () => {
    const w = world({ mode: 'newest', state });
    await w.clock.run(w.open(1_001).publish());
    w.ecr.before = async (operation, tag) => {
      if (operation === 'putTag' && tag === 'latest') throw new Error('killed');
    };
    await expect(w.clock.run(w.open(1_003).publish())).rejects.toThrow('killed');
    w.ecr.before = async () => {};
    const late = w.open(1_002);
    const published = await w.clock.run(late.publish());
    expect(published).toMatchObject({
      result: 'superseded',
      supersededBy: {
        key: { runId: 1_003, runAttempt: 1 },
        url: 'https://github.example/team/app/actions/runs/1003',
      },
      tags: [{ tag: 'latest', to: manifestOf('run 1003').digest }],
    });
    expect(w.latest()).toBe(manifestOf('run 1003').digest);
    expect(late.log.notices.join()).toContain('Superseded by run 1003.1');
  });

  test('an old run, run again, is superseded; the newest, run again, is not', async () => {
    const w = world({ mode: 'newest', state });
    await w.clock.run(w.open(1_001).publish());
    await w.clock.run(w.open(1_002).publish());
    const old = w.open(1_001, { context: { runAttempt: 2 }, text: 'old again' });
    expect((await w.clock.run(old.publish())).result).toBe('superseded');
    const again = w.open(1_002, { context: { runAttempt: 2 }, text: 'again' });
    expect((await w.clock.run(again.publish())).result).toBe('moved');
    expect(w.latest()).toBe(manifestOf('again').digest);
  });

  test('the same image from two runs', async () => {
    const w = world({ mode: 'newest', state });
    expect((await w.clock.run(w.open(1_001, { text: 'same' }).publish())).result).toBe('moved');
    expect((await w.clock.run(w.open(1_002, { text: 'same' }).publish())).result).toBe('unchanged');
    expect(w.history).toHaveLength(1);
  });

  test('a tag that something else moved comes back with the next run, superseded or not', async () => {
    const w = world({ mode: 'newest', state });
    const foreign = w.ecr.push(manifestOf('by hand'), 'latest').digest;
    const first = await w.clock.run(w.open(1_002).publish());
    expect(first.tags).toEqual([
      { tag: 'latest', from: foreign, to: manifestOf('run 1002').digest },
    ]);
    w.ecr.tags.set('latest', foreign);
    await w.clock.run(w.open(1_001).publish());
    expect(w.latest()).toBe(manifestOf('run 1002').digest);
  });

  test('several moving tags, an index; check() before a deployment', async () => {
    const w = world({ mode: 'newest', state });
    const run = w.open(1_001, { movingTags: ['latest', 'edge'] });
    const index = w.ecr.push(manifestOf('index', true));
    const published = await w.clock.run(run.turn.publish(index));
    expect(published.tags.map(({ tag }) => tag)).toEqual(['latest', 'edge']);
    expect(w.ecr.tags.get('edge')).toBe(index.digest);
    expect(await w.clock.run(run.turn.check())).toBeUndefined();
    await w.clock.run(w.open(1_002, { movingTags: ['latest'] }).publish());
    expect(await w.clock.run(run.turn.check())).toMatchObject({ key: { runId: 1_002 } });
    // `edge` knows nothing of 1002, and stays.
    expect(w.ecr.tags.get('edge')).toBe(index.digest);
  });

  test('without moving tags the deployment is ordered all the same', async () => {
    const w = world({ mode: 'newest', state });
    const old = w.open(1_001, { movingTags: [] });
    expect((await w.clock.run(w.open(1_002, { movingTags: [] }).publish())).result).toBe(
      'unchanged',
    );
    expect((await w.clock.run(old.publish())).result).toBe('superseded');
    expect(w.history).toEqual([]);
  });

  test('two workflows on one tag: ordered, but neither keeps the other from deploying', async () => {
    const w = world({ mode: 'newest', state });
    const workflowRef = 'team/app/.github/workflows/other.yml@refs/heads/main';
    await w.clock.run(w.open(1_002, { context: { workflowRef } }).publish());
    const run = w.open(1_001);
    const published = await w.clock.run(run.publish());
    expect(published).toMatchObject({
      result: 'unchanged',
      supersededBy: { key: { runId: 1_002 }, url: undefined },
    });
    expect(await w.clock.run(run.turn.check())).toBeUndefined();
    expect(w.latest()).toBe(manifestOf('run 1002').digest);
    // order-lane joins them.
    const joined = world({ mode: 'newest', state, lane: 'app' });
    await joined.clock.run(joined.open(1_002, { context: { workflowRef } }).publish());
    expect((await joined.clock.run(joined.open(1_001).publish())).result).toBe('superseded');
  });

  test('a renamed workflow file, a forced push, a dispatch on an old commit: run ids decide', async () => {
    const w = world({ mode: 'newest', state });
    const workflowRef = 'team/app/.github/workflows/renamed.yml@refs/heads/main';
    await w.clock.run(
      w.open(1_002, { context: { workflowRef, runNumber: 1, sha: 'b'.repeat(40) } }).publish(),
    );
    await w.clock.run(w.open(1_001, { context: { runNumber: 900 } }).publish());
    expect(w.latest()).toBe(manifestOf('run 1002').digest);
  });

  test('two jobs of one run on one tag agree', async () => {
    const w = world({ mode: 'newest', state });
    w.ecr.before = async () => w.clock.sleep(w.clock.random() * 50);
    const jobs = ['a', 'b'].map((job) => w.open(1_001, { context: { job }, text: job }));
    await w.clock.run(Promise.all(jobs.map((job) => job.publish())));
    const before = w.latest();
    await w.clock.run(w.open(1_000, { text: 'older' }).publish());
    expect(w.latest()).toBe(before);
  });

  test('an announced image that a lifecycle rule removed holds nobody up', async () => {
    const w = world({ mode: 'newest', state });
    await w.clock.run(w.open(1_002).publish());
    w.ecr.expire(manifestOf('run 1002').digest);
    await w.clock.run(w.open(1_001).publish());
    await w.clock.run(w.open(1_003).publish());
    expect(w.latest()).toBe(manifestOf('run 1003').digest);
  });
});

describe('a cancel', () => {
  test('before the announcement ends it at once and leaves nothing', async () => {
    const w = world({ mode: 'newest', state: 'registry' });
    const run = w.open(1_001);
    const abort = new AbortController();
    w.ecr.before = async (operation) => {
      if (operation === 'tagged') abort.abort();
    };
    await expect(w.clock.run(run.publish(abort.signal))).rejects.toThrow('abort');
    w.ecr.before = async () => {};
    expect(await run.post()).toEqual([]);
    expect(w.latest()).toBeUndefined();
  });

  test('after it, what was begun is finished', async () => {
    const w = world({ mode: 'newest', state: 'registry' });
    const abort = new AbortController();
    w.ecr.before = async (operation) => {
      await w.clock.sleep(300);
      if (operation === 'putTag') abort.abort();
    };
    const run = w.open(1_001, { movingTags: ['latest', 'edge'] });
    const published = await w.clock.run(run.publish(abort.signal));
    expect(published.result).toBe('moved');
    expect([...w.ecr.tags.keys()]).toEqual(expect.arrayContaining(['latest', 'edge']));
    expect(run.saved().phase).toBe('done');
  });

  test('finishing that takes too long is left to the post step', async () => {
    const w = world({ mode: 'newest', state: 'registry' });
    const abort = new AbortController();
    w.ecr.before = async (operation) => {
      if (operation !== 'putTag') return;
      abort.abort();
      await w.clock.sleep(4_000);
    };
    const run = w.open(1_001);
    await expect(w.clock.run(run.publish(abort.signal))).rejects.toThrow('abort');
    expect(run.saved().phase).toBe('publishing');
    await w.clock.run(run.post());
    expect(w.latest()).toBe(run.image.digest);
  });
});

describe('what is not ordered', () => {
  test('order: off moves at once', async () => {
    const w = world({ mode: 'off' });
    await w.clock.run(w.open(1_002).publish());
    const published = await w.clock.run(w.open(1_001).publish());
    expect(published.result).toBe('off');
    expect(w.latest()).toBe(manifestOf('run 1001').digest);
  });

  test('a pull request publishes nothing', async () => {
    const w = world();
    const run = w.open(1_001, { canPublish: false });
    expect(await run.turn.wait()).toBe(0);
    expect(await w.clock.run(run.publish())).toMatchObject({ result: 'off', tags: [] });
    expect(w.ecr.puts).toEqual([]);
  });

  test('a moving tag that is immutable says what to set', async () => {
    const w = world({ mode: 'newest', state: 'registry' });
    w.ecr.push(manifestOf('x'), 'latest');
    w.ecr.immutable.add('latest');
    await expect(w.clock.run(w.open(1_001).publish())).rejects.toMatchObject({
      message: expect.stringContaining('"latest"') as string,
      hint: expect.stringContaining('IMMUTABLE_WITH_EXCLUSION') as string,
    });
  });

  test('S3 without a bucket is refused before anything happens', () => {
    const w = world({ mode: 'newest', state: 's3' });
    const systems = { ...w, store: undefined, log: new FakeLog() };
    const options = { context: contextOf(1_001), repository: REPOSITORY, movingTags: ['latest'] };
    const order = { ...ORDER, state: 's3' as const };
    expect(() => openTurn({ ...options, order, canPublish: true }, systems)).toThrow(/no bucket/);
  });
});
