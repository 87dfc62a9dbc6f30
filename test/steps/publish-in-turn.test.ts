import { describe, expect, test } from 'vitest';
import { httpError, manifestOf } from '../turn/fakes.ts';
import { world } from '../turn/lane.ts';

const minutes = 60_000;

/** The wait of run 1010 in a world that `script` sets up and changes. */
async function waitOf(
  setUp: (w: ReturnType<typeof world>) => void,
  later: readonly (readonly [atMs: number, (w: ReturnType<typeof world>) => void])[] = [],
  order: Parameters<typeof world>[0] = {},
) {
  const w = world(order);
  w.github.add(1_010);
  setUp(w);
  const began = w.clock.now();
  for (const [at, change] of later) void w.clock.sleep(at).then(() => change(w));
  const run = w.open(1_010);
  const waited = await w.clock.run(run.turn.wait());
  expect(w.clock.now() - began).toBe(waited);
  return { w, run, waited };
}

describe('in turn, by GitHub', () => {
  test('nobody before: no wait; the first run ever', async () => {
    const { waited, w, run } = await waitOf(() => {});
    expect(waited).toBe(0);
    expect((await w.clock.run(run.publish())).result).toBe('moved');
  });

  test('waits for the earlier run to publish, tells whom, with link and time', async () => {
    const { waited, run } = await waitOf(
      (w) => w.github.add(1_009),
      [[3 * minutes, (w) => w.github.changeJobs(1_009, { status: 'completed' })]],
    );
    expect(waited).toBeGreaterThanOrEqual(3 * minutes);
    expect(waited).toBeLessThan(3 * minutes + 25_000);
    expect(run.log.lines[0]).toBe(
      'Waiting for run #9, building or publishing: https://github.example/team/app/actions/runs/1009.',
    );
    expect(
      run.log.lines.slice(1).every((line) => / Waited \d+ min \d\d s so far\.$/.test(line)),
    ).toBe(true);
    expect(run.log.lines.length).toBeLessThan(6);
  });

  test('N-1 is cancelled while N-2 still publishes: waits for N-2', async () => {
    const { waited } = await waitOf(
      (w) => {
        w.github.add(1_008);
        w.github.add(1_009);
      },
      [
        [1 * minutes, (w) => w.github.finish(1_009, 'cancelled')],
        [5 * minutes, (w) => w.github.finish(1_008)],
      ],
    );
    expect(waited).toBeGreaterThanOrEqual(5 * minutes);
  });

  test.each<[string, (w: ReturnType<typeof world>) => void]>([
    ['failed', (w) => w.github.finish(1_009, 'failure')],
    ['cancelled', (w) => w.github.finish(1_009, 'cancelled')],
    ['skipped', (w) => w.github.changeJobs(1_009, { status: 'completed', conclusion: 'skipped' })],
    ['timed out', (w) => w.github.finish(1_009, 'timed_out')],
    ['deleted', (w) => w.github.remove(1_009)],
  ])('an earlier run that is %s while waited for lets it go', async (_, change) => {
    const { waited } = await waitOf((w) => w.github.add(1_009), [[2 * minutes, change]]);
    expect(waited).toBeGreaterThanOrEqual(2 * minutes);
    expect(waited).toBeLessThan(2 * minutes + 25_000);
  });

  test.each<[string, (w: ReturnType<typeof world>) => void]>([
    [
      'startup_failure',
      (w) => w.github.add(1_009, { status: 'completed', conclusion: 'startup_failure' }, []),
    ],
    ['of a pull request', (w) => w.github.add(1_009, { event: 'pull_request' })],
    ['of another branch', (w) => w.github.add(1_009, { branch: 'next' })],
    ['newer', (w) => w.github.add(1_011)],
    [
      'waiting for approval',
      (w) => w.github.add(1_009, { status: 'waiting' }, [{ status: 'waiting' }]),
    ],
  ])('a run that is %s holds nobody up', async (_, setUp) => {
    const { waited } = await waitOf(setUp);
    expect(waited).toBe(0);
  });

  test('one that is queued for days gets a minute', async () => {
    const { waited } = await waitOf((w) => {
      w.github.add(1_008, { status: 'queued' }, []);
      w.github.add(1_009, { status: 'pending' }, [{ status: 'queued', runnerName: null }]);
    });
    expect(waited).toBeGreaterThanOrEqual(1 * minutes);
    expect(waited).toBeLessThan(3 * minutes);
  });

  test('an old run, run again, waits for nobody when a newer one has announced', async () => {
    const w = world();
    w.github.add(1_020);
    await w.clock.run(w.open(1_020).publish());
    w.github.finish(1_020);
    w.github.add(1_009);
    w.github.add(1_010, { attempt: 2 });
    const run = w.open(1_010, { context: { runAttempt: 2 } });
    const published = await w.clock.run(run.publish());
    expect(published).toMatchObject({ result: 'superseded', waitedMs: 0 });
    expect(published.requests.github).toBe(0);
  });

  test('an earlier live run that is superseded already is not waited for', async () => {
    const { waited } = await waitOf((w) => {
      w.github.add(1_005, { attempt: 2 });
      const tag = w.open(1_008).turn.record;
      w.ecr.tags.set(
        `lane-${tag.registers[0]?.id}.1008.1-${tag.lane}`,
        manifestOf('run 1008').digest,
      );
    });
    expect(waited).toBe(0);
  });

  test('order-timeout ends the wait; the late one is then superseded', async () => {
    const { waited, run, w } = await waitOf((it) => it.github.add(1_009), [], {
      timeout: 4 * minutes,
    });
    expect(waited).toBe(4 * minutes);
    expect(run.log.warnings.join()).toContain('order-timeout');
    expect((await w.clock.run(run.publish())).result).toBe('moved');
    expect((await w.clock.run(w.open(1_009).publish())).result).toBe('superseded');
    expect(w.latest()).toBe(run.image.digest);
  });

  test('without actions: read, one warning, and on', async () => {
    const { waited, run, w } = await waitOf((it) => {
      it.github.add(1_009);
      it.github.before = async () => {
        throw httpError(403, 'Resource not accessible by integration');
      };
    });
    expect(waited).toBe(0);
    expect(run.log.warnings).toHaveLength(1);
    expect(run.log.warnings[0]).toContain('actions: read');
    expect((await w.clock.run(run.publish())).result).toBe('moved');
    expect(run.log.warnings).toHaveLength(1);
  });

  test.each([403, 429])('a rate limit (%i with retry-after) is waited out', async (status) => {
    let limited = 0;
    const { waited, run } = await waitOf((w) => {
      w.github.before = async () => {
        limited += 1;
        if (w.clock.now() < Date.parse('2026-11-21T00:05:00Z')) {
          throw httpError(status, 'API rate limit exceeded', 5 * minutes);
        }
      };
    });
    expect(waited).toBeGreaterThanOrEqual(5 * minutes);
    expect(limited).toBeLessThan(8);
    expect(run.log.warnings).toEqual([]);
  });

  test('errors of GitHub (502) are asked again', async () => {
    let failures = 3;
    const { run } = await waitOf((w) => {
      w.github.before = async () => {
        failures -= 1;
        if (failures >= 0) throw httpError(502, 'Bad gateway');
      };
    });
    expect(run.log.lines.join()).toContain("can't be seen now (Bad gateway)");
    expect(run.log.warnings).toEqual([]);
  });

  test('a list that does not show this run is stale, but not for ever', async () => {
    const { waited } = await waitOf(
      (w) => {
        w.github.add(1_009);
        w.github.unlisted.add(1_009).add(1_010);
      },
      [
        [4_000, (w) => w.github.unlisted.clear()],
        [2 * minutes, (w) => w.github.finish(1_009)],
      ],
    );
    expect(waited).toBeGreaterThanOrEqual(2 * minutes);
    const never = await waitOf((w) => w.github.unlisted.add(1_010));
    expect(never.waited).toBeLessThan(1 * minutes);
  });

  test('more than 100 runs, in any order', async () => {
    for (const shuffled of [false, true]) {
      const { waited } = await waitOf(
        (w) => {
          w.github.shuffled = shuffled;
          for (let id = 700; id < 1_250; id += 1) {
            if (id !== 1_010)
              w.github.add(id, { status: 'completed', branch: id % 3 ? 'x' : 'main' });
          }
          w.github.add(990);
        },
        [[2 * minutes, (w) => w.github.finish(990)]],
      );
      expect(waited).toBeGreaterThanOrEqual(2 * minutes);
    }
  });

  test('order-job names a job under another name; the job of a called workflow in a matrix', async () => {
    const { waited } = await waitOf(
      (w) =>
        w.github.add(1_009, {}, [
          { name: 'release / publish (linux)', status: 'completed' },
          { name: 'release / publish (arm)' },
          { name: 'e2e' },
        ]),
      [
        [
          2 * minutes,
          (w) =>
            w.github.changeJobs(1_009, { name: 'release / publish (arm)', status: 'completed' }),
        ],
      ],
      { job: 'publish' },
    );
    expect(waited).toBeGreaterThanOrEqual(2 * minutes);
  });

  test('a poll that sees no change asks GitHub two conditional questions', async () => {
    const asked: string[] = [];
    await waitOf(
      (w) => {
        for (let id = 960; id < 1_010; id += 1) w.github.add(id);
        w.github.before = async (operation, detail) => void asked.push(`${operation} ${detail}`);
      },
      [
        [
          10 * minutes,
          (w) => {
            for (let id = 960; id < 1_010; id += 1) w.github.finish(id);
          },
        ],
      ],
    );
    expect(new Set(asked)).toEqual(
      new Set(['run 1010', 'jobs 1010', 'runs 1', 'jobs 1009', 'run 1009']),
    );
    expect(asked.filter((one) => one === 'runs 1')).toHaveLength(2);
  });

  test('a cancel ends the wait', async () => {
    const w = world();
    w.github.add(1_009);
    w.github.add(1_010);
    const abort = new AbortController();
    void w.clock.sleep(30_000).then(() => abort.abort());
    await expect(w.clock.run(w.open(1_010).publish(abort.signal))).rejects.toThrow('abort');
    expect(w.latest()).toBeUndefined();
  });
});

describe.each(['registry', 's3'] as const)('in turn, by flags in %s', (state) => {
  /** Some announced image is there: flags in the registry sit on it. */
  async function begun() {
    const w = world({ state });
    await w.clock.run(w.open(1_001).publish());
    w.github.before = async () => {
      throw httpError(403, 'Resource not accessible by integration');
    };
    return w;
  }

  test('waits for a run that has begun, and goes when it has published', async () => {
    const w = await begun();
    const earlier = w.open(1_002);
    await w.clock.run(earlier.turn.wait());
    const run = w.open(1_003);
    const both = Promise.all([
      w.clock.sleep(3 * minutes).then(() => earlier.publish()),
      run.publish(),
    ]);
    const [first, second] = await w.clock.run(both);
    expect(first.result).toBe('moved');
    expect(second.result).toBe('moved');
    expect(second.waitedMs).toBeGreaterThanOrEqual(3 * minutes);
    expect(w.history).toEqual(
      ['run 1001', 'run 1002', 'run 1003'].map((text) => manifestOf(text).digest),
    );
    expect(run.log.lines[0]).toContain('Waiting for run 1002.1, not yet published');
    expect([...w.ecr.tags.keys()].filter((tag) => tag.startsWith('begun-'))).toEqual([]);
  });

  test('a failed run lets others go by its post step', async () => {
    const w = await begun();
    const failed = w.open(1_002);
    await w.clock.run(failed.turn.wait());
    void w.clock.sleep(2 * minutes).then(() => failed.post());
    const waited = await w.clock.run(w.open(1_003).turn.wait());
    expect(waited).toBeGreaterThanOrEqual(2 * minutes);
    expect(waited).toBeLessThan(3 * minutes);
  });

  test('a run whose machine died blocks for order-timeout at most', async () => {
    const w = await begun();
    await w.clock.run(w.open(1_002).turn.wait());
    await w.clock.run(w.clock.sleep(20 * minutes));
    const run = w.open(1_003);
    const waited = await w.clock.run(run.turn.wait());
    expect(waited).toBeLessThan(11 * minutes);
    expect(run.log.warnings).toEqual([]);
    expect(
      await w.clock.run(w.open(1_004, { order: { timeout: 30 * minutes } }).turn.wait()),
    ).toBeGreaterThan(0);
  });

  test('the flag of a dead run is swept out by a later one', async () => {
    const w = await begun();
    await w.clock.run(w.open(1_002).turn.begin());
    await w.clock.run(w.clock.sleep(31 * minutes));
    await w.clock.run(w.open(1_003).turn.begin());
    const flags = [
      ...[...w.ecr.tags.keys()].filter((tag) => tag.startsWith('begun-')),
      ...[...w.store.objects.values()].map(({ body }) => body),
    ].join();
    expect(flags).toContain('1003.1');
    expect(flags).not.toContain('1002.1');
  });

  test('and no longer than GitHub says it lives, where that may be asked', async () => {
    const w = await begun();
    w.github.before = async () => {};
    w.github.add(1_002, { status: 'completed' });
    await w.clock.run(w.open(1_002).turn.wait());
    const waited = await w.clock.run(w.open(1_003).turn.wait());
    expect(waited).toBeGreaterThanOrEqual(1 * minutes);
    expect(waited).toBeLessThan(2 * minutes);
  });

  test('the first runs of a repository', async () => {
    const w = world({ state });
    const results = await w.clock.run(
      Promise.all([w.open(1_002).publish(), w.open(1_001).publish(), w.open(1_003).publish()]),
    );
    expect(results[2]?.result).toBe('moved');
    expect(w.latest()).toBe(manifestOf('run 1003').digest);
  });
});
