import { appendFile, cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFastapi, takeBytes } from '../test/sandbox/example.ts';
import { openWorld } from '../test/sandbox/world.ts';
await using world = await openWorld();
const example = await openFastapi(world);
if ('why' in example) throw new Error();
await using e = example;
for (const index of Object.values(e.indexes)) for (let n = 1; n < 9; n++) index.add({ name: 'one_more', version: n + '.0' });
const folder = await mkdtemp(join(tmpdir(), 'k-'));
const workspace = join(folder, 'w');
await cp(e.folder, workspace, { recursive: true });
const ns = /NS=(\S+)/.exec(e.inputs['build-args'] ?? '')?.[1] ?? '';
const du = async (w: string) => {
  const t = await world.engine.must(['buildx', 'du', '--builder', 'default', '--verbose', '--filter', `description~=${ns}`]);
  const f = (r: string, n: string) => new RegExp(`^${n}:\\s+(.*)`, 'm').exec(r)?.[1];
  console.log(w, t.split('\n\n').filter((r) => r.startsWith('ID')).map((r) => ['ID', 'Created at', 'Size', 'Usage count', 'Mutable','Description'].map((n) => f(r, n)).join(' | ')));
};
const ship = async (n: number) => {
  await e.freshRunner();
  await du('after prune');
  takeBytes(e.indexes);
  const watching = setInterval(() => { void du(`  ${new Date().toISOString()}`); }, 1500);
  const r = await world.run({ workspace, env: e.env, inputs: { ...e.inputs, 'pip-requirements': process.argv[2] ? e.inputs['pip-requirements'] ?? '' : '', verify: '' } });
  clearInterval(watching);
  await du('after run');
  console.log(n, r.main.log.split('\n').filter((l) => /ache mount|^Notice|in all/i.test(l)).join('\n'), '\n', r.post.log, takeBytes(e.indexes));
};
await ship(0);
for (let n = 1; n < 6; n++) {
  await cp(e.folder, workspace, { recursive: true });
  await appendFile(join(workspace, 'requirements.txt'), `one-more==${n}.0\n`);
  await ship(n);
}
