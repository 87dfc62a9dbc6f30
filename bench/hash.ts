// npm run bench:hash [files] [megabytes]: how long a content digest takes on a big context.
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { contentDigest } from '../src/image/content/content-digest.ts';

const [count = 10_000, megabytes = 1000] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'bench-hash-'));
try {
  makeContext();
  const { model = 'unknown' } = cpus()[0] ?? {};
  console.log(`${count} files, ${megabytes} MB, ${cpus().length} × ${model}`);
  for (let run = 1; run <= 3; run += 1) await measure(run);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function makeContext(): void {
  const size = Math.floor((megabytes * 1_000_000) / count);
  const block = Buffer.alloc(1 << 20, 'a');
  for (let index = 0; index < count; index += 1) {
    const sub = join(folder, `d${index % 97}`, `e${index % 7}`);
    mkdirSync(sub, { recursive: true });
    const file = openSync(join(sub, `f${index}`), 'w');
    block.write(`file ${index}\n`);
    for (let left = size; left > 0; left -= block.length)
      writeSync(file, block, 0, Math.min(left, block.length));
    closeSync(file);
  }
  writeFileSync(join(folder, '.dockerignore'), '**/*.pyc\n.git\nd1/e*/f1\n');
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
}

async function measure(run: number): Promise<void> {
  // The longest time in which nothing else could run: it would keep network answers waiting.
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 1);
    last = performance.now();
  }, 1);
  const start = performance.now();
  const content = await contentDigest({
    workspace: folder,
    settings: {
      context: '.',
      file: '',
      target: '',
      platforms: [],
      buildArgs: new Map(),
      buildContexts: [],
      counted: null,
    },
    builderPlatform: 'linux/amd64',
    image: () => Promise.reject(new Error('not asked')),
    frontend: () => Promise.reject(new Error('not asked')),
  });
  const seconds = (performance.now() - start) / 1000;
  clearInterval(timer);
  if (content.kind === 'unknown') throw new Error(content.why);
  const rate = content.bytes / 1_000_000 / seconds;
  console.log(
    `run ${run}: ${seconds.toFixed(2)} s (${content.files} files, ${rate.toFixed(0)} MB/s), longest pause ${longest.toFixed(0)} ms`,
  );
}
