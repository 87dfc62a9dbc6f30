import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { unique } from '../../action/kit.ts';
import { ensureBusybox } from '../base-image/images.ts';
import { startBuildkitd } from '../buildkit.ts';
import { ensureEngine } from '../engine/engine.ts';
import { startCacheService } from './index.ts';

test('BuildKit stores its layers and another BuildKit, empty, takes them', async (context) => {
  const engine = await ensureEngine();
  await ensureBusybox(engine);
  await using service = await startCacheService();
  const folder = await mkdtemp(join(tmpdir(), 'gha-'));
  const name = `gha-${unique()}`;
  const build = async (address: string, ref: string, more: string) => {
    const env = {
      ...engine.env,
      ...service.environment({ ref }),
      BUILDX_CONFIG: join(folder, 'x'),
    };
    const out = join(folder, `out-${unique()}`);
    await engine.must(['buildx', 'create', '--name', name, '--driver', 'remote', address], { env });
    const args = ['buildx', 'build', '--builder', name, '--progress=plain', '--output', out];
    const ended = await engine.docker([...args, ...more.split(' '), folder], { env });
    await engine.must(['buildx', 'rm', name], { env });
    return { ...ended, text: await readFile(join(out, 'made'), 'utf8').catch(() => '') };
  };
  try {
    await writeFile(
      join(folder, 'Dockerfile'),
      `FROM ${engine.registryHost}/sandbox/busybox:1 AS build
RUN echo ${name}; head -c 300000 /dev/urandom | od > /made
FROM scratch
COPY --from=build /made /made
`,
    );
    const first = await startBuildkitd();
    if (first === undefined) {
      context.skip('BuildKit of its own needs Go here');
      return;
    }
    await using firstOne = first;
    const to = `--cache-to type=gha,mode=max,scope=${name}`;
    const made = await build(firstOne.address, 'refs/heads/main', to);
    if (made.code !== 0) throw new Error(made.stderr);
    const { uploaded } = service.traffic;
    expect(uploaded).toBeGreaterThan(300_000);

    const second = await startBuildkitd();
    if (second === undefined) throw new Error('the second BuildKit did not start');
    await using secondOne = second;
    const from = `--cache-from type=gha,scope=${name}`;
    const taken = await build(secondOne.address, 'refs/heads/feature', from);
    if (taken.code !== 0) throw new Error(taken.stderr);
    // Random bytes: the same only if they were not made again.
    expect(taken.text).toBe(made.text);
    expect(service.traffic.downloaded).toBeGreaterThan(300_000);

    // Without a word, and with exit code 0: why gha.ts asks first.
    service.faults.add({ status: 503 });
    const down = await build(secondOne.address, 'refs/heads/main', `${from} --no-cache`);
    expect(down.code).toBe(0);
  } finally {
    engine.release();
    await rm(folder, { recursive: true, force: true });
  }
});
