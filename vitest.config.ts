import { defineConfig } from 'vitest/config';

// Three kinds of test. `unit` needs Node alone. `sandbox` needs the real parts (Docker Engine,
// registry, cache service, stand-ins) and runs two files at a time. `caches` counts BuildKit's
// cached steps, which builds of other tests disturb: one file after the other, when the rest is done.
// Real daemons on a busy machine fail now and then for reasons of their own: a failed test is tried
// again, and .ci/run lists each that needed it, with what it failed with.
const cacheCounting = ['test/**/*.caches.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.sandbox.test.ts', ...cacheCounting],
          testTimeout: 30_000,
          retry: 1,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'sandbox',
          include: ['test/**/*.sandbox.test.ts'],
          globalSetup: ['test/sandbox/setup.ts'],
          testTimeout: 240_000,
          hookTimeout: 900_000,
          maxWorkers: 2,
          retry: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'caches',
          include: cacheCounting,
          globalSetup: ['test/sandbox/setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 900_000,
          maxWorkers: 1,
          retry: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
