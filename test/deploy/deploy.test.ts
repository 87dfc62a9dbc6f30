import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failure, openLambdaWorld, type LambdaWorld } from './kit.ts';

let world: LambdaWorld;
beforeEach(async () => {
  world = await openLambdaWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe('one function', () => {
  test('with an alias: dry run, update, version, smoke on the version, alias', async () => {
    const old = await world.push();
    const fn = await world.standIn.create('app', { image: world.uri(old) });
    const first = await world.ship(old, 'app:live');
    expect(first.rows).toMatchObject([{ result: 'updated', aliasFrom: undefined, aliasTo: '1' }]);

    const next = await world.push({ architectures: ['arm64', 'amd64', 'attested'] });
    const amd64 = next.platforms.find(({ architecture }) => architecture === 'amd64');
    const before = world.changes().length;
    const { rows } = await world.ship(next, 'app:live', { invoke: '{"ping":1}' });

    expect(rows).toEqual([
      {
        function: 'app',
        alias: 'live',
        fromDigest: old.digest,
        toDigest: amd64?.digest,
        version: '2',
        aliasFrom: '1',
        aliasTo: '2',
        result: 'updated',
        supersededBy: undefined,
        ms: expect.any(Number) as number,
      },
    ]);
    expect(world.changes().slice(before)).toEqual([
      'UpdateFunctionCode (dry)',
      'UpdateFunctionCode',
      'PublishVersion',
      'InvokeFunction',
      'UpdateAlias',
    ]);
    expect(fn.latest.code?.resolvedImageUri).toBe(`${next.repository}@${amd64?.digest}`);
    expect(fn.aliases.get('live')).toMatchObject({ version: '2', weights: {} });
    expect(fn.configuration).toMatchObject({ Environment: { Variables: { SECRET: 'kept' } } });
    expect(world.records.at(-1)?.stage).toBe('done');
  });

  test('the same digest again changes nothing', async () => {
    const image = await world.push();
    await world.standIn.create('app', { image: world.uri(image) });
    await world.ship(image, 'app:live');
    const before = world.changes().length;
    const { rows } = await world.ship(image, 'app:live', { invoke: '{}' });
    expect(rows).toMatchObject([{ result: 'unchanged', version: '1', aliasTo: '1', ms: 0 }]);
    expect(world.changes().length).toBe(before);
  });

  test('without alias and publish only the code is updated', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    const { rows } = await world.ship(await world.push(), 'app', { publish: false, invoke: '{}' });
    expect(rows).toMatchObject([{ result: 'updated', version: undefined, aliasTo: undefined }]);
    expect(world.changes()).toEqual([
      'UpdateFunctionCode (dry)',
      'UpdateFunctionCode',
      'InvokeFunction',
    ]);
    expect(fn.versions).toEqual([]);
  });

  test('a dry run asks AWS and shows the plan', async () => {
    const old = await world.push();
    await world.standIn.create('app', { image: world.uri(old) });
    const next = await world.push();
    const { rows } = await world.ship(next, 'app:live', { dryRun: true });
    expect(rows).toMatchObject([{ result: 'planned', toDigest: next.digest, aliasTo: undefined }]);
    expect(world.changes()).toEqual(['UpdateFunctionCode (dry)']);
    expect(world.records).toEqual([]);
  });

  test.each(['arn:aws:lambda:eu-west-1:123456789012:function:app', '123456789012:function:app'])(
    'may be named %s',
    async (name) => {
      await world.standIn.create('app', { image: world.uri(await world.push()) });
      const { rows } = await world.ship(await world.push(), `${name}:live`);
      expect(rows).toMatchObject([{ function: 'app', alias: 'live', result: 'updated' }]);
    },
  );

  test('an arm64 function gets the arm64 image', async () => {
    const fn = await world.standIn.create('app', {
      architecture: 'arm64',
      image: world.uri(await world.push({ architectures: ['arm64'] })),
    });
    const both = await world.push({ architectures: ['amd64', 'arm64'] });
    await world.ship(both, 'app');
    expect(fn.latest.code).toMatchObject({
      architecture: 'arm64',
      resolvedImageUri: `${both.repository}@${both.platforms[1]?.digest}`,
    });
  });

  test.each([
    ['Failed', { state: 'Failed', stateReasonCode: 'ImageDeleted' }],
    ['Inactive', { state: 'Inactive', stateReasonCode: 'Idle' }],
    ['failed update', { lastUpdateStatus: 'Failed', lastUpdateStatusReasonCode: 'InvalidImage' }],
  ])('a function in %s is cured by the update', async (_name, status) => {
    // Its old image is gone.
    const fn = await world.standIn.create('app');
    Object.assign(fn.latest, status);
    const { rows } = await world.ship(await world.push(), 'app:live');
    expect(rows).toMatchObject([{ result: 'updated', aliasTo: '1' }]);
    expect(fn.latest.state).toBe('Active');
  });

  test('a slow Pending version is waited for before it is invoked', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    fn.nextVersions.push({ polls: 8 });
    await world.ship(await world.push(), 'app:live', { invoke: '{}' });
    expect(fn.aliases.get('live')?.version).toBe('1');
    // 1, 1.5, 2.25, 3.4, then 5 s each.
    expect(world.clock.slept()).toBeGreaterThan(20_000);
  });

  test('provisioned concurrency that AWS is still moving is no mistake', async () => {
    const image = await world.push();
    const fn = await world.standIn.create('app', { image: world.uri(image) });
    await world.ship(image, 'app:live');
    fn.provisionedConcurrency = true;
    const { rows } = await world.ship(await world.push(), 'app:live');
    expect(rows).toMatchObject([{ aliasFrom: '1', aliasTo: '2' }]);
    expect(world.log.lines.join('\n')).toContain(
      'AWS is still moving provisioned concurrency to 2',
    );
  });

  test('weights that an earlier canary left behind are taken off', async () => {
    const [one, two] = [await world.push(), await world.push()];
    const fn = await world.standIn.create('app', { image: world.uri(one) });
    await world.ship(one, 'app:live');
    await world.ship(two, 'app:live');
    await world.lambda.updateAlias('app', 'live', {
      version: '2',
      weights: { 1: 0.1 },
      revisionId: fn.aliases.get('live')?.revisionId ?? '',
      description: '',
    });
    const { rows } = await world.ship(two, 'app:live');
    expect(rows).toMatchObject([{ result: 'updated', aliasTo: '2' }]);
    expect(fn.aliases.get('live')).toMatchObject({ version: '2', weights: {} });
  });
});

describe('others at work', () => {
  test('an update in progress is waited for, and said', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    const theirs = await world.push();
    await world.standIn.deployFromOutside('app', world.uri(theirs), { polls: 4 });
    const next = await world.push();
    await world.ship(next, 'app:live');
    expect(fn.latest.code?.codeSha256).toBe(next.digest.replace('sha256:', ''));
    expect(world.log.lines.join('\n')).toContain(
      'app:live: an update by somebody else is in progress',
    );
  });

  test('one that never ends is given up', async () => {
    await world.standIn.create('app', { image: world.uri(await world.push()) });
    await world.standIn.deployFromOutside('app', world.uri(await world.push()), { polls: 1e6 });
    const text = await failure(world.ship(await world.push(), 'app:live', { timeout: 60_000 }));
    expect(text).toContain('Waited 1 min 00 s for function app:live to settle');
    expect(text).toContain('an update by somebody else is in progress');
    expect(text).toContain('lambda-timeout');
  });

  test('a deploy from outside just before the update (412): read again, guard asked again', async () => {
    const old = await world.push();
    const fn = await world.standIn.create('app', { image: world.uri(old) });
    const theirs = await world.push();
    const asked: (string | undefined)[] = [];
    world.standIn.before('lambda:UpdateFunctionCode', () => undefined);
    world.standIn.before('lambda:UpdateFunctionCode', async () =>
      world.standIn.deployFromOutside('app', world.uri(theirs), { polls: 2 }),
    );
    const next = await world.push();
    await world.ship(next, 'app:live', {
      guard: (digest) => {
        asked.push(digest);
        return Promise.resolve('go');
      },
    });
    expect(asked).toEqual([old.digest, theirs.digest]);
    expect(fn.latest.code?.codeSha256).toBe(next.digest.replace('sha256:', ''));
  });

  test('a deploy from outside between update and publish: ours is brought back first', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    const theirs = await world.push();
    world.standIn.before('lambda:PublishVersion', async () =>
      world.standIn.deployFromOutside('app', world.uri(theirs), { polls: 2 }),
    );
    const next = await world.push();
    await world.ship(next, 'app:live');
    expect(fn.versions.map(({ code }) => code?.codeSha256)).toEqual([
      next.digest.replace('sha256:', ''),
    ]);
    // To go back to, should something fail later: theirs, not what was there at first.
    expect(world.records.at(-1)?.functions[0]?.codeBefore).toBe(world.uri(theirs));
  });

  test('a newer run that was faster supersedes this one', async () => {
    const old = await world.push();
    const fn = await world.standIn.create('app', { image: world.uri(old) });
    await world.ship(old, 'app:live');
    const newer = await world.push();
    world.standIn.before('lambda:UpdateFunctionCode', () => undefined);
    world.standIn.before('lambda:UpdateFunctionCode', async () =>
      world.standIn.deployFromOutside('app', world.uri(newer)),
    );
    const { rows } = await world.ship(await world.push(), 'app:live', {
      guard: (digest) =>
        Promise.resolve(digest === newer.digest ? { supersededBy: 'run 8' } : 'go'),
    });
    expect(rows).toMatchObject([
      { result: 'superseded', supersededBy: 'run 8', aliasTo: undefined },
    ]);
    expect(fn.latest.code?.codeSha256).toBe(newer.digest.replace('sha256:', ''));
    expect(fn.aliases.get('live')?.version).toBe('1');
  });

  test('a newer run that moved the alias meanwhile keeps it', async () => {
    const old = await world.push();
    const fn = await world.standIn.create('app', { image: world.uri(old) });
    await world.ship(old, 'app:live');
    const newer = await world.push();
    const mine = await world.push();
    const guard = (digest: string | undefined) =>
      Promise.resolve(digest === newer.digest ? { supersededBy: 'run 8' } : ('go' as const));
    // While this run's smoke invocation is on its way, the newer run deploys whole.
    world.standIn.before('lambda:Invoke', async () => {
      await world.ship(newer, 'app:live', { guard });
    });
    const { rows } = await world.ship(mine, 'app:live', { guard, invoke: '{}' });
    expect(rows).toMatchObject([{ result: 'superseded', supersededBy: 'run 8', version: '2' }]);
    expect(fn.aliases.get('live')?.version).toBe('3');
    expect(fn.versions[2]?.code?.codeSha256).toBe(newer.digest.replace('sha256:', ''));
  });

  test('an alias that a newer run moves on at once is seen when it is read back', async () => {
    const [old, newer] = [await world.push(), await world.push()];
    const fn = await world.standIn.create('app', { image: world.uri(old) });
    await world.ship(old, 'app:live');
    const guard = (digest: string | undefined) =>
      Promise.resolve(digest === newer.digest ? { supersededBy: 'run 9' } : ('go' as const));
    // Preflight and the read before the move; the third is the read after it.
    world.standIn.before('lambda:GetAlias', () => undefined);
    world.standIn.before('lambda:GetAlias', () => undefined);
    world.standIn.before('lambda:GetAlias', async () => {
      await world.ship(newer, 'app:live', { guard });
    });
    const { rows } = await world.ship(await world.push(), 'app:live', { guard });
    expect(rows).toMatchObject([{ result: 'superseded', supersededBy: 'run 9' }]);
    expect(fn.aliases.get('live')?.version).toBe('3');
  });

  test('an alias moved between read and write (412) is read again', async () => {
    const image = await world.push();
    const fn = await world.standIn.create('app', { image: world.uri(image) });
    await world.ship(image, 'app:live');
    world.standIn.before('lambda:UpdateAlias', async () => {
      await world.lambda.updateAlias('app', 'live', {
        version: '1',
        weights: {},
        revisionId: fn.aliases.get('live')?.revisionId ?? '',
        description: 'touched',
      });
    });
    await world.ship(await world.push(), 'app:live');
    expect(fn.aliases.get('live')).toMatchObject({ version: '2', description: 'touched' });
  });

  test('an alias created by somebody in between is moved instead', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    world.standIn.before('lambda:CreateAlias', async () => {
      await world.lambda.createAlias('app', 'live', '$LATEST', 'theirs');
    });
    await world.ship(await world.push(), 'app:live');
    expect(fn.aliases.get('live')).toMatchObject({ version: '1', description: 'theirs' });
  });

  test('two aliases of one function go together', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    const { rows } = await world.ship(await world.push(), 'app:live\napp:beta');
    expect(rows.map(({ aliasTo }) => aliasTo)).toEqual(['1', '1']);
    expect(fn.versions.length).toBe(1);
  });
});
