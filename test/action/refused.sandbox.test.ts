import { afterAll, beforeAll, expect, test } from 'vitest';
import { calls, said, tiny } from './facts.ts';
import { openWorld, ship, whole, type World } from './kit.ts';

// Nothing here comes to a build. What is asked for wrongly is told before anything is done.
let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test('every bad input in one error: its name, what was found, a right example; nothing was done', async () => {
  const result = await world.run({
    files: tiny(),
    inputs: {
      repository: 'Shop App',
      'aws-region': 'europe',
      'role-to-assume': 'ship',
      'lambda-functions': 'api:7',
      cache: 'ghaa',
      context: 'nowhere',
      driver: 'dokcer',
      order: 'inturn',
      tags: 'latest',
      repositorie: 'shop',
    },
  });
  expect(result.main.code).toBe(1);
  const [error = '', ...others] = said(result, 'error');
  expect(others).toEqual([]);
  const told = error.split('\n- ');
  expect(told[0]).toBe(
    '9 inputs need your attention; nothing has been done yet. (There is no input repositorie: did you mean repository?)',
  );
  const wanted = [
    ['repository', 'Shop App', 'team/app'],
    ['tags', 'latest', 'Leave latest out'],
    ['aws-region', 'europe', 'eu-west-1'],
    ['role-to-assume', 'ship', 'arn:aws:iam::123456789012:role/'],
    ['context', 'nowhere', 'context: .'],
    ['driver', 'dokcer', 'driver: docker'],
    ['cache', 'ghaa', 'cache: gha'],
    ['order', 'inturn', 'order: in-turn'],
    ['lambda-functions', '7', 'alias'],
  ] as const;
  for (const [name, found, example] of wanted) {
    const own = told.filter((each) => each.startsWith(`${name}: `));
    expect(own, name).toHaveLength(1);
    expect(own[0]).toContain(found);
    expect(own[0]).toContain(example);
    expect(own[0]).toContain('→ ');
  }
  expect(told).toHaveLength(wanted.length + 1);
  expectNothingDone();
  expect(result.main.state).toEqual({});
  expect(result.post.log).toBe('');
  expect(result.left).toEqual([]);
});

test.each([
  ['the Region', { 'aws-region': '' }, /^aws-region: is missing/m],
  ['the repository', { repository: '' }, /^repository: is missing/m],
  ['the Dockerfile', { file: 'Dockerfil' }, /^file: the Dockerfile `Dockerfil` is not there/m],
  ['a combination', { driver: 'remote' }, /^endpoint: is missing/m],
])('without %s: one error, nothing was done', async (_what, inputs, wanted) => {
  const result = await world.run({ files: tiny(), inputs, env: { AWS_REGION: '' } });
  expect(result.main.code).toBe(1);
  expect(said(result, 'error')).toEqual([
    expect.stringMatching(/^An input needs your attention; nothing has been done yet\.\n- /),
  ]);
  expect(said(result, 'error')[0]?.replaceAll('\n- ', '\n')).toMatch(wanted);
  expectNothingDone();
});

function expectNothingDone(): void {
  expect(calls(world)).toEqual([]);
  expect(world.aws.requests).toEqual([]);
  expect(world.github.requests).toEqual([]);
  expect(world.cache.requests).toEqual([]);
}

test('no such repository: told with its account and Region before anything is built', async () => {
  const since = world.aws.requests.length;
  const result = await world.run({ files: tiny(), inputs: { repository: 'shopp' } });
  expect(said(result, 'error')).toEqual([
    [
      'There is no ECR repository shopp in eu-west-1 of account 123456789012.',
      '→ Check repository and aws-region, make it (aws ecr create-repository --repository-name shopp --region eu-west-1), or set create-repository: true.',
    ].join('\n'),
  ]);
  expect(result.main.summary).toContain('There is no ECR repository shopp');
  expect(new Set(calls(world, since))).toEqual(
    new Set(['sts:GetCallerIdentity', 'ecr:GetAuthorizationToken', 'ecr:DescribeRepositories']),
  );
  expect(result).toMatchObject({ left: [], orphans: [] });
});

test('a function that is not there: told before anything is built', async () => {
  const result = await world.run({
    files: tiny(),
    inputs: { 'lambda-functions': 'api:live', 'skip-unchanged': 'false' },
  });
  expect(said(result, 'error').join('\n')).toMatch(/api.*(not|no) /);
  expect(world.aws.ecr.images(world.repository)).toEqual([]);
  expect(result.main.log).not.toContain('exporting');
});

test('create-repository makes it, with tags that can move and a rule for untagged images', async () => {
  const since = world.aws.requests.length;
  const result = await ship(world, {
    files: tiny(),
    inputs: {
      repository: 'team/new',
      'create-repository': 'true',
      'skip-unchanged': 'false',
      cache: 'off',
    },
  });
  expect(result.main.log, whole(result)).toContain(
    `Made the repository ${world.aws.registryHost}/team/new`,
  );
  expect(calls(world, since)).toContain('ecr:CreateRepository');
  expect(world.aws.ecr.tags('team/new').get('latest')).toBe(result.main.outputs['digest']);
  expect(world.aws.ecr.lifecyclePolicy('team/new')).toContain('untagged');
});
