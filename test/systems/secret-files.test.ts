import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeSecrets } from '../../src/systems/secret-files.ts';
import { workspace } from '../inputs/kit.ts';

test('only this user can read them, byte for byte', async () => {
  const folder = join(workspace({}), 'a,b', 'secrets');
  const value = '{"a": "ü"}\r\n\n';
  const specs = await writeSecrets(folder, {
    values: [
      { id: 'one', value },
      { id: 'two', value: '' },
    ],
    specs: ['id=env,env=X'],
  });
  // A path with a comma is quoted for buildx's CSV.
  expect(specs).toEqual([
    `id=one,"src=${join(folder, 'secret-1')}"`,
    `id=two,"src=${join(folder, 'secret-2')}"`,
    'id=env,env=X',
  ]);
  expect(readFileSync(join(folder, 'secret-1'), 'utf8')).toBe(value);
  expect(readFileSync(join(folder, 'secret-2'), 'utf8')).toBe('');
  expect(statSync(join(folder, 'secret-1')).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('no values, no folder', async () => {
  const folder = join(workspace({}), 'secrets');
  expect(await writeSecrets(folder, { values: [], specs: ['id=a,env=A'] })).toEqual(['id=a,env=A']);
  expect(statSync(folder, { throwIfNoEntry: false })).toBeUndefined();
});
