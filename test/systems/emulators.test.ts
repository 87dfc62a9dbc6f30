import { expect, test } from 'vitest';
import { listEmulated } from '../../src/systems/emulators.ts';
import { workspace } from '../inputs/kit.ts';

test('read from the kernel, or nothing', async () => {
  expect(await listEmulated(workspace({ 'qemu-aarch64': '', status: '' }))).toEqual(['linux/arm64']);
  expect(await listEmulated('/nowhere')).toEqual([]);
});
