import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { explain } from '../../src/errors.ts';
import { preparePython, savePython, type PythonOptions } from '../../src/steps/python.ts';
import { runVerify } from '../../src/steps/verify.ts';
import { connectCache } from '../../src/systems/cache.ts';
import { run } from '../../src/systems/process.ts';
import { collectLog } from '../fake-log.ts';
import { startCacheService, type CacheService } from '../sandbox/cache/index.ts';
import { startPypi, type Pypi } from '../sandbox/pypi/pypi.ts';
import { ensureUv } from '../sandbox/uv.ts';

// Real pip (and uv) on a local index, and the real @actions/cache on our cache service. The tests
// follow one repository from run to run: making an environment is what takes the time.
let folder: string;
let workspace: string;
let temp: string;
let pypi: Pypi;
let service: CacheService;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'python-step-'));
  workspace = join(folder, 'workspace');
  temp = join(folder, 'temp');
  mkdirSync(workspace);
  service = await startCacheService();
  pypi = await startPypi({
    wheels: [
      { name: 'web', version: '1.0', requires: ['base>=2'], ballast: 40_000 },
      { name: 'base', version: '2.0', ballast: 20_000 },
      { name: 'extra', version: '3.0', ballast: 10_000 },
      {
        name: 'linter',
        version: '1.0',
        scripts: ['lint=linter:main'],
        module: 'import sys\ndef main():\n    print("linted by", sys.prefix)\n',
      },
    ],
  });
});
afterAll(async () => {
  await pypi[Symbol.asyncDispose]();
  await service.close();
  rmSync(folder, { recursive: true, force: true });
});
/** Each test is a fresh runner: nothing is left in its temporary folder. */
beforeEach(() => {
  rmSync(temp, { recursive: true, force: true });
  mkdirSync(temp);
  pypi.forget();
});

function runner(change: Partial<PythonOptions> = {}) {
  const { log, lines } = collectLog();
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: folder,
    RUNNER_TEMP: temp,
    GITHUB_WORKSPACE: workspace,
    ...pypi.env,
    ...service.environment({ ref: 'refs/heads/main' }),
    ...change.env,
  };
  const paths: string[] = [];
  const exported: Record<string, string> = {};
  const cache = connectCache({ env, log });
  return {
    lines,
    paths,
    exported,
    async prepare() {
      const python = await preparePython({
        python: {
          requirements: ['requirements.txt'],
          install: true,
          installer: 'pip',
          cachePrefix: 'pip',
          ...change.python,
        },
        workspace,
        temp,
        fork: change.fork ?? false,
        cache,
        run: run,
        log,
        runner: {
          addPath: (path) => void paths.push(path),
          exportVariable: (name, value) => void (exported[name] = value),
        },
        env,
      });
      // What post gets went through the state as JSON.
      const record = JSON.parse(JSON.stringify(python.record ?? null)) as typeof python.record;
      return { ...python, record };
    },
    save: async (record: Parameters<typeof savePython>[0] | undefined | null) => {
      if (record) await savePython(record, { cache, log });
    },
    async verify(script: string, added: NodeJS.ProcessEnv) {
      const outcome = collectLog();
      const result = await runVerify(script, {
        cwd: workspace,
        env: { ...env, ...added },
        temp,
        run,
        log: outcome.log,
      });
      expect(result).toMatchObject({ ok: true });
      return outcome.lines;
    },
  };
}

const pinned = 'web==1.0\n-r lint.txt\n';

test('the first run installs, and keeps the environment and the downloads', async () => {
  writeFileSync(join(workspace, 'requirements.txt'), pinned);
  writeFileSync(join(workspace, 'lint.txt'), 'linter==1.0\n');
  const first = runner();
  const { hit, env, record } = await first.prepare();
  expect(hit).toBe('none');
  expect(pypi.downloads.toSorted()).toEqual([
    'base-2.0-py3-none-any.whl',
    'linter-1.0-py3-none-any.whl',
    'web-1.0-py3-none-any.whl',
  ]);
  // Later steps of the job work in the environment as well.
  expect(first.paths).toEqual([join(env['VIRTUAL_ENV'] ?? '', 'bin')]);
  expect(first.exported).toEqual({ VIRTUAL_ENV: env['VIRTUAL_ENV'] });
  await first.save(record);
  expect(
    service
      .entries()
      .map(({ key }) => key.replace(/-linux.*/, ''))
      .toSorted(),
  ).toEqual(['pip-env', 'pip-pip']);
});

test('with nothing changed the whole environment comes back, and the index is asked nothing', async () => {
  const same = runner();
  const { hit, env, record } = await same.prepare();
  expect(hit).toBe('exact');
  expect(record).toBeNull();
  expect(pypi.requests).toEqual([]);
  const lines = await same.verify('lint\npython -c "import web, base; print(base.version)"', env);
  expect(lines).toContain(`info: linted by ${env['VIRTUAL_ENV']}`);
  expect(lines).toContain('info: 2.0');
});

test('one more requirement downloads one package; a fork keeps nothing', async () => {
  writeFileSync(join(workspace, 'requirements.txt'), `${pinned}extra\n`);
  const more = runner({ fork: true });
  const { hit, env, record } = await more.prepare();
  expect(hit).toBe('partial');
  expect(pypi.downloads).toEqual(['extra-3.0-py3-none-any.whl']);
  expect(record).toBeNull();
  expect(await more.verify('python -c "import web, extra; print(extra.version)"', env)).toContain(
    'info: 3.0',
  );
});

test('uv, a project with an extra, an active environment, a cache service in trouble', async ({
  skip,
}) => {
  const uv = await ensureUv();
  if (uv === undefined) return skip('no uv');
  const project = (dependencies: string) =>
    writeFileSync(
      join(workspace, 'pyproject.toml'),
      `[project]\nname = "app"\nversion = "1"\ndependencies = [${dependencies}]\n[project.optional-dependencies]\ndev = ["linter"]\n`,
    );
  const active = join(folder, 'active');
  const start = async (dependencies: string) => {
    project(dependencies);
    pypi.forget();
    rmSync(active, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', '--without-pip', active]);
    return runner({
      python: {
        requirements: ['pyproject.toml[dev]'],
        install: true,
        installer: 'auto',
        cachePrefix: 'uv',
      },
      env: { PATH: `${uv}:${process.env['PATH']}`, VIRTUAL_ENV: active },
    });
  };

  service.faults.add({ status: 503 });
  const first = await start('"base"');
  const { hit, env, record } = await first.prepare();
  service.faults.clear();
  expect(hit).toBe('none');
  expect(first.paths).toEqual([]);
  await first.verify('lint\npython -c "import base"', env);

  const second = await start('"base"');
  expect(record?.entries.map(({ path }) => path)).toEqual([active, 'uv']);
  expect((await second.prepare()).hit).toBe('none');
  await second.save(record);

  const third = await start('"base"');
  expect((await third.prepare()).hit).toBe('exact');
  expect(pypi.requests).toEqual([]);
  await third.verify('lint', env);

  rmSync(temp, { recursive: true });
  mkdirSync(temp);
  const fourth = await start('"base", "extra"');
  expect((await fourth.prepare()).hit).toBe('partial');
  // uv reads a wheel's metadata by a request of its own.
  expect(new Set(pypi.downloads)).toEqual(new Set(['extra-3.0-py3-none-any.whl']));

  const wrong = await start('"base==9"');
  const error = await wrong.prepare().catch((error: unknown) => error);
  expect(explain(error)).toMatch(/Installing the Python requirements failed.*exit 1/);
  expect(explain(error)).toContain('base==9');
  return undefined;
});
