import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { explain } from '../../src/errors.ts';
import { preparePython, savePython, type PythonOptions } from '../../src/steps/python.ts';
import type { Cache } from '../../src/systems/cache.ts';
import type { Ended, Run } from '../../src/systems/process.ts';
import { collectLog } from '../fake-log.ts';

// What is decided here, with a Python that only answers. Real ones: python.sandbox.test.ts.
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'python-unit-'));
  writeFileSync(join(folder, 'requirements.txt'), 'web\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ended = (code: number, stdout = '', stderr = ''): Promise<Ended> =>
  Promise.resolve({ code, signal: null, stdout, stderr });

function machine(
  options: {
    /** What the cache has: key → what its key is said to be. */
    cached?: (key: string, restoreKeys: readonly string[]) => string | undefined;
    works?: boolean;
    install?: () => Promise<Ended>;
  } = {},
) {
  const { log, lines, annotations } = collectLog();
  const commands: string[] = [];
  const saved: string[] = [];
  const run: Run = (command, args) => {
    commands.push([command, ...args.filter((arg) => !arg.includes('\n'))].join(' '));
    if (command === 'uv') return Promise.reject(new Error('spawn uv ENOENT'));
    if (args[0] === '-I') {
      const found = { executable: '/py', version: '3.13.1', platform: 'linux-x86_64' };
      return ended(0, JSON.stringify({ ...found, active: null, installed: [] }));
    }
    if (args[1] === 'import sys') return ended(options.works === false ? 1 : 0);
    if (args[1] === 'pip') return options.install?.() ?? ended(0);
    return ended(0);
  };
  const cache: Cache = {
    restore: (_paths, key, restoreKeys) => {
      const found = options.cached?.(key, restoreKeys);
      return Promise.resolve(found === undefined ? undefined : { key: found, bytes: 1 });
    },
    save: (_paths, key) => {
      saved.push(key);
      return Promise.resolve('saved');
    },
  };
  const prepare = (change: Partial<PythonOptions> = {}) =>
    preparePython({
      python: {
        requirements: ['requirements.txt'],
        install: true,
        installer: 'auto',
        cachePrefix: 'pip',
      },
      workspace: folder,
      temp: folder,
      env: {},
      fork: false,
      cache,
      run,
      log,
      runner: { addPath: () => {}, exportVariable: () => {} },
      ...change,
    });
  return { prepare, log, lines, annotations, commands, saved, cache };
}
const installed = (commands: readonly string[]) =>
  commands.some((command) => command.includes(' pip install '));

test('without requirements nothing is done', async () => {
  const { prepare, commands } = machine();
  const python = {
    requirements: [],
    install: true,
    installer: 'auto',
    cachePrefix: 'pip',
  } as const;
  expect(await prepare({ python })).toEqual({ hit: 'none', env: {}, record: undefined });
  expect(commands).toEqual([]);
});

test('an environment that came back is used as it is', async () => {
  const { prepare, commands } = machine({ cached: (key) => key });
  const { hit, record } = await prepare();
  expect(hit).toBe('exact');
  expect(record).toBeUndefined();
  expect(installed(commands)).toBe(false);
});

test('an environment that does not run here is made anew, with a notice', async () => {
  const { prepare, commands, annotations } = machine({ cached: (key) => key, works: false });
  const { hit, record } = await prepare();
  expect(hit).toBe('partial');
  expect(installed(commands)).toBe(true);
  expect(annotations.map(({ message }) => message).join()).toContain('does not run here');
  expect(record?.entries.map(({ key }) => key.slice(0, 7))).toEqual(['pip-env']);
});

test('another environment under a longer key is not taken for ours', async () => {
  const { prepare } = machine({
    cached: (key) => (key.includes('env') ? `${key}-other` : undefined),
  });
  expect((await prepare()).hit).toBe('none');
});

test('both levels are kept when both are new, and nothing by a fork', async () => {
  const { prepare } = machine();
  const { record } = await prepare();
  expect(record?.entries.map(({ path }) => path)).toEqual([expect.stringMatching(/^env-/), 'pip']);
  expect((await prepare({ fork: true })).record).toBeUndefined();
});

test('without pip-install only downloads are kept', async () => {
  const { prepare, commands } = machine();
  const python = {
    requirements: ['requirements.txt'],
    install: false,
    installer: 'pip',
    cachePrefix: 'pip',
  } as const;
  const { record } = await prepare({ python });
  expect(installed(commands)).toBe(false);
  expect(record?.entries.map(({ path }) => path)).toEqual(['pip']);
});

test('code of the workspace is installed each time', async () => {
  writeFileSync(join(folder, 'requirements.txt'), '-e .\nweb\n');
  const { prepare, commands, lines } = machine({ cached: (key) => key });
  const { hit, record } = await prepare();
  expect(hit).toBe('partial');
  expect(installed(commands)).toBe(true);
  expect(record).toBeUndefined();
  expect(lines.join('\n')).toContain('code of the workspace: -e .');
});

test('a failed installation fails with what pip said, and keeps nothing', async () => {
  const { prepare } = machine({ install: () => ended(1, 'Collecting web', 'ERROR: No matching') });
  const error = await prepare().catch((error: unknown) => error);
  expect(explain(error)).toContain('Installing the Python requirements failed');
  expect(explain(error)).toContain('ERROR: No matching');
});

test('pip-installer: uv without a uv is told', async () => {
  const { prepare } = machine();
  const python = {
    requirements: ['requirements.txt'],
    install: true,
    installer: 'uv',
    cachePrefix: 'p',
  } as const;
  await expect(prepare({ python })).rejects.toThrow('no uv is on the PATH');
});

test('an empty cache is never stored', async () => {
  const { saved, cache, log } = machine();
  mkdirSync(join(folder, 'full/http'), { recursive: true });
  mkdirSync(join(folder, 'empty/http'), { recursive: true });
  writeFileSync(join(folder, 'full/http/wheel'), 'x');
  writeFileSync(join(folder, 'empty/CACHEDIR.TAG'), 'x');
  const entries = ['full', 'empty', 'gone'].map((path) => ({ path, key: `key-${path}` }));
  await savePython({ version: 1, base: folder, entries }, { cache, log });
  expect(saved).toEqual(['key-full']);
  expect(existsSync(join(folder, 'gone'))).toBe(false);
});
