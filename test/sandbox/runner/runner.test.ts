import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGitHub, type GitHubStandIn } from '../github/index.ts';
import { runAction, type ActionRequest } from './index.ts';

// A tiny action over our own Runner adapter: proves adapter and runner against each other.
const adapter = new URL('../../../src/systems/runner.ts', import.meta.url).pathname;
let folder = '';
let github: GitHubStandIn;
let scripts = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runner-test-'));
  github = await startGitHub();
  await writeFile(
    join(folder, 'action.yml'),
    `inputs:
  plain: { description: x, default: some default }
  two words: { description: x }
  hy-phen: { description: x, default: "\${{ github.token }}" }
runs: { using: node24, main: main.ts, post: post.ts }
`,
  );
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await github.close();
});

async function act(main: string, post: string, request: Partial<ActionRequest> = {}) {
  scripts += 1;
  const own = scripts;
  const file = async (name: string, text: string) => {
    const path = join(folder, `${name}${own}.ts`);
    await writeFile(
      path,
      `import { connectRunner } from ${JSON.stringify(adapter)};\nconst runner = connectRunner();\nconst log = runner.log;\n${text}`,
    );
    return path;
  };
  return runAction({
    workspace: folder,
    inputs: {},
    action: {
      main: await file('main', main),
      post: await file('post', post),
      file: join(folder, 'action.yml'),
    },
    ...request,
  });
}

test.concurrent('commands, files, masks, inputs and state of both phases', async () => {
  const run = await act(
    `
    runner.mask('first line\\nsecond-line');
    log.info('has second-line inside');
    log.warning('50% of: a, b\\nand more', { title: 'T, 1: x', file: 'a.txt', startLine: 3 });
    log.debug('not shown');
    await Promise.all([
      log.group('one', async (log) => { log.info('1a'); await new Promise(r => setTimeout(r, 20)); log.info('1b'); }),
      log.group('two', async (log) => { log.info('2a'); await log.group('inner', async (log) => log.error('2b')); }),
    ]);
    runner.setOutput('multi', 'a\\nb=c');
    runner.setOutput('empty', '');
    runner.saveState('record', '{"a":1}');
    runner.exportVariable('FROM_MAIN', 'yes');
    runner.addPath('/added');
    await runner.summary('# Title');
    await runner.summary('more');
    log.info(JSON.stringify([process.env.INPUT_PLAIN, process.env.INPUT_TWO_WORDS, process.env['INPUT_HY-PHEN'] === 'ghs_token_value', process.env.INPUT_ODD]));
    log.info(process.cwd() + ' ' + process.env.JOB + ' ' + process.env.GITHUB_RUN_NUMBER + ' ' + process.version.split('.')[0]);
    runner.setFailed('it went wrong');
    `,
    `
    log.info('post sees ' + runner.getState('record') + ' ' + process.env.FROM_MAIN + ' ' + process.env.PATH.startsWith('/added:'));
    log.info('still hides first line');
    `,
    {
      inputs: { 'two words': ' x ', odd: '1' },
      env: { JOB: 'job-variable' },
      run: { number: 7 },
      githubToken: 'ghs_token_value',
    },
  );
  expect(run.ok).toBe(false);
  expect(run.main.code).toBe(1);
  expect(run.main.log.split('\n')).toEqual(
    [
      'has *** inside',
      'Warning: 50% of: a, b\nand more',
      '▸ two',
      '2a',
      'inner',
      'Error: 2b',
      '▸ one',
      '1a',
      '1b',
      JSON.stringify(['some default', ' x ', true, '1']),
      `${folder} job-variable 7 v24`,
      'Error: it went wrong',
    ].flatMap((line) => line.split('\n')),
  );
  expect(run.main.annotations).toEqual([
    { level: 'warning', message: "Unexpected input(s) 'odd'" },
    {
      level: 'warning',
      message: '50% of: a, b\nand more',
      title: 'T, 1: x',
      file: 'a.txt',
      line: 3,
    },
    { level: 'error', message: '2b' },
    { level: 'error', message: 'it went wrong' },
  ]);
  expect(run.main.outputs).toEqual({ multi: 'a\nb=c', empty: '' });
  expect(run.main.state).toEqual({ record: '{"a":1}' });
  expect(run.main.summary).toBe('# Title\nmore\n');
  expect(run.post.log).toBe('post sees {"a":1} yes true\nstill hides ***');
  expect(run).toMatchObject({ leaks: [], left: [], orphans: [] });
});

test.concurrent('what got out is reported: printed too early, in state, left behind, still running', async () => {
  const run = await act(
    `
    import { spawn } from 'node:child_process';
    import { writeFileSync } from 'node:fs';
    log.info('value is hunter2-secret');
    runner.mask('hunter2-secret');
    runner.saveState('login', 'user:hunter2-secret');
    writeFileSync(process.env.RUNNER_TEMP + '/left.txt', '');
    spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();
    `,
    '',
  );
  expect(run.ok).toBe(true);
  expect(run.leaks).toEqual([
    'main: printed before it was masked: hunter2-secret',
    'main: state login holds the masked value hunter2-secret',
  ]);
  expect(run.left).toEqual(['left.txt']);
  expect(run.orphans).toEqual(['sleep 600']);
});

test.concurrent('a cancel interrupts, and post still runs', async () => {
  const run = await act(
    `
    runner.saveState('acquired', 'a builder');
    process.on('SIGINT', () => { log.info('cleaning'); process.exit(130); });
    setInterval(() => {}, 1000);
    log.info('waiting');
    `,
    `log.info('post undoes ' + runner.getState('acquired'))`,
    { cancelAt: /^waiting$/ },
  );
  expect(run.main).toMatchObject({ code: 130, log: 'waiting\ncleaning' });
  expect(run.main.cancelMs).toBeLessThan(7_000);
  expect(run.post).toMatchObject({ code: 0, log: 'post undoes a builder', cancelMs: undefined });
});

test.concurrent('a deaf action is killed after ten seconds', async () => {
  const run = await act(
    `
    process.on('SIGINT', () => log.info('int'));
    process.on('SIGTERM', () => log.info('term'));
    setInterval(() => {}, 1000);
    log.info('deaf');
    `,
    `log.info('post')`,
    { cancelAt: /deaf/ },
  );
  expect(run.main).toMatchObject({ code: null, signal: 'SIGKILL', log: 'deaf\nint\nterm' });
  expect(run.main.cancelMs).toBeGreaterThan(9_900);
  expect(run.post.log).toBe('post');
});

test.concurrent('OIDC: a token for the audience, masked; refused with a hint without the permission', async () => {
  const run = await act(
    `
    const token = await runner.idToken('sts.amazonaws.com');
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    log.info(token + ' ' + claims.sub + ' ' + claims.aud);
    `,
    `await runner.idToken('x').catch((error) => log.info(error.message + ' ' + error.hint))`,
    { env: github.oidcEnvironment('repo:octo/shop:ref:refs/heads/main') },
  );
  expect(run.main.log).toBe('*** repo:octo/shop:ref:refs/heads/main sts.amazonaws.com');
  const without = await act(
    `await runner.idToken('x').catch((error) => log.info(error.message + ' ' + error.hint))`,
    '',
  );
  expect(without.main.log).toContain('This job may not ask GitHub for an OIDC token.');
  expect(without.main.log).toContain('id-token: write');
});

test("the runner's file formats", async () => {
  const { parsePairs } = await import('./files.ts');
  expect(parsePairs('a=b=c\nm<<E\n1\n\n2\nE\nlast=')).toEqual({ a: 'b=c', m: '1\n\n2', last: '' });
  expect(() => parsePairs('m<<E\n1')).toThrow('Matching delimiter not found');
  expect(() => parsePairs('nothing')).toThrow('Invalid format');
  expect(await readFile(join(folder, 'action.yml'), 'utf8')).toContain('inputs');
});
