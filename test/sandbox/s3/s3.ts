import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execute, onPath } from '../engine/execute.ts';
import { withLock } from '../engine/lock.ts';
import { cacheFolder, sayToStderr, type Say } from '../engine/places.ts';

/** A local S3 (moto): real enough for BuildKit's s3 cache and multipart uploads. */
export interface S3 extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`; path-style addresses. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Creates a bucket (in us-east-1, whose requests need no location). */
  createBucket(name: string): Promise<void>;
  /** Keys in a bucket, with sizes in bytes. */
  list(bucket: string): Promise<{ key: string; size: number }[]>;
}

const motoVersion = '5.2.5';

/** Starts moto's S3. @returns undefined, with a printed reason, where it can't be installed. */
export async function startS3(options: { say?: Say } = {}): Promise<S3 | undefined> {
  const python = await installMoto(options.say ?? sayToStderr);
  if (python === undefined) return undefined;
  const child = spawn(python, [join(import.meta.dirname, 'server.py')], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`moto ended with ${code}`)));
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const authorization =
    'AWS4-HMAC-SHA256 Credential=sandbox/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';
  const ask = async (method: string, path: string) => {
    const answer = await fetch(`${endpoint}/${path}`, { method, headers: { authorization } });
    if (!answer.ok)
      throw new Error(`S3 ${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.text();
  };
  return {
    endpoint,
    accessKeyId: 'sandbox',
    secretAccessKey: 'sandbox-secret',
    createBucket: async (name) => void (await ask('PUT', name)),
    async list(bucket) {
      const xml = await ask('GET', `${bucket}?list-type=2`);
      const found = xml.matchAll(/<Key>([^<]+)<\/Key>.*?<Size>(\d+)<\/Size>/gs);
      return Array.from(found, ([, key = '', size = '']) => ({ key, size: Number(size) }));
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(late);
    },
  };
}

/** moto in a virtual environment of its own, made once a machine; its interpreter. */
async function installMoto(say: Say): Promise<string | undefined> {
  const home = join(cacheFolder, `moto-${motoVersion}`);
  const python = join(home, 'bin', 'python');
  const why = await withLock('moto', async () => {
    // The interpreter it was made with can be gone: then it is made anew.
    if (existsSync(home) && (await execute(python, ['-c', 'import moto.server'])).code === 0) {
      return undefined;
    }
    if (!(await onPath('python3'))) return 'no python3 on this machine';
    say('Installing moto (S3) into a virtual environment');
    rmSync(home, { recursive: true, force: true });
    mkdirSync(cacheFolder, { recursive: true });
    for (const [command, ...args] of [
      ['python3', '-m', 'venv', home],
      [python, '-m', 'pip', 'install', '--quiet', `moto[server]==${motoVersion}`],
    ]) {
      const { code, stderr } = await execute(command ?? '', args);
      if (code === 0) continue;
      rmSync(home, { recursive: true, force: true });
      return stderr.trim().split('\n').at(-1) ?? `${command} ended with ${code}`;
    }
    return undefined;
  });
  if (why === undefined) return python;
  say(`Without S3 (${why})`);
  return undefined;
}
