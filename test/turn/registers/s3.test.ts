import { describe, expect, test } from 'vitest';
import { sharedObject } from '../../../src/turn/object.ts';
import { orderPlace, s3Register } from '../../../src/turn/registers/s3.ts';
import { FakeStore, httpError, REPOSITORY, SimulatedClock } from '../fakes.ts';

const image = (runId: number, lane = 'aaaaaaaa', digest = `sha256:${runId}`) => ({
  key: { runId, runAttempt: 1 },
  lane,
  digest,
});

function open() {
  const store = new FakeStore();
  const clock = new SimulatedClock();
  const place = orderPlace(store, 'order', REPOSITORY.uri, clock);
  const key = `${REPOSITORY.uri}/12345678.json`;
  return { store, clock, key, register: s3Register(place, '12345678') };
}

describe('the S3 register', () => {
  test('is empty at first, then holds the highest, and never falls', async () => {
    const { register, store, key } = open();
    expect(await register.read('aaaaaaaa')).toEqual({ top: undefined, own: undefined });
    await register.announce(image(5));
    await register.announce(image(3));
    await register.announce(image(4, 'bbbbbbbb'));
    expect(await register.read('bbbbbbbb')).toEqual({ top: image(5), own: image(4, 'bbbbbbbb') });
    expect(JSON.parse(store.objects.get(key)?.body ?? '')).toMatchObject({ schema: 1 });
  });

  test('an answer lost after success is found out by reading', async () => {
    const { register, store, clock } = open();
    await register.announce(image(1));
    store.lostAnswers = 1;
    const puts: string[] = [];
    store.before = async (operation, at) => void (operation === 'put' && puts.push(at));
    await clock.run(register.announce(image(2)));
    expect(puts).toHaveLength(1);
    expect((await register.read('aaaaaaaa')).top).toEqual(image(2));
  });

  test('conflicts (409) are tried again, with pauses', async () => {
    const { register, store, clock } = open();
    await register.announce(image(1));
    store.conflicts = 6;
    await clock.run(register.announce(image(2)));
    expect((await register.read('aaaaaaaa')).top).toEqual(image(2));
  });

  test('a store that always refuses is given up on', async () => {
    const { register, store, clock } = open();
    await register.announce(image(1));
    store.conflicts = 1_000;
    await expect(clock.run(register.announce(image(2)))).rejects.toThrow(/40 times in a row/);
  });

  test('fifty at once: all stick, the highest wins', async () => {
    const { register, clock, store } = open();
    store.before = async () => clock.sleep(Math.round(clock.random() * 20));
    const all = Array.from({ length: 50 }, (_, at) =>
      register.announce(image(at + 1, `lane${at % 10}`)),
    );
    await clock.run(Promise.all(all));
    expect((await clock.run(register.read('lane0'))).top?.key.runId).toBe(50);
    expect((await clock.run(register.read('lane0'))).own?.key.runId).toBe(41);
  });

  test('a store that ignores If-Match is refused before the first announcement', async () => {
    const { register, store, key } = open();
    store.careless = true;
    await expect(register.announce(image(1))).rejects.toThrow('ignores If-Match');
    expect(store.objects.has(key)).toBe(false);
  });

  test.each<[string, string, RegExp]>([
    ['not JSON', '<html>', /isn't JSON/],
    ['an array', '[]', /no schema number/],
    ['a newer schema', '{"schema": 2}', /schema 2; this version of the action knows 1/],
    ['no lanes', '{"schema": 1}', /"lanes"/],
    ['a broken lane', '{"schema": 1, "lanes": {"a": {"key": {"runId": "x"}}}}', /"lanes.a"/],
  ])('an object that is %s is not overwritten', async (_, body, says) => {
    const { register, store, key } = open();
    store.objects.set(key, { body, etag: '"x"' });
    await expect(register.read('aaaaaaaa')).rejects.toThrow(says);
    await expect(register.announce(image(1))).rejects.toThrow(says);
    expect(store.objects.get(key)?.body).toBe(body);
  });

  test('an S3 failure comes through', async () => {
    const { register, store } = open();
    store.before = async () => {
      throw httpError(503, 'SlowDown');
    };
    await expect(register.announce(image(1))).rejects.toThrow('SlowDown');
  });
});

test('unknown fields of others survive a write', async () => {
  const store = new FakeStore();
  const object = sharedObject(store, 'k', 's3://b/k', new SimulatedClock());
  store.objects.set('k', { body: '{"schema": 1, "note": "hello", "n": 1}', etag: '"x"' });
  await object.update((now) => ({ ...now, n: 2 }));
  expect(await object.read()).toEqual({ schema: 1, note: 'hello', n: 2 });
});
