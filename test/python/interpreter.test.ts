import { expect, test } from 'vitest';
import { findInterpreter } from '../../src/python/interpreter.ts';
import { ActionError } from '../../src/errors.ts';
import type { Run } from '../../src/systems/process.ts';

/** A machine where these programs are Pythons; all others can't be started. */
function machine(...pythons: string[]): { run: Run; asked: string[] } {
  const asked: string[] = [];
  const run: Run = (command) => {
    asked.push(command);
    if (!pythons.includes(command)) return Promise.reject(new Error(`spawn ${command} ENOENT`));
    const stdout = JSON.stringify({ executable: command, version: '3.13.1', active: null });
    return Promise.resolve({ code: 0, signal: null, stdout, stderr: '' });
  };
  return { run, asked };
}
const env = { VIRTUAL_ENV: '/venv', pythonLocation: '/tools/3.13' };

test.each([
  ['an active environment comes first', ['/venv/bin/python', 'python3'], '/venv/bin/python'],
  ["then setup-python's", ['/tools/3.13/bin/python3', 'python3'], '/tools/3.13/bin/python3'],
  ["then the system's", ['python3', 'python'], 'python3'],
  ['under any name', ['python'], 'python'],
])('%s', async (_, pythons, expected) => {
  expect((await findInterpreter(machine(...pythons).run, env)).executable).toBe(expected);
});

test('without Python the error says what was tried', async () => {
  const error = await findInterpreter(machine().run, env).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ActionError);
  expect((error as ActionError).block).toContain('/venv/bin/python (VIRTUAL_ENV): spawn');
  expect((error as ActionError).hint).toContain('actions/setup-python');
});
