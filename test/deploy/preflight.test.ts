import { afterEach, beforeEach, expect, test } from 'vitest';
import { preflight } from '../../src/deploy/preflight.ts';
import { explain } from '../../src/errors.ts';
import { lambdaInputs, openLambdaWorld, type LambdaWorld } from './kit.ts';

let world: LambdaWorld;
beforeEach(async () => {
  world = await openLambdaWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const look = async (lines: string, account = '123456789012') =>
  preflight({
    targets: lambdaInputs(lines).functions,
    region: 'eu-west-1',
    account,
    lambda: world.lambda,
  });

test('tells what runs now, of $LATEST and of the alias', async () => {
  const old = await world.push();
  await world.standIn.create('app', { image: world.uri(old) });
  await world.ship(old, 'app:live');
  const next = await world.push();
  await world.standIn.deployFromOutside('app', world.uri(next));
  const [plan, bare] = await look('app:live\napp');
  expect(plan).toMatchObject({
    label: 'app:live',
    digest: next.digest,
    alias: { version: '1' },
    aliasImage: world.uri(old),
    view: { packageType: 'Image', architecture: 'x86_64', state: 'Active' },
  });
  expect(bare).toMatchObject({ label: 'app', alias: undefined });
});

test('all problems together, nothing changed', async () => {
  await world.standIn.create('fine', { image: world.uri(await world.push()) });
  await world.standIn.create('zip', { packageType: 'Zip' });
  const error: unknown = await look(
    [
      'fine:live',
      'gone',
      'zip',
      'arn:aws:lambda:us-east-1:123456789012:function:far:live',
      '999999999999:function:theirs:live',
      'not/a/name',
    ].join('\n'),
  ).catch((error: unknown) => error);
  const text = explain(error);
  expect(text).toContain("5 functions can't be deployed to; nothing was changed.");
  expect(text).toContain('gone: there is no such function in Region eu-west-1');
  expect(text).toContain('zip: the function is of package type Zip, not Image');
  expect(text).toContain(
    "far:live: the function's ARN is of Region us-east-1, this run works in eu-west-1",
  );
  expect(text).toContain('aws-region: us-east-1');
  expect(text).toContain(
    'The function is in account 999999999999, the credentials are of account 123456789012: assume a role in 999999999999.',
  );
  expect(text).toContain('"not/a/name" is no function');
  expect(world.changes()).toEqual([]);
});

test('a 403 is told at once, with the statement', async () => {
  await world.standIn.create('app', { image: world.uri(await world.push()) });
  world.aws.faults.deny('lambda:GetFunction');
  const error: unknown = await look('app:live').catch((error: unknown) => error);
  expect(explain(error)).toContain('permission lambda:GetFunction is missing');
  expect(explain(error)).toContain('"arn:aws:lambda:eu-west-1:123456789012:function:app"');
  expect(world.aws.requests.filter(({ action }) => action.startsWith('lambda:')).length).toBe(1);
});
