import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, expect, test } from 'vitest';
import { ensureEngine } from './engine/engine.ts';
import { execute } from './engine/execute.ts';

const folder = await mkdtemp(join(tmpdir(), 'serve-'));
let pid: number | undefined;

afterAll(async () => {
  if (pid !== undefined) process.kill(pid);
  await rm(folder, { recursive: true, force: true });
});

test('the self-test of ci.yml gets its stand-in: variables in GITHUB_ENV, and AWS answers there', async () => {
  const engine = await ensureEngine();
  const file = join(folder, 'env');
  const started = await execute(
    process.execPath,
    [join(import.meta.dirname, 'serve.ts'), '--registry', engine.registryHost, '--background'],
    { env: { ...engine.env, GITHUB_ENV: file }, timeout: 60_000 },
  );
  pid = Number(/^pid (\d+)$/m.exec(started.stdout)?.[1]);
  expect(started.stderr).toBe('');
  const url = /^AWS_ENDPOINT_URL=(.+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  const key = /^AWS_ACCESS_KEY_ID=(.+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  const answer = await fetch(`${url}/2015-03-31/functions/self-test`, {
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${key}/20261121/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0`,
    },
  });
  expect([answer.status, await answer.json()]).toMatchObject([
    200,
    { Configuration: { FunctionName: 'self-test', PackageType: 'Image' } },
  ]);
  engine.release();
});
