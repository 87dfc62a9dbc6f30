import { expect, test } from 'vitest';
import type { Inputs } from '../../src/inputs/inputs.ts';
import { type Given, read } from './kit.ts';

/** Input, value, where it lands, what is there. */
const cases: readonly [string, string, (inputs: Inputs) => unknown, unknown, Given?][] = [
  ['aws-region', 'us-gov-east-1', ({ aws }) => aws.region, 'us-gov-east-1'],
  ['aws-region', 'eusc-de-east-1', ({ aws }) => aws.region, 'eusc-de-east-1'],
  ['aws-region', '', ({ aws }) => aws.region, 'ap-south-1', { env: { AWS_REGION: 'ap-south-1' } }],
  [
    'aws-region',
    '',
    ({ aws }) => aws.region,
    'ca-central-1',
    { env: { AWS_DEFAULT_REGION: 'ca-central-1' } },
  ],
  [
    'role-to-assume',
    'arn:aws:iam::123456789012:role/path/ship',
    ({ aws }) => aws.role,
    {
      arn: 'arn:aws:iam::123456789012:role/path/ship',
      sessionName: 'ship-to-ecr-7001',
      durationSeconds: 3600,
      audience: 'sts.amazonaws.com',
    },
  ],
  ['role-to-assume', '', ({ aws }) => aws.role, undefined],
  [
    'allowed-account-ids',
    '123456789012, 210987654321',
    ({ aws }) => aws.allowedAccountIds,
    ['123456789012', '210987654321'],
  ],
  ['repository', 'app', ({ image }) => image.repository, 'app'],
  ['create-repository', 'true', ({ image }) => image.createRepository, true],
  ['tags', '', ({ image }) => image.tags, ['0123456789abcdef0123456789abcdef01234567', 'run-7']],
  ['tags', '', ({ image }) => image.tags[1], 'run-7.3', { context: { runAttempt: 3 } }],
  ['tags', 'v1,v1.2\nv1.2.3', ({ image }) => image.tags, ['v1', 'v1.2', 'v1.2.3']],
  [
    'tags',
    '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1\nteam/app:v2',
    ({ image }) => image.tags,
    ['v1', 'v2'],
  ],
  ['moving-tags', 'latest\nstable', ({ image }) => image.movingTags, ['latest', 'stable']],
  ['moving-tags', '', ({ image }) => image.movingTags, []],
  ['labels', 'a=b,c\n"d=e ""f"""', ({ image }) => image.labels, ['a=b,c', 'd=e "f"']],
  [
    'annotations',
    'index:a=b\nc=d:e\nmanifest[linux/amd64],index:f=g',
    ({ image }) => image.annotations,
    ['index:a=b', 'c=d:e', 'manifest[linux/amd64],index:f=g'],
  ],
  ['cache', '', ({ cache }) => cache.backends, ['gha']],
  [
    'cache',
    'gha\nregistry, local inline',
    ({ cache }) => cache.backends,
    ['gha', 'registry', 'local', 'inline'],
  ],
  ['cache', 'off', ({ cache }) => cache.backends, ['off']],
  ['cache-scope', 'shop.web', ({ cache }) => cache.scope, 'shop.web'],
  ['cache-mode', 'MIN', ({ cache }) => cache.mode, 'min'],
  ['cache-prefix', 'layers/', ({ cache }) => cache.prefix, 'layers/'],
  ['cache-region', 'us-east-1', ({ cache }) => cache.region, 'us-east-1'],
  ['cache-repository', 'team/app-cache', ({ cache }) => cache.repository, 'team/app-cache'],
  ['cache-repository', 'ghcr.io/team/cache', ({ cache }) => cache.repository, 'ghcr.io/team/cache'],
  ['cache-write', 'never', ({ cache }) => cache.write, 'never'],
  [
    'cache-from',
    'type=gha,scope=a\nghcr.io/team/app:cache',
    ({ cache }) => cache.from,
    ['type=gha,scope=a', 'ghcr.io/team/app:cache'],
  ],
  [
    'cache-to',
    'type=registry,ref=a/b:c,mode=max',
    ({ cache }) => cache.to,
    ['type=registry,ref=a/b:c,mode=max'],
  ],
  ['cache-mounts', '', ({ cache }) => cache.mounts, 'auto'],
  ['cache-mounts', 'off', ({ cache }) => cache.mounts, 'off'],
  [
    'cache-mounts',
    '/root/.cache/pip\n/var/cache/apt',
    ({ cache }) => cache.mounts,
    ['/root/.cache/pip', '/var/cache/apt'],
  ],
  [
    'pip-requirements',
    'requirements.txt\nreq/*.txt',
    ({ python }) => python.requirements,
    ['requirements.txt', 'req/*.txt'],
  ],
  ['pip-installer', 'uv', ({ python }) => python.installer, 'uv'],
  ['pip-cache-prefix', 'pip-v2', ({ python }) => python.cachePrefix, 'pip-v2'],
  ['verify', 'ruff check .\npytest -q\n', (inputs) => inputs.verify, 'ruff check .\npytest -q'],
  ['order', '', ({ order }) => [order.mode, order.state], ['in-turn', 'github']],
  ['order', 'newest', ({ order }) => [order.mode, order.state], ['newest', 'registry']],
  ['order', 'off', ({ order }) => order.mode, 'off'],
  ['order-state', 'registry', ({ order }) => order.state, 'registry'],
  ['order-job', 'call / ship (a, b)', ({ order }) => order.job, 'call / ship (a, b)'],
  ['order-lane', 'production', ({ order }) => order.lane, 'production'],
  ['order-timeout', '1h30m', ({ order }) => order.timeout, 5_400_000],
  ['order-interval', '15', ({ order }) => order.interval, 15_000],
  [
    'lambda-functions',
    'api',
    ({ lambda }) => lambda.functions,
    [{ name: 'api', alias: undefined, canary: undefined }],
  ],
  [
    'lambda-functions',
    'api:live\n123456789012:function:job',
    ({ lambda }) => lambda.functions.map(({ name, alias }) => [name, alias]),
    [
      ['api', 'live'],
      ['123456789012:function:job', undefined],
    ],
  ],
  [
    'lambda-functions',
    'arn:aws:lambda:eu-west-1:123456789012:function:api:live',
    ({ lambda }) => lambda.functions[0],
    {
      name: 'arn:aws:lambda:eu-west-1:123456789012:function:api',
      alias: 'live',
      canary: undefined,
    },
  ],
  [
    'lambda-functions',
    'api:live canary=10%,5m',
    ({ lambda }) => lambda.functions[0]?.canary,
    { percent: 10, stepMs: 300_000 },
  ],
  [
    'lambda-functions',
    'api:live canary=25%, 90s',
    ({ lambda }) => lambda.functions[0]?.canary,
    { percent: 25, stepMs: 90_000 },
  ],
  ['lambda-publish', 'false', ({ lambda }) => lambda.publish, false],
  ['lambda-invoke', '{"ping": true}', ({ lambda }) => lambda.invoke, '{"ping": true}'],
  ['lambda-invoke', '', ({ lambda }) => lambda.invoke, undefined],
  ['lambda-rollback', 'no', ({ lambda }) => lambda.rollback, false],
  ['lambda-timeout', '90s', ({ lambda }) => lambda.timeout, 90_000],
  ['dry-run', 'true', (inputs) => inputs.dryRun, true],
  ['summary', 'false', (inputs) => inputs.summary, false],
  ['build-record', 'true', (inputs) => inputs.buildRecord, true],
];

test.each(cases)('%s: %j', (name, value, pick, wanted, given = {}) => {
  const bare = name === 'aws-region';
  const extra: Record<string, string> = bare ? { repository: 'team/app' } : {};
  expect(pick(read({ ...extra, [name]: value }, { ...given, bare }))).toEqual(wanted);
});

test('a full URI names registry, Region and repository', () => {
  const uri = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app';
  const { aws, image } = read({ repository: uri }, { bare: true });
  expect(aws.region).toBe('eu-west-1');
  expect(image).toMatchObject({
    repository: 'team/app',
    registryId: '123456789012',
    registryHost: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
  });
  expect(image).not.toHaveProperty('region');
});

test('role options go with the role', () => {
  const { aws } = read({
    'role-to-assume': 'arn:aws-cn:iam::123456789012:role/ship',
    'role-session-name': 'me@work',
    'role-duration-seconds': '15m',
    audience: 'sts.amazonaws.com.cn',
  });
  expect(aws.role).toMatchObject({
    sessionName: 'me@work',
    durationSeconds: 900,
    audience: 'sts.amazonaws.com.cn',
  });
});

test('buckets go with their backends', () => {
  const inputs = read({
    cache: 's3',
    'cache-bucket': 'layers.example',
    order: 'newest',
    'order-state': 's3',
    'order-bucket': 'order-example',
  });
  expect(inputs.cache.bucket).toBe('layers.example');
  expect(inputs.order).toMatchObject({ state: 's3', bucket: 'order-example' });
  expect(inputs.warnings).toEqual([]);
});

test('pip-install goes with requirements', () => {
  const { python, warnings } = read({
    'pip-requirements': 'requirements.txt',
    'pip-install': 'false',
  });
  expect(python).toMatchObject({ install: false });
  expect(warnings).toEqual([]);
});

test("a fork's pull request needs neither Region nor repository, nor values of secrets", () => {
  const inputs = read(
    { secrets: 'token=', 'secret-envs': 'npm=NPM_TOKEN', ssh: 'default' },
    { bare: true, context: { fork: true } },
  );
  expect(inputs.aws.region).toBe('');
  expect(inputs.image.repository).toBe('shop');
});
