import { describe, expect, test } from 'vitest';
import { ActionError, asError, explain, isAbort, Problems } from '../src/errors.ts';

describe('explain', () => {
  test('tells message, block, hint, and a cause that says something new', () => {
    const cause = new Error('socket hang up');
    const error = new ActionError('The push failed.', {
      cause,
      block: 'a\nb\n',
      hint: 'Try again.',
    });
    expect(explain(error)).toBe('The push failed.\na\nb\n→ Try again.\nCause: socket hang up');
  });

  test('leaves out a cause whose words are in the message', () => {
    const error = new ActionError('The push failed: socket hang up', {
      cause: new Error('socket hang up'),
    });
    expect(explain(error)).toBe('The push failed: socket hang up');
  });

  test('lists several problems, each indented', () => {
    const problems = [new ActionError('one', { hint: 'do this' }), new Error('two')];
    expect(explain(new Problems('Two inputs are wrong:', problems))).toBe(
      'Two inputs are wrong:\n- one\n  → do this\n- two',
    );
  });

  test('ends on causes that go in a circle', () => {
    const error = new Error('a');
    error.cause = error;
    expect(explain(error)).toBe('a');
  });

  test('says what to do when the disk is full', () => {
    const cause = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
    });
    expect(explain(new ActionError('The outputs could not be written.', { cause }))).toMatch(
      /^The outputs could not be written\.\nCause: ENOSPC: .*\n→ The runner's disk is full/,
    );
  });

  test('names an error that has no message', () => {
    expect(explain(new TypeError(''))).toBe('TypeError');
    expect(explain('plain text')).toBe('plain text');
  });
});

test('an abort is not a failure', () => {
  expect(isAbort(AbortSignal.abort().reason)).toBe(true);
  expect(isAbort(new Error('no'))).toBe(false);
});

test('anything thrown becomes an Error', () => {
  expect(asError('text').message).toBe('text');
});
