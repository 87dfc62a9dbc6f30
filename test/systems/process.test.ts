import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { run } from '../../src/systems/process.ts';

const node = process.execPath;
const script = (text: string) => ['-e', text];

test('hands back both streams and the exit code, without judging it', async () => {
  const ended = await run(
    node,
    script('console.log("out"); console.error("err"); process.exit(3)'),
  );
  expect(ended).toEqual({ code: 3, signal: null, stdout: 'out\n', stderr: 'err\n' });
});

test('arguments reach the program as they are: no shell', async () => {
  const odd = ['$HOME', '`id`', 'a b', "it's", '', '*'];
  const ended = await run(node, ['-p', 'JSON.stringify(process.argv.slice(1))', ...odd]);
  expect(JSON.parse(ended.stdout)).toEqual(odd);
});

test('lines come one by one, the last one without a newline too, split characters whole', async () => {
  const lines: string[] = [];
  const ended = await run(
    node,
    script(`
      const bytes = Buffer.from('één\\r\\ntwee\\n\\nlast €');
      let i = 0;
      const next = () => { if (i < bytes.length) { process.stdout.write(bytes.subarray(i, ++i), () => setImmediate(next)); } };
      next();`),
    { onStdout: (line) => lines.push(line) },
  );
  expect(lines).toEqual(['één', 'twee', '', 'last €']);
  expect(ended.stdout).toBe('één\r\ntwee\n\nlast €');
});

test('gives standard input, environment and folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'process-'));
  try {
    const ended = await run(
      node,
      script('process.stdin.on("data", d => console.log(String(d), process.env.A, process.cwd()))'),
      { stdin: 'hello', env: { ...process.env, A: 'b' }, cwd: folder },
    );
    expect(ended.stdout).toBe(`hello b ${folder}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a program that does not read its input is no failure', async () => {
  const ended = await run(node, script('process.exit(0)'), { stdin: 'x'.repeat(5_000_000) });
  expect(ended.code).toBe(0);
});

test('keeps the end of a long stream only', async () => {
  const ended = await run(node, script('for (let i = 0; i < 1000; i++) console.log("line " + i)'), {
    keep: 20,
  });
  expect(ended.stdout).toBe('7\nline 998\nline 999\n');
  expect(ended.stdout).toHaveLength(20);
});

test.each([
  ['no-such-program', undefined, '`no-such-program` was not started: no such program'],
  [node, '/no/such/folder', 'was not started: there is no folder /no/such/folder.'],
  ['/etc/passwd', undefined, '`/etc/passwd` was not started: the file may not be executed.'],
])('%s in %s was never started, and says why', async (command, cwd, message) => {
  await expect(run(command, [], { cwd })).rejects.toThrow(message);
});

test('an abort interrupts, and rejects with its reason', async () => {
  const stopping = new AbortController();
  const seen: string[] = [];
  const running = run(
    node,
    script(`
      process.on('SIGINT', () => { console.log('interrupted'); process.exit(0); });
      console.log('ready'); setInterval(() => {}, 1000);`),
    {
      signal: stopping.signal,
      onStdout: (line) => {
        seen.push(line);
        if (line === 'ready') stopping.abort(new Error('the run was cancelled'));
      },
    },
  );
  await expect(running).rejects.toThrow('the run was cancelled');
  expect(seen).toEqual(['ready', 'interrupted']);
});

test('an abort before the start starts nothing', async () => {
  await expect(
    run('no-such-program', [], { signal: AbortSignal.abort(new Error('too late')) }),
  ).rejects.toThrow('too late');
});

test.concurrent('a program deaf to the interrupt is killed, and what it started with it', async () => {
  const stopping = new AbortController();
  let grandchild = 0;
  const running = run('bash', ['-c', 'trap "" INT; sleep 600 & echo $!; wait; wait'], {
    signal: stopping.signal,
    onStdout: (line) => {
      grandchild = Number(line);
      stopping.abort(new Error('stop'));
    },
  });
  await expect(running).rejects.toThrow('stop');
  expect(grandchild).toBeGreaterThan(0);
  // Gone, or dead and not yet collected by its new parent.
  await vi.waitFor(async () => {
    const state = await readFile(`/proc/${grandchild}/stat`, 'utf8').catch(() => 'gone');
    expect(state).toMatch(/^gone$|\) Z /);
  });
});

test.concurrent('a program that left something behind holding its pipes does not hold us', async () => {
  const ended = await run('bash', ['-c', 'sleep 8 & echo $!; exit 4']);
  expect(ended.code).toBe(4);
  process.kill(Number(ended.stdout));
});

test('a program ended by a signal says by which', async () => {
  const ended = await run('bash', ['-c', 'kill -TERM $$']);
  expect(ended).toMatchObject({ code: null, signal: 'SIGTERM' });
});
