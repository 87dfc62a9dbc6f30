import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Refusal } from '../sandbox/aws/lambda/source-image.ts';
import { failure, openLambdaWorld, type LambdaWorld } from './kit.ts';

let world: LambdaWorld;
beforeEach(async () => {
  world = await openLambdaWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe('faults on the way', () => {
  test('throttling is ridden out', async () => {
    await world.standIn.create('app', { image: world.uri(await world.push()) });
    const busy = { status: 429, code: 'TooManyRequestsException', message: 'Rate exceeded' };
    for (const action of ['UpdateFunctionCode', 'PublishVersion', 'UpdateAlias', 'GetFunction']) {
      world.aws.faults.next(`lambda:${action}`, busy);
    }
    world.aws.faults.next('lambda:InvokeFunction', { ...busy, times: 2 });
    const { rows } = await world.ship(await world.push(), 'app:live', { invoke: '{}' });
    expect(rows).toMatchObject([{ result: 'updated' }]);
  });

  test('an update whose answer is lost is not done twice', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    fn.nextUpdates.push({ polls: 2 });
    world.standIn.before('lambda:UpdateFunctionCode', () => {
      world.aws.faults.next('lambda:UpdateFunctionCode', { lostAnswer: true });
    });
    const { rows } = await world.ship(await world.push(), 'app:live');
    expect(rows).toMatchObject([{ result: 'updated', aliasTo: '1' }]);
    expect(fn.versions.length).toBe(1);
  });

  test('an image that Lambda sees late is waited for', async () => {
    await world.standIn.create('app', { image: world.uri(await world.push()) });
    const next = await world.push();
    const uri = world.uri(next);
    world.aws.faults.next('lambda:UpdateFunctionCode', {
      status: 400,
      code: 'InvalidParameterValueException',
      message: `Source image ${uri} does not exist. Provide a valid source image.`,
      times: 3,
    });
    const { rows } = await world.ship(next, 'app:live');
    expect(rows).toMatchObject([{ result: 'updated' }]);
    expect(world.log.lines.join('\n')).toContain("Lambda doesn't see the pushed image yet");
  });

  test('an image that was removed is not waited for', async () => {
    await world.standIn.create('app', { image: world.uri(await world.push()) });
    const next = await world.push();
    world.aws.ecr.expireImage('app', next.digest);
    const text = await failure(
      world.ship(next, 'app:live', {
        ecr: {
          manifest: () => Promise.resolve(undefined),
          tagsOf: () => Promise.resolve([]),
          lifecyclePolicy: () => Promise.resolve(undefined),
        },
      }),
    );
    expect(text).toContain(`Lambda can't find the image ${next.digest}`);
    expect(world.clock.slept()).toBeLessThan(5000);
  });

  test('a lifecycle rule that will remove the image is a warning', async () => {
    await world.standIn.create('app', { image: world.uri(await world.push()) });
    const policy = {
      rules: [
        {
          rulePriority: 1,
          description: 'few',
          selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 5 },
          action: { type: 'expire' },
        },
      ],
    };
    await world.ship(await world.push(), 'app', {
      ecr: {
        manifest: () => Promise.resolve(undefined),
        tagsOf: () => Promise.resolve(['abc']),
        lifecyclePolicy: () => Promise.resolve(JSON.stringify(policy)),
      },
    });
    expect(world.log.lines.join('\n')).toMatch(
      /warning: Lifecycle rule 1 \("few"\).*once 5 newer images/,
    );
  });
});

describe('failures', () => {
  test('a smoke failure moves no alias and takes the code back', async () => {
    const old = await world.push();
    const fn = await world.standIn.create('app', { image: world.uri(old) });
    await world.ship(old, 'app:live');
    world.standIn.invoker = () =>
      Promise.resolve({
        functionError: 'Unhandled',
        payload: '{"errorType":"Runtime.ExitError","errorMessage":"Runtime exited"}',
        log: 'Traceback: no module named app\n',
      });
    const text = await failure(world.ship(await world.push(), 'app:live', { invoke: '{}' }));
    expect(text).toContain('The deployment to Lambda failed while checking the new code, no alias');
    expect(text).toContain('app:live: serves version 1');
    expect(text).toContain('(Runtime.ExitError)');
    expect(text).toContain('no module named app');
    expect(text).toContain('The process ended before it answered');
    expect(fn.aliases.get('live')?.version).toBe('1');
    expect(fn.latest.code?.codeSha256).toBe(old.digest.replace('sha256:', ''));
    expect(world.records.at(-1)?.stage).toBe('done');
  });

  test('lambda-rollback: false leaves the code', async () => {
    const fn = await world.standIn.create('app', { image: world.uri(await world.push()) });
    world.standIn.invoker = () =>
      Promise.resolve({ functionError: 'Unhandled', payload: '{}', log: '' });
    const next = await world.push();
    const text = await failure(world.ship(next, 'app', { invoke: '{}', rollback: false }));
    expect(text).toContain('Nothing was taken back');
    expect(text).toContain(`$LATEST runs ${next.digest.slice(0, 19)} (Active)`);
    expect(fn.latest.code?.codeSha256).toBe(next.digest.replace('sha256:', ''));
  });

  test('an old image that is gone is said instead of restored', async () => {
    await world.standIn.create('app');
    world.standIn.invoker = () =>
      Promise.resolve({ functionError: 'Unhandled', payload: '{}', log: '' });
    const text = await failure(world.ship(await world.push(), 'app', { invoke: '{}' }));
    expect(text).toMatch(/app: could not be taken back\. \$LATEST stays at sha256:/);
    expect(text).toContain('does not exist');
  });

  test('one of three functions fails before the flip: all aliases stay', async () => {
    const old = await world.push();
    for (const name of ['one', 'two', 'three']) {
      await world.standIn.create(name, { image: world.uri(old) });
    }
    await world.ship(old, 'one:live\ntwo:live\nthree:live');
    world.standIn.functions.get('two')?.nextUpdates.push({
      failed: { code: 'ImageAccessDenied', reason: 'no access' },
    });
    const text = await failure(world.ship(await world.push(), 'one:live\ntwo:live\nthree:live'));
    expect(text).toContain('failed while updating the code, no alias was moved');
    expect(text).toContain('two:live: Lambda accepted the update and then failed to apply it');
    for (const fn of world.standIn.functions.values()) {
      expect(fn.aliases.get('live')?.version).toBe('1');
      expect(fn.latest.code?.codeSha256).toBe(old.digest.replace('sha256:', ''));
    }
  });

  test('a failure while flipping takes back what was flipped, and says what runs where', async () => {
    const old = await world.push();
    for (const name of ['one', 'two']) {
      await world.standIn.create(name, { image: world.uri(old) });
    }
    await world.ship(old, 'one:live\ntwo:live');
    world.aws.faults.next('lambda:UpdateAlias', {
      status: 403,
      code: 'AccessDeniedException',
      message:
        'User: arn:aws:sts::123456789012:assumed-role/ship/x is not authorized to perform: lambda:UpdateAlias on resource: arn:aws:lambda:eu-west-1:123456789012:function:two because no identity-based policy allows the lambda:UpdateAlias action',
      when: (request) => request?.path.includes('/two/') === true,
    });
    const text = await failure(world.ship(await world.push(), 'one:live\ntwo:live'));
    expect(text).toContain('failed while moving aliases');
    expect(text).toContain('one:live: alias taken back to version 1');
    expect(text).toContain('one:live: serves version 1');
    expect(text).toContain('two:live: serves version 1');
    expect(text).toContain('permission lambda:UpdateAlias is missing');
    expect(text).toContain('"lambda:PublishVersion"');
    expect(text).toContain('"arn:aws:lambda:eu-west-1:123456789012:function:two:*"');
  });

  test('what a newer run has moved meanwhile is not taken back', async () => {
    const old = await world.push();
    for (const name of ['one', 'two']) {
      await world.standIn.create(name, { image: world.uri(old) });
    }
    await world.ship(old, 'one:live\ntwo:live');
    const newer = await world.push();
    const one = world.standIn.functions.get('one');
    // `one` is moved by this run, then by a newer one, before `two` is refused.
    world.standIn.before(
      'lambda:UpdateAlias',
      async () => {
        await vi.waitFor(() => {
          expect(one?.aliases.get('live')?.version).toBe('2');
        });
        await world.ship(newer, 'one:live');
        throw new Refusal(403, 'AccessDeniedException', 'no');
      },
      'two',
    );
    const text = await failure(world.ship(await world.push(), 'one:live\ntwo:live'));
    expect(text).toContain(
      'one:live: the alias was moved by somebody else since; left at version 3',
    );
    expect(text).toContain('one:live: $LATEST was deployed by somebody else since');
    expect(one?.aliases.get('live')?.version).toBe('3');
  });

  test('AWS refusing the dry run of one changes nothing anywhere', async () => {
    const old = await world.push();
    await world.standIn.create('one', { image: world.uri(old) });
    await world.standIn.create('two', { image: world.uri(old) });
    world.aws.faults.next('lambda:UpdateFunctionCode', {
      status: 403,
      code: 'AccessDeniedException',
      message:
        'Lambda does not have permission to access the ECR image. Check the ECR permissions.',
    });
    const text = await failure(world.ship(await world.push(), 'one:live\ntwo:live'));
    expect(text).toContain('Lambda may not read the image from ECR');
    expect(text).toContain('ecr:GetDownloadUrlForLayer');
    expect(world.changes().every((change) => change.endsWith('(dry)'))).toBe(true);
  });
});
