import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failure, openLambdaWorld, type LambdaWorld } from './kit.ts';

let world: LambdaWorld;
beforeEach(async () => {
  world = await openLambdaWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe('what a smoke invocation tells', () => {
  test.each([
    [
      'Runtime.InvalidEntrypoint',
      'Error: fork/exec /app: exec format error',
      'another architecture',
    ],
    ['Runtime.InvalidEntrypoint', 'Error: fork/exec /app: no such file', 'an absolute path'],
    ['Runtime.ExitError', 'Error: Runtime exited with error: exit status 1', 'ended before it'],
    ['Sandbox.Timedout', 'Error: Task timed out after 3.00 seconds', 'within its own timeout'],
    ['Runtime.ImportModuleError', "Unable to import module 'app'", 'could not be imported'],
    ['ValueError', 'no such event', 'an event it understands'],
  ])('%s: %s', async (errorType, errorMessage, says) => {
    await world.standIn.create('app', { image: world.uri(await world.push()) });
    world.standIn.invoker = () =>
      Promise.resolve({
        functionError: 'Unhandled',
        payload: JSON.stringify({ errorType, errorMessage }),
        log: `${'x'.repeat(5000)}END\n`,
      });
    const text = await failure(world.ship(await world.push(), 'app', { invoke: '{}' }));
    expect(text).toContain(`failed (${errorType})`);
    expect(text).toContain(errorMessage);
    expect(text).toContain(says);
    expect(text).toContain('xEND');
    expect(/x{4000,4096}/.test(text)).toBe(true);
    expect(/x{4097}/.test(text)).toBe(false);
  });
});
