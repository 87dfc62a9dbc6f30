import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { execute } from './engine/execute.ts';

test('npm start ships five runs, leaves an older one behind, and gets a real answer', async () => {
  const script = join(import.meta.dirname, 'start.ts');
  const timeout = 360_000;
  const { code, stdout, stderr } = await execute(process.execPath, [script], { timeout });
  expect(code, `${stdout}\n${stderr}`).toBe(0);

  const table = stdout.slice(stdout.indexOf('What happened'));
  const row = (what: string) => new RegExp(`^ +${what} .*$`, 'm').exec(table)?.[0];
  expect(row('cold run')).toMatch(/ % of steps cached .* moved /);
  expect(row('one line changed')).toMatch(/ 0\.0 MB of packages .* moved /);
  expect(row('nothing changed')).toMatch(/ not built .* unchanged /);
  expect(row('the newer run')).toMatch(/ moved /);
  expect(row('the older run')).toMatch(/ superseded /);
  expect(table).toMatch(/backend-dev:live answers .*Hello from the newer commit, Ada!/);
}, 400_000);
