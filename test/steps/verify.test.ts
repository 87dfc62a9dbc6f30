import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { explain } from '../../src/errors.ts';
import { runVerify } from '../../src/steps/verify.ts';
import { run } from '../../src/systems/process.ts';
import { collectLog } from '../fake-log.ts';

let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'verify-test-'));
});
afterEach(() => rmSync(temp, { recursive: true, force: true }));

async function verify(script: string, signal?: AbortSignal, env: NodeJS.ProcessEnv = process.env) {
  const { log, lines } = collectLog();
  const result = await runVerify(script, { cwd: temp, env, temp, run, log, signal });
  return { result, lines, error: result.ok ? '' : explain(result.error) };
}

test('commands run one after the other, their output in a group of its own', async () => {
  const { result, lines } = await verify('echo one\necho two >&2\npwd');
  expect(result).toMatchObject({ ok: true });
  expect(lines).toEqual(['group: verify', 'info: one', 'info: two', `info: ${temp}`]);
  expect(readdirSync(temp)).toEqual([]);
});

test.each([
  ['echo fine\n\nls /nowhere\necho never', '`ls /nowhere` (line 3 of verify) exited with 2.'],
  ['false | cat', '`false | cat` (line 1 of verify) exited with 1.'],
  ['check() {\n  true\n  false\n}\ncheck x', '`false` (line 3 of verify) exited with 1.'],
  ['echo a\nexit 7', '`exit 7` exited with 7.'],
  ['if ! false; then (exit 4); fi', 'exited with 4.'],
  ['X=$(false)', '`X=$(false)` (line 1 of verify) exited with 1.'],
  ['kill -9 $$', 'the script was ended by SIGKILL.'],
])('%j is reported as the command that failed', async (script, words) => {
  const { error, lines } = await verify(script);
  expect(error).toContain('A check failed: ');
  expect(error).toContain(words);
  expect(lines).not.toContain('info: never');
});

test('commands whose failure is allowed do not stop it', async () => {
  const { result } = await verify(
    'false || true\nif false; then :; fi\n! false\nset +e\nfalse\ntrue',
  );
  expect(result).toMatchObject({ ok: true });
});

test('the last lines of the output come with the error', async () => {
  const { error } = await verify('echo "E   assert 1 == 2"\nexit 1');
  expect(error).toContain('E   assert 1 == 2');
});

test('a program that is not there has a hint', async () => {
  const { error } = await verify('no-such-linter .');
  expect(error).toContain('`no-such-linter .` (line 1 of verify) exited with 127.');
  expect(error).toContain('pip-requirements');
});

test('scripts read their input from nowhere and see the environment given', async () => {
  const { lines } = await verify('read -r x || echo "nothing, $NAME"', undefined, {
    PATH: process.env['PATH'],
    NAME: 'me',
  });
  expect(lines).toContain('info: nothing, me');
});

test('an abort ends what the commands started and is no failed check', async () => {
  const stop = new AbortController();
  const running = verify('echo begun; sleep 600', stop.signal);
  setTimeout(() => stop.abort(new Error('cancelled')), 300);
  await expect(running).rejects.toThrow('cancelled');
});

test('without bash the failure says so', async () => {
  const { error } = await verify('true', undefined, { PATH: temp });
  expect(error).toContain('bash did not run');
});
