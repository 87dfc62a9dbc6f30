import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planMounts } from '../../src/image/cache-mounts.ts';
import { restoreMounts, saveMounts } from '../../src/steps/cache-mounts.ts';
import { connectCache } from '../../src/systems/cache.ts';
import { run } from '../../src/systems/process.ts';
import { unique } from '../action/kit.ts';
import { collectLog } from '../fake-log.ts';
import { ensurePython } from '../sandbox/base-image/images.ts';
import { startBuildkitd } from '../sandbox/buildkit.ts';
import { startCacheService } from '../sandbox/cache/index.ts';
import { ensureEngine } from '../sandbox/engine/engine.ts';
import { startPypi } from '../sandbox/pypi/pypi.ts';

// A BuildKit of the test's own, by the remote driver; its cache mounts are removed between the runs.
test('a changed requirement in a RUN with a pip cache mount downloads one package', async (context) => {
  const engine = await ensureEngine();
  await ensurePython(engine);
  await using service = await startCacheService();
  await using pypi = await startPypi({
    wheels: [
      { name: 'web', version: '1.0', requires: ['base>=2'], ballast: 60_000 },
      { name: 'base', version: '2.0', ballast: 40_000 },
      { name: 'extra', version: '3.0', ballast: 20_000 },
    ],
  });
  const folder = await mkdtemp(join(tmpdir(), 'mounts-pip-'));
  const dockerfile = `FROM ${engine.registryHost}/sandbox/python:3.11
# pip keeps no answers of plain HTTP, unless the host is trusted.
ARG PIP_INDEX_URL PIP_TRUSTED_HOST=127.0.0.1
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip install --break-system-packages -r requirements.txt
`;

  const started = await startBuildkitd();
  if (started === undefined) {
    context.skip('BuildKit of its own needs Go here');
    return;
  }
  await using buildkitd = started;
  const ship = async (requirements: string) => {
    const own = await mkdtemp(join(folder, 'runner-'));
    await writeFile(join(own, 'Dockerfile'), dockerfile);
    await writeFile(join(own, 'requirements.txt'), requirements);
    const builder = `pip-${unique()}`;
    const env = {
      ...engine.env,
      ...service.environment({ ref: 'refs/heads/main' }),
      BUILDX_CONFIG: join(own, 'buildx'),
    };
    const docker = (args: readonly string[]) => engine.must(args, { env });
    await docker(['buildx', 'create', '--name', builder, '--driver', 'remote', buildkitd.address]);
    const { log, lines } = collectLog();
    const systems = { run, log, cache: connectCache({ env: { ...env, RUNNER_TEMP: own }, log }) };
    const place = { builder, env, folder: join(own, 'mounts') };
    const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';
    const plan = planMounts({
      dockerfile,
      wanted: ['/root/.cache/pip'],
      target: '',
      buildArgs: [],
      platforms: [],
      builderPlatform: platform,
      env: {},
    });
    pypi.forget();
    const request = { ...place, plan, scope: 'shop', platform, buildArgs: [] };
    const record = await restoreMounts(request, systems);
    const argument = `PIP_INDEX_URL=${pypi.indexUrl}`;
    const build = ['buildx', 'build', '--builder', builder, '--build-arg', argument];
    await docker([...build, '--output=type=cacheonly', own]);
    const downloads = pypi.downloads.map((file) => file.split('-')[0]);
    const saved = record === undefined ? [] : await saveMounts(record, place, systems);
    const prune = ['buildx', 'prune', '--builder', builder, '--force', '--all'];
    await docker([...prune, '--filter', 'type=exec.cachemount']);
    const outcome = saved.map((one) => one.outcome);
    const notices = lines.filter((line) => line.startsWith('notice'));
    return { downloads: downloads, bytes: pypi.bytes, outcome, notices };
  };

  try {
    const first = await ship('web==1.0\n');
    expect(first).toMatchObject({ downloads: ['web', 'base'], outcome: ['saved'], notices: [] });
    const second = await ship('web==1.0\nextra==3.0\n');
    expect(second).toMatchObject({ downloads: ['extra'], outcome: ['saved'], notices: [] });
    expect(second.bytes).toBeLessThan(first.bytes / 3);
  } finally {
    engine.release();
    await rm(folder, { recursive: true, force: true });
  }
});
