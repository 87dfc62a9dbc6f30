import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { calls, justBuild, running, said, tiny } from './facts.ts';
import { dockerfile, openWorld, ship, unique, whole, type World, type WorldRun } from './kit.ts';

// What breaks outside the action: each time one clear error, or none at all where it can go on.
let world: World;
/** `latest` and the function are there before each test, and after each that fails. */
let before = '';
const quick = { ...justBuild, cache: 'off', provenance: 'false' };

beforeAll(async () => {
  world = await openWorld();
  const { main } = await ship(world, { files: tiny(), inputs: quick });
  before = main.outputs['digest'] ?? '';
  await world.lambda.create('api', { image: `${world.aws.registryHost}/shop@${before}` });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.aws.faults.clear();
  world.cache.faults.clear();
  world.github.faults.clear();
  world.aws.ecr.setMutability('shop', 'MUTABLE');
  world.aws.ecr.moveTag('shop', 'latest', before);
});

/** A run that must fail, with nothing moved, deployed or left: its one error. */
async function fail(request: WorldRun, expected: { moved?: boolean } = {}): Promise<string> {
  const result = await world.run({
    files: tiny(),
    ...request,
    inputs: { ...quick, ...request.inputs },
  });
  expect(result.main, whole(result)).toMatchObject({ code: 1, signal: null });
  expect(result.post.log).toBe('');
  expect(result).toMatchObject({ left: [], orphans: [], leaks: [] });
  if (expected.moved !== true) expect(world.tag('latest')).toBe(before);
  expect(running(world, 'api')).toBe(before);
  expect(result.main.summary).toContain('## Not shipped');
  return said(result, 'error').at(-1) ?? '';
}

/** The IAM statement at an error's end, as it would be pasted. */
function statement(error: string): { Effect: string; Action: string[]; Resource: unknown } {
  return JSON.parse(error.slice(error.indexOf('\n{') + 1)) as never;
}

const repository = 'arn:aws:ecr:eu-west-1:123456789012:repository/shop';

test.each([
  ['ecr:GetAuthorizationToken', '*'],
  ['ecr:DescribeRepositories', repository],
  ['ecr:DescribeImages', repository],
  ['ecr:BatchGetImage', repository],
])(
  'denied %s: told before a build, with the statement that allows it',
  async (action, resource) => {
    world.aws.faults.deny(action);
    const error = await fail({ files: { Dockerfile: dockerfile('RUN sleep 600') } });
    expect(error).toContain(`permission ${action} is missing`);
    expect(error).toContain('AWS: 400 AccessDeniedException: User: arn:aws:iam::');
    expect(statement(error)).toEqual({ Effect: 'Allow', Action: [action], Resource: resource });
  },
);

test.each(['ecr:PutImage', 'ecr:InitiateLayerUpload'])(
  'denied %s in the push: tried once, with the statement for the whole push',
  async (action) => {
    world.aws.faults.deny(action);
    const since = world.aws.requests.length;
    const error = await fail({});
    expect(error).toMatch(/^The image was built, but pushing it was denied: failed to push /);
    const { Action, Resource } = statement(error);
    expect(Action).toEqual(expect.arrayContaining(['ecr:PutImage', 'ecr:InitiateLayerUpload']));
    expect(Resource).toBe(repository);
    // AWS's words once: not in a block below too.
    expect(error.split('is not authorized to perform')).toHaveLength(2);
    expect(calls(world, since).filter((call) => call === 'ecr:GetAuthorizationToken')).toHaveLength(
      1,
    );
  },
);

test('denied lambda:UpdateFunctionCode: nothing of the function has changed', async () => {
  world.aws.faults.deny('lambda:UpdateFunctionCode');
  const error = await fail({ inputs: { 'lambda-functions': 'api:live' } }, { moved: true });
  expect(error).toMatch(/^api:live: permission lambda:UpdateFunctionCode is missing\./);
  expect(statement(error)).toMatchObject({
    Action: expect.arrayContaining(['lambda:GetFunction', 'lambda:UpdateFunctionCode']),
    Resource: [
      'arn:aws:lambda:eu-west-1:123456789012:function:api',
      'arn:aws:lambda:eu-west-1:123456789012:function:api:*',
    ],
  });
  expect(running(world, 'api:live')).toBeUndefined();
});

test('denied ecr:PutImage when latest moves: the image is there, latest stays', async () => {
  const checkout = await world.workspace(tiny());
  const inputs = { ...quick, 'skip-unchanged': 'true' };
  await ship(world, { workspace: checkout, inputs: { ...inputs, 'moving-tags': '' } });
  world.aws.faults.deny('ecr:PutImage');
  const error = await fail({ workspace: checkout, inputs });
  expect(error).toContain('permission ecr:PutImage is missing');
  expect(statement(error)).toMatchObject({ Action: ['ecr:PutImage'], Resource: repository });
});

test.each([
  ['is down', { status: 503 }, /^GitHub's cache is not available \(it answered 503\): /],
  ['cuts every connection', { reset: true }, /^GitHub's cache is not available \(it can't be re/],
  [
    'takes nothing',
    { on: 'CreateCacheEntry', status: 503 },
    /^The cache type=gha was not written, the next build may be slower: /,
  ],
])('a cache service that %s: the run succeeds, with one notice', async (_what, fault, wanted) => {
  world.cache.faults.add(fault);
  const result = await ship(world, { files: tiny(), inputs: { ...quick, cache: 'gha' } });
  expect(said(result, 'notice'), whole(result)).toEqual([expect.stringMatching(wanted)]);
  expect(said(result, 'warning')).toEqual([]);
  expect(result.main.summary).toContain(said(result, 'notice')[0]?.slice(0, 40));
  expect(world.tag('latest')).toBe(result.main.outputs['digest']);
});

test('a registry that dies in the middle of a push: pushed again, built once', async () => {
  world.aws.faults.next('registry:PutImage', { cut: true, times: 2 });
  const mark = unique();
  const result = await ship(world, {
    files: { Dockerfile: dockerfile(`RUN echo ${mark} > /mark`) },
    inputs: quick,
  });
  expect(result.main.log.match(/^#\d+ \[2\/2\] RUN .*$/gm), whole(result)).not.toBeNull();
  expect(world.tag('latest')).toBe(result.main.outputs['digest']);
  expect(said(result, 'warning')).toEqual([]);
});

test('a repository that goes during the build: told as such', async () => {
  const gone = { status: 404, code: 'NAME_UNKNOWN', times: 100 };
  const message = "The repository with name 'shop' does not exist in the registry with id '1'";
  world.aws.faults.next('registry:InitiateLayerUpload', { ...gone, message });
  const error = await fail({});
  expect(error).toMatch(/^The image was built, but pushing it failed because the repository does/);
  expect(error).toContain('→ Create it, or set `create-repository: true`.');
});

/** A checkout, and a check that waits until a line of the log fits. */
async function checkAfter(line: RegExp, files: Readonly<Record<string, string>>) {
  const workspace = await world.workspace(files);
  return {
    workspace,
    wait: 'until test -e seen; do sleep 0.1; done',
    onLine: (shown: string) => {
      if (line.test(shown)) writeFileSync(join(workspace, 'seen'), '');
    },
  };
}

test('a check that fails: named with its line; the build is stopped', async () => {
  const mark = unique();
  const { wait, ...run } = await checkAfter(new RegExp(`│ started-${mark}`), {
    Dockerfile: dockerfile(`RUN echo started-${mark} && sleep 600`),
  });
  const verify = `echo linting\n${wait}\ntest 1 = 2\necho never`;
  const error = await fail({ ...run, inputs: { verify } });
  expect(error).toMatch(/^A check failed: `test 1 = 2` \(line 3 of verify\) exited with 1\.\n/);
  expect(error).not.toContain('never');
});

test('a check and the build fail: both are told, each with what it said', async () => {
  const mark = unique();
  // The build comes to its failure first: the checks go on to theirs.
  const { wait, ...run } = await checkAfter(/^Error: process .* did not complete/, {
    Dockerfile: dockerfile(`RUN echo ${mark} && echo "cannot compile" && exit 3`),
  });
  const error = await fail({ ...run, inputs: { verify: `echo linting\n${wait}\nls /nowhere` } });
  expect(error).toMatch(/^Several things failed:\n- The build failed at \[2\/2\] RUN/);
  expect(error).toContain('exit code 3 (Dockerfile:2)');
  expect(error).toContain('cannot compile');
  expect(error).toContain('\n- A check failed: `ls /nowhere` (line 3 of verify) exited with 2.');
});

test('no right to see earlier runs: one warning that names it, and the newest still wins', async () => {
  const refused = { status: 403, body: '{"message":"Resource not accessible by integration"}' };
  world.github.faults.add(refused);
  const ahead = world.github.addRun();
  world.github.setJob(ahead.id, 'ship', { status: 'in_progress' });
  const result = await ship(world, { files: tiny(), inputs: quick });
  world.github.setRun(ahead.id, { status: 'completed', conclusion: 'success' });
  expect(said(result, 'warning')).toEqual([
    expect.stringMatching(/the newest run still wins\. Add "actions: read" to the job's permissi/),
  ]);
  expect(world.tag('latest')).toBe(result.main.outputs['digest']);
});

test('no Docker: told what was tried, and what there is instead', async () => {
  const error = await fail({ env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' } });
  expect(error).toMatch(/^No Docker daemon answers on this runner/);
  expect(error).toContain('unix:///nowhere/docker.sock');
  expect(error).toContain('→ On runners without Docker give a BuildKit service: endpoint: ');
});

test('an immutable repository: a tag that exists is refused before the build', async () => {
  world.aws.ecr.moveTag('shop', 'v1', before);
  world.aws.ecr.setMutability('shop', 'IMMUTABLE');
  const files = { Dockerfile: dockerfile('RUN sleep 600') };
  const tagged = await fail({ files, inputs: { tags: 'v1', 'moving-tags': '' } });
  expect(tagged).toContain(`tags: v1 exists in ${world.aws.registryHost}/shop at ${before}`);
  expect(tagged).toContain('→ Set tags to names that are new in each run');
  const moving = await fail({ files });
  expect(moving).toMatch(/^moving-tags: latest can't be moved, because the repository shop is IMM/);
  expect(moving).toContain('aws ecr put-image-tag-mutability --repository-name shop ');
});

test('an immutable repository: default tags that exist are left out, even all of them', async () => {
  const first = await ship(world, {
    files: tiny(),
    inputs: { ...quick, tags: '', 'moving-tags': '' },
  });
  world.aws.ecr.setMutability('shop', 'IMMUTABLE');
  const { sha, id } = world.github.findRun(first.runId) ?? { sha: '', id: 0 };
  const again = await ship(world, {
    files: tiny(),
    run: { id, attempt: 2 },
    inputs: { ...quick, tags: sha, 'moving-tags': '' },
  });
  expect(world.tag(sha)).toBe(first.main.outputs['digest']);
  expect(said(again, 'notice')).toEqual([
    `The tag ${sha} exists at ${first.main.outputs['digest']} and can't be moved (IMMUTABLE); this run's image goes without it.`,
  ]);
  expect(again.main.outputs['tags']).toBe(`run-${id}.2`);
  expect(world.tag(`run-${id}.2`)).toBe(again.main.outputs['digest']);
});

const execute = promisify(execFile);
const disk = () => join(world.folder, 'disk');
const mounted = async (size: string) => {
  await mkdir(disk(), { recursive: true });
  return execute('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk()]).then(
    () => true,
    () => false,
  );
};

test('a full disk: told as such, nothing has moved', async ({ skip }) => {
  // Only root may mount, and not in every container.
  if (!(await mounted('16k'))) skip('no small file system can be mounted here');
  try {
    const result = await world.run({
      files: tiny(),
      temp: join(disk(), 'temp'),
      inputs: quick,
    });
    expect(result.main.code, whole(result)).toBe(1);
    const error = said(result, 'error').at(-1);
    expect(error).toMatch(/no space left on device/);
    expect(error).toMatch(/\n→ The runner's disk is full \(RUNNER_TEMP, or Docker's data\)\. /);
    expect(world.tag('latest')).toBe(before);
    expect(result).toMatchObject({ left: [], orphans: [], leaks: [] });
  } finally {
    await execute('umount', [disk()]);
  }
});
