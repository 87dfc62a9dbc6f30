import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLambdaWorld, type LambdaWorld } from '../deploy/kit.ts';

let world: LambdaWorld;
beforeEach(async () => {
  world = await openLambdaWorld();
  await world.standIn.create('app', {
    architecture: 'arm64',
    image: world.uri(await world.push({ architectures: ['arm64'] })),
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const bodies = () => world.aws.requests.map(({ action, body }) => [action, body]);

test('GetFunction in our words', async () => {
  const view = await world.lambda.getFunction('app');
  expect(view).toMatchObject({
    name: 'app',
    arn: 'arn:aws:lambda:eu-west-1:123456789012:function:app',
    packageType: 'Image',
    architecture: 'arm64',
    state: 'Active',
    lastUpdateStatus: 'Successful',
    version: '$LATEST',
  });
  expect(view.resolvedImageUri).toMatch(/\/app@sha256:[0-9a-f]{64}$/);
});

test('an update names the architecture and revision, and nothing of the configuration', async () => {
  const { revisionId } = await world.lambda.getFunction('app');
  const image = world.uri(await world.push({ architectures: ['arm64'] }));
  await world.lambda.updateCode('app', {
    imageUri: image,
    architecture: 'arm64',
    revisionId,
    dryRun: false,
  });
  expect(JSON.parse(world.aws.requests.at(-1)?.body ?? '')).toEqual({
    ImageUri: image,
    Architectures: ['arm64'],
    RevisionId: revisionId,
    DryRun: false,
    Publish: false,
  });
});

test('moving an alias always sends weights, empty ones too', async () => {
  const { codeSha256, revisionId } = await world.lambda.getFunction('app');
  const version = await world.lambda.publishVersion('app', {
    codeSha256,
    revisionId,
    description: 'd',
  });
  expect(version.version).toBe('1');
  await world.lambda.createAlias('app', 'live', '$LATEST', '');
  const alias = await world.lambda.getAlias('app', 'live');
  await world.lambda.updateAlias('app', 'live', {
    version: '1',
    weights: {},
    revisionId: alias?.revisionId ?? '',
    description: '',
  });
  expect(JSON.parse(world.aws.requests.at(-1)?.body ?? '')).toMatchObject({
    RoutingConfig: { AdditionalVersionWeights: {} },
  });
  expect(await world.lambda.getAlias('app', 'live')).toMatchObject({ version: '1', weights: {} });
});

test('no alias is undefined; other refusals keep their name', async () => {
  expect(await world.lambda.getAlias('app', 'none')).toBeUndefined();
  world.aws.faults.deny('lambda:GetAlias');
  await expect(world.lambda.getAlias('app', 'none')).rejects.toMatchObject({
    name: 'AccessDeniedException',
  });
});

test('a stale revision is refused with its own name', async () => {
  const { codeSha256 } = await world.lambda.getFunction('app');
  await expect(
    world.lambda.publishVersion('app', { codeSha256, revisionId: 'stale', description: '' }),
  ).rejects.toMatchObject({ name: 'PreconditionFailedException' });
});

test('an invocation is sent once, whatever happens', async () => {
  world.aws.faults.next('lambda:InvokeFunction', {
    status: 500,
    code: 'ServiceException',
    message: 'x',
    times: 9,
  });
  await expect(world.lambda.invoke('app', '$LATEST', '{}')).rejects.toMatchObject({
    name: 'ServiceException',
  });
  expect(bodies().filter(([action]) => action === 'lambda:InvokeFunction').length).toBe(1);
});

test("an invocation gives the function's error, answer and log", async () => {
  world.standIn.invoker = ({ payload }) =>
    Promise.resolve({ functionError: 'Unhandled', payload: `[${payload}]`, log: 'line é\n' });
  expect(await world.lambda.invoke('app', '$LATEST', '{"a":1}')).toEqual({
    functionError: 'Unhandled',
    payload: '[{"a":1}]',
    logTail: 'line é\n',
    executedVersion: '$LATEST',
  });
});

test('an abort ends a call', async () => {
  const stop = new AbortController();
  const lambda = world.connect(stop.signal);
  const held = world.aws.faults.hold('lambda:GetFunction');
  const call = lambda.getFunction('app');
  await held.reached;
  stop.abort();
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
});
