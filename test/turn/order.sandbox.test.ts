import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Published } from '../../src/steps/publish.ts';
import { startAws, type AwsSandbox } from '../sandbox/aws/index.ts';
import { busyboxImage, ensureBusybox } from '../sandbox/base-image/images.ts';
import { ensureEngine, type Engine } from '../sandbox/engine/engine.ts';
import { startGitHub, type GitHubStandIn } from '../sandbox/github/index.ts';
import type { OrderInputs } from '../../src/inputs/inputs.ts';
import { ecrOf } from '../systems/aws-kit.ts';
import { PUBLISHING_JOB } from './fakes.ts';

// Real images, pushed by a real Docker into a real registry behind the ECR stand-in; each run's turn in
// a process of its own, which knows of the others only what ECR, S3 and GitHub tell.
let engine: Engine;
let aws: AwsSandbox;
let github: GitHubStandIn;
let folder = '';
const digests: string[] = [];
const names: string[] = [];
const children: ChildProcess[] = [];
let repositories = 0;

beforeAll(async () => {
  engine = await ensureEngine();
  await ensureBusybox(engine);
  aws = await startAws({ registryHost: engine.registryHost });
  github = await startGitHub();
  folder = await mkdtemp(join(tmpdir(), 'order-'));
  aws.s3.createBucket('order-bucket');
});
afterAll(async () => {
  for (const child of children) child.kill();
  if (names.length > 0) await engine.docker(['rmi', '-f', ...names]);
  await github.close();
  await aws.close();
  engine.release();
  await rm(folder, { recursive: true, force: true });
});

/** A repository of its own with three images, each pushed under its run's tag. */
async function repository(): Promise<{ name: string; uri: string }> {
  const name = `order/app-${(repositories += 1)}`;
  aws.ecr.createRepository(name);
  const uri = `${aws.registryHost}/${name}`;
  for (const [key, value] of Object.entries(aws.env)) process.env[key] = value;
  const { host, username, password } = await ecrOf(aws).login();
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }));
  for (const n of [1, 2, 3]) {
    const image = `${uri}:run-${n}`;
    await engine.must(['build', '-q', '--provenance=false', '-t', image, '-'], {
      input: `FROM ${busyboxImage}\nLABEL run=${n}\n`,
    });
    names.push(image);
    await engine.must(['--config', folder, 'push', '-q', image]);
    digests[n] = aws.ecr.tags(name).get(`run-${n}`) ?? '';
  }
  return { name, uri };
}

interface Process {
  publish(): Promise<Published & { lines: readonly string[] }>;
}

async function begin(
  n: number,
  runId: number,
  target: { name: string; uri: string },
  order: Partial<OrderInputs>,
): Promise<Process> {
  const task = {
    runId,
    digest: digests[n],
    repository: target,
    order: { bucket: 'order-bucket', interval: 300, timeout: 120_000, ...order },
    region: aws.region,
    github: { apiUrl: github.url, token: github.token, repository: github.repository },
  };
  const script = join(import.meta.dirname, 'publish-process.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(task)], {
    env: { ...process.env, ...aws.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('ready');
  return {
    async publish() {
      child.stdin.write('publish\n');
      return JSON.parse(String((await lines.next()).value)) as Published & { lines: string[] };
    },
  };
}

/** Digests that `latest` was put to, in order. */
function history(name: string): number[] {
  return aws.requests
    .filter(({ action, status }) => action === 'ecr:PutImage' && status === 200)
    .map(({ body }) => JSON.parse(body || '{}') as Record<string, string>)
    .filter((put) => put['repositoryName'] === name && put['imageTag'] === 'latest')
    .map((put) => digests.indexOf(put['imageDigest'] ?? ''));
}

const orders = [
  [1, 2, 3],
  [3, 2, 1],
  [2, 3, 1],
];

test.each([['registry', orders] as const, ['s3', orders.slice(1, 2)] as const])(
  'newest, %s: in whatever order they finish, latest ends at the newest',
  async (state, rounds) => {
    const target = await repository();
    const base = 5_000 + repositories * 1_000;
    for (const [round, order] of rounds.entries()) {
      const results: Record<number, string> = {};
      const runs = await Promise.all(
        [1, 2, 3].map((n) => begin(n, base + round * 10 + n, target, { mode: 'newest', state })),
      );
      for (const n of order) results[n] = (await runs[n - 1]?.publish())?.result ?? '';
      expect(aws.ecr.tags(target.name).get('latest')).toBe(digests[3]);
      expect(results[3]).not.toBe('superseded');
      expect(results[1]).toBe(order[0] === 1 ? 'moved' : 'superseded');
    }
  },
);

test('in turn, github: told to publish 3, 2, 1 at once, they move the tag 1, 2, 3', async () => {
  const target = await repository();
  const workflow = 'ship.yml';
  const ids = [1, 2, 3].map((n) => {
    const { id } = github.addRun({ workflow });
    github.setJob(id, PUBLISHING_JOB, { status: 'in_progress', runnerName: `runner-${id}` });
    return [n, id] as const;
  });
  const runs = await Promise.all(
    ids.map(async ([n, id]) => ({ id, run: await begin(n, id, target, {}) })),
  );
  const results = await Promise.all(
    runs.toReversed().map(async ({ id, run }) => {
      const published = await run.publish();
      github.setJob(id, PUBLISHING_JOB, { status: 'completed', conclusion: 'success' });
      return published;
    }),
  );
  expect(results.map(({ result }) => result)).toEqual(['moved', 'moved', 'moved']);
  expect(history(target.name)).toEqual([1, 2, 3]);
  expect(results[0]?.lines[0]).toContain('Waiting for run #');
});
