import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planMounts } from '../../src/image/cache-mounts.ts';
import { restoreMounts, saveMounts } from '../../src/steps/cache-mounts.ts';
import { connectCache } from '../../src/systems/cache.ts';
import { run } from '../../src/systems/process.ts';
import { unique } from '../action/kit.ts';
import { collectLog } from '../fake-log.ts';
import { ensureBusybox } from '../sandbox/base-image/images.ts';
import { startCacheService, type CacheService } from '../sandbox/cache/index.ts';
import { ensureEngine, type Engine } from '../sandbox/engine/engine.ts';

// Real cache mounts in the engine's BuildKit, the real @actions/cache. A fresh runner is this
// engine with these tests' own mounts removed.
let engine: Engine;
let service: CacheService;
let folder: string;
const builder = 'default';
const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';

beforeAll(async () => {
  engine = await ensureEngine();
  await ensureBusybox(engine);
  service = await startCacheService();
  folder = await mkdtemp(join(tmpdir(), 'mounts-test-'));
});
afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
  engine.release();
});

/** Removes the mounts whose id holds `name`, and nothing else. */
async function forget(name: string): Promise<number> {
  const text = await engine.must(['buildx', 'du', '--builder', builder, '--verbose']);
  const records = text.split('\n\n').filter((one) => one.includes('cached mount'));
  const ids = records
    .filter((one) => new RegExp(`with id "[^"]*${name}`).test(one))
    .flatMap((one) => /^ID:\s+(\S+)/m.exec(one)?.[1] ?? []);
  for (const id of ids) {
    await engine.must([
      'buildx',
      'prune',
      '--builder',
      builder,
      '--force',
      '--all',
      '--filter',
      `id=${id}`,
    ]);
  }
  return ids.length;
}

/** One run on a runner of its own: restore, build, save. */
async function ship(dockerfile: string, more: { limit?: number; buildArgs?: string[] } = {}) {
  const { log, lines } = collectLog();
  const own = await mkdtemp(join(folder, 'run-'));
  const env = { ...engine.env, ...service.environment({ ref: 'refs/heads/main' }) };
  const cache = connectCache({ env: { ...env, RUNNER_TEMP: own, GITHUB_WORKSPACE: own }, log });
  const systems = { run, log, cache };
  const place = { builder, env, folder: join(own, 'mounts') };
  const buildArgs = more.buildArgs ?? [];
  const plan = planMounts({
    dockerfile,
    wanted: 'auto',
    target: '',
    buildArgs,
    platforms: [],
    builderPlatform: platform,
    env: {},
  });
  const request = { ...place, plan, scope: 'shop', platform, buildArgs };
  const record = await restoreMounts(request, systems);
  const args = ['buildx', 'build', '--builder', builder, '--progress=plain'];
  for (const value of [`NONCE=${unique()}`, ...buildArgs]) args.push('--build-arg', value);
  const built = await engine.docker([...args, '--output=type=cacheonly', '--file=-', own], {
    input: dockerfile,
  });
  const saved =
    record === undefined ? [] : await saveMounts(record, place, systems, more.limit ?? 1e9);
  expect(await readdir(own)).toEqual(expect.not.arrayContaining(['context', 'archives']));
  return {
    record,
    saved: saved.map(({ target, outcome }) => `${target} ${outcome}`),
    seen: [...built.stderr.matchAll(/^#\d+ [\d.]+ +SEEN (.*)$/gm)].map(([, text]) => text),
    code: built.code,
    lines: lines.filter((line) => !line.startsWith('debug')),
  };
}

test('contents survive on fresh runners, owners and modes included; stored when they change only', async () => {
  const name = unique();
  const file = (steps: string) => `FROM sandbox/busybox:1
ARG NONCE
RUN --mount=type=cache,target=/root/.cache/${name} \\
    --mount=type=cache,id=own-${name},target=/own,uid=1000,gid=50,mode=0700,sharing=locked <<SH
${steps}
SH
`;
  const look = `echo " SEEN $(cd /root/.cache/${name} && ls) $(stat -c %u:%g:%a /own) $(cd /own && stat -c %n:%u:%a:%Y * | tr '\\n' ' ')"`;
  const first = await ship(
    file(`echo one > /root/.cache/${name}/a
echo two > /own/b; chown 1000 /own/b; chmod 600 /own/b; touch -d '2020-01-01 00:00:00' /own/b
${look}`),
  );
  expect(first.code).toBe(0);
  expect(first.saved).toEqual([`/root/.cache/${name} saved`, '/own saved']);
  const seen = first.seen;
  expect(seen).toEqual([expect.stringMatching(/^a 1000:50:700 b:1000:600:15778/)]);

  expect(await forget(name)).toBe(2);
  const second = await ship(file(look));
  expect(second.seen).toEqual(seen);
  expect(second.saved).toEqual([`/root/.cache/${name} unchanged`, '/own unchanged']);

  await forget(name);
  const third = await ship(file(`echo three > /own/c\n${look}`));
  expect(third.saved).toEqual([`/root/.cache/${name} unchanged`, '/own saved']);
  const stored = service.entries().length;

  // A builder that stays keeps its own.
  const fourth = await ship(file(`echo four > /own/d`));
  expect(fourth.lines).toEqual([
    `info: The builder keeps its cache mounts: /root/.cache/${name}, /own`,
  ]);
  expect(service.entries()).toHaveLength(stored);

  await forget(name);
  const fifth = await ship(file(look));
  expect(fifth.seen[0]).toMatch(/b:1000:600:15778\d* c:0:644:/);
  await forget(name);
});

test('never used, empty, too large: not stored, and said', async () => {
  const name = unique();
  const before = service.entries().length;
  const found = await ship(
    `FROM sandbox/busybox:1
ARG NONCE
RUN --mount=type=cache,target=/empty-${name} true
RUN --mount=type=cache,target=/large-${name} head -c 300000 /dev/zero > /large-${name}/x
RUN exit 7
RUN --mount=type=cache,target=/never-${name} true
`,
    { limit: 200_000, buildArgs: [`BUILDKIT_CACHE_MOUNT_NS=ns-${name}`] },
  );
  expect(found.code).not.toBe(0);
  expect(found.saved.toSorted()).toEqual([
    `/empty-${name} empty`,
    `/large-${name} too large`,
    `/never-${name} unused`,
  ]);
  expect(found.lines.join('\n')).toContain('holds 0.3 MB, more than the limit of 0.2 MB');
  expect(service.entries()).toHaveLength(before);
  await forget(name);
});

test('a cache service that is down, a builder that is gone: the build goes on', async () => {
  const name = unique();
  service.faults.add({ status: 503 });
  try {
    const found = await ship(`FROM sandbox/busybox:1
ARG NONCE
RUN --mount=type=cache,target=/x-${name} echo x > /x-${name}/x
`);
    expect(found.code).toBe(0);
    expect(found.saved).toEqual([`/x-${name} failed`]);
    expect(found.lines.filter((line) => line.startsWith('notice'))).toHaveLength(1);
  } finally {
    service.faults.clear();
    await forget(name);
  }
  const { log, lines } = collectLog();
  const env = engine.env;
  const plan = {
    mounts: [
      {
        id: '/x',
        target: '/x',
        sharing: 'shared' as const,
        uid: undefined,
        gid: undefined,
        mode: undefined,
      },
    ],
    notices: [],
  };
  const systems = { run, log, cache: connectCache({ env, log }) };
  const place = { builder: `gone-${name}`, env, folder: join(folder, 'gone') };
  const record = await restoreMounts(
    { ...place, plan, scope: '', platform, buildArgs: [] },
    systems,
  );
  expect(lines[0]).toMatch(/^notice: Cache mounts could not be restored: .*\n.*no builder/);
  expect(record && (await saveMounts(record, place, systems))).toEqual([]);
});
