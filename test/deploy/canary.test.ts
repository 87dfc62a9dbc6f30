import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canarySteps } from '../../src/deploy/canary.ts';
import { explain } from '../../src/errors.ts';
import { openLambdaWorld, type LambdaWorld } from './kit.ts';

test.each([
  [10, [10, 20, 30, 40, 50, 60, 70, 80, 90]],
  [25, [25, 50, 75]],
  [40, [40, 80]],
  [50, [50]],
  [99, [99]],
  [100, []],
  [0, []],
])('%i %% a step', (percent, shares) => {
  expect(canarySteps(percent)).toEqual(shares);
});

describe('a canary', () => {
  let world: LambdaWorld;
  beforeEach(async () => {
    world = await openLambdaWorld();
    const old = await world.push();
    await world.standIn.create('app', { image: world.uri(old) });
    await world.ship(old, 'app:live');
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });
  const alias = () => world.standIn.functions.get('app')?.aliases.get('live');
  const weights = () =>
    world.aws.requests
      .filter(({ action }) => action === 'lambda:UpdateAlias')
      .map(({ body }) => JSON.parse(body) as Record<string, unknown>)
      .map(({ FunctionVersion, RoutingConfig }) => [FunctionVersion, RoutingConfig]);

  test('shifts in steps, looks at errors and smoke each time, then moves the alias whole', async () => {
    const slept = world.clock.slept();
    const { rows } = await world.ship(await world.push(), 'app:live canary=25%,2m', {
      invoke: '{}',
    });
    expect(rows).toMatchObject([{ aliasFrom: '1', aliasTo: '2', result: 'updated' }]);
    expect(weights()).toEqual([
      ['1', { AdditionalVersionWeights: { 2: 0.25 } }],
      ['1', { AdditionalVersionWeights: { 2: 0.5 } }],
      ['1', { AdditionalVersionWeights: { 2: 0.75 } }],
      ['2', { AdditionalVersionWeights: {} }],
    ]);
    expect(world.clock.slept() - slept).toBeGreaterThanOrEqual(6 * 60_000);
    const calls = world.aws.requests.map(({ action }) => action);
    expect(calls.filter((action) => action === 'cloudwatch:GetMetricStatistics').length).toBe(3);
    expect(calls.filter((action) => action === 'lambda:InvokeFunction').length).toBe(4);
  });

  test('goes back on errors that CloudWatch has seen', async () => {
    world.standIn.functions.get('app')?.errors.set('2', 3);
    const error = await world
      .ship(await world.push(), 'app:live canary=50%,1m')
      .catch((error: unknown) => error);
    expect(explain(error)).toContain('version 2 had 3 error(s) while it got 50 % of the traffic');
    expect(explain(error)).toContain('app:live: alias taken back to version 1');
    expect(alias()).toMatchObject({ version: '1', weights: {} });
  });

  test('goes back when the smoke invocation fails at a step', async () => {
    let calls = 0;
    world.standIn.invoker = () => {
      calls += 1;
      return Promise.resolve({
        functionError: calls > 2 ? 'Unhandled' : undefined,
        payload: '{"errorMessage":"boom"}',
        log: '',
      });
    };
    const error = await world
      .ship(await world.push(), 'app:live canary=25%,1m', { invoke: '{}' })
      .catch((error: unknown) => error);
    expect(explain(error)).toContain('boom');
    expect(alias()).toMatchObject({ version: '1', weights: {} });
  });

  test.each([
    ['forbidden', () => world.aws.faults.deny('cloudwatch:GetMetricStatistics')],
    [
      'broken',
      () =>
        world.aws.faults.next('cloudwatch:GetMetricStatistics', {
          status: 400,
          code: 'InvalidParameterValue',
          message: 'no',
          times: 99,
        }),
    ],
  ])('goes on without metrics that are %s', async (_name, break_) => {
    break_();
    await world.ship(await world.push(), 'app:live canary=50%,1m');
    expect(alias()).toMatchObject({ version: '2', weights: {} });
    expect(world.log.lines.join('\n')).toContain(
      "notice: app:live: the canary goes on without CloudWatch's error counts",
    );
  });

  test('an alias at $LATEST, and a new one, are set at once', async () => {
    await world.lambda.createAlias('app', 'beta', '$LATEST', '');
    await world.ship(await world.push(), 'app:beta canary=50%,1m\napp:gamma canary=50%,1m');
    const fn = world.standIn.functions.get('app');
    expect(fn?.aliases.get('beta')).toMatchObject({ version: '2', weights: {} });
    expect(fn?.aliases.get('gamma')).toMatchObject({ version: '2', weights: {} });
    expect(world.log.lines.join('\n')).toContain("can't share traffic");
  });

  test('provisioned concurrency refuses weights: explained, nothing moved', async () => {
    const fn = world.standIn.functions.get('app');
    if (fn !== undefined) fn.provisionedConcurrency = true;
    const error = await world
      .ship(await world.push(), 'app:live canary=50%,1m')
      .catch((error: unknown) => error);
    expect(explain(error)).toContain(
      "provisioned concurrency, which can't be combined with weights",
    );
    expect(alias()).toMatchObject({ version: '1' });
  });

  test('a newer run that takes the alias during the canary keeps it', async () => {
    const newer = await world.push();
    const guard = (digest: string | undefined) =>
      Promise.resolve(digest === newer.digest ? { supersededBy: 'run 9' } : ('go' as const));
    world.standIn.before('lambda:UpdateAlias', () => undefined);
    world.standIn.before('lambda:UpdateAlias', async () => {
      await world.ship(newer, 'app:live', { guard });
    });
    const { rows } = await world.ship(await world.push(), 'app:live canary=25%,1m', { guard });
    expect(rows).toMatchObject([{ result: 'superseded', supersededBy: 'run 9' }]);
    expect(alias()).toMatchObject({ version: '3', weights: {} });
  });
});
