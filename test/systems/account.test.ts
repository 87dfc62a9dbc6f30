import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { explain } from '../../src/errors.ts';
import type { AwsInputs } from '../../src/inputs/inputs.ts';
import { connectAccount } from '../../src/systems/account.ts';
import type { AwsSandbox } from '../sandbox/aws/index.ts';
import { openAws } from './aws-kit.ts';

const roleArn = 'arn:aws:iam::123456789012:role/ship';
const role = {
  arn: roleArn,
  sessionName: 'ship-7',
  durationSeconds: 3600,
  audience: 'sts.amazonaws.com',
};
let aws: AwsSandbox;

beforeAll(async () => {
  aws = await openAws();
});
afterAll(() => aws.close());
beforeEach(() => {
  aws.faults.clear();
  aws.sts.setProvider(true);
  aws.sts.trust(roleArn, { sub: '*' });
});

function idToken(claims: object = {}): string {
  const payload = {
    iss: 'https://token.actions.githubusercontent.com',
    sub: 'repo:acme/shop:ref:refs/heads/main',
    aud: 'sts.amazonaws.com',
    exp: Math.floor(Date.now() / 1000) + 300,
    ...claims,
  };
  return `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.c2ln`;
}

function open(
  inputs: Partial<AwsInputs> = {},
  { token = () => idToken(), idTokens = true, now = () => Date.now() } = {},
) {
  const masked: string[] = [];
  const audiences: string[] = [];
  const account = connectAccount({
    aws: { region: 'eu-west-1', role: undefined, allowedAccountIds: [], ...inputs },
    idTokens,
    clock: { now, random: () => 0, sleep: () => Promise.resolve() },
    runner: {
      mask: (secret) => masked.push(secret),
      // oxlint-disable-next-line require-await -- a throw of `token` has to become a rejection
      idToken: async (audience) => {
        audiences.push(audience);
        return token();
      },
    },
  });
  return { account, masked, audiences };
}

const failure = async (...args: Parameters<typeof open>) =>
  explain(
    await open(...args)
      .account.identity()
      .catch((error: unknown) => error),
  );

test('default chain: who we are, asked once, keys masked', async () => {
  const { account, masked } = open();
  const asked = aws.requests.length;
  const identity = await account.identity();
  expect(identity).toEqual({
    account: '123456789012',
    arn: 'arn:aws:iam::123456789012:user/sandbox',
  });
  expect(await account.identity()).toBe(identity);
  expect(aws.requests.slice(asked).map(({ action }) => action)).toEqual(['sts:GetCallerIdentity']);
  expect(masked).toEqual([aws.credentials.accessKeyId, aws.credentials.secretAccessKey]);
});

test('a role by OIDC: one session for all, masked, its environment for a child', async () => {
  const { account, masked, audiences } = open({ role });
  const asked = aws.requests.length;
  await account.identity();
  const child = await account.childEnvironment();
  await Promise.all([account.credentials(), account.credentials()]);
  expect((await account.identity()).arn).toBe('arn:aws:sts::123456789012:assumed-role/ship/ship-7');
  expect(audiences).toEqual(['sts.amazonaws.com']);
  expect(aws.requests.slice(asked).map(({ action }) => action)).toEqual([
    'sts:AssumeRoleWithWebIdentity',
    'sts:GetCallerIdentity',
  ]);
  expect(child['AWS_ACCESS_KEY_ID']).toMatch(/^ASIA/);
  expect(masked).toEqual([
    child['AWS_ACCESS_KEY_ID'],
    child['AWS_SECRET_ACCESS_KEY'],
    child['AWS_SESSION_TOKEN'],
  ]);
});

test('a session is renewed five minutes before its end, with a fresh ID token', async () => {
  let ahead = 0;
  const { account, audiences } = open({ role }, { now: () => Date.now() + ahead });
  const first = await account.credentials();
  ahead = 54 * 60_000;
  expect(await account.credentials()).toEqual(first);
  ahead = 56 * 60_000;
  expect((await account.credentials()).accessKeyId).not.toBe(first.accessKeyId);
  expect(audiences.length).toBe(2);
});

test('a failed try is not kept', async () => {
  aws.sts.setProvider(false);
  const { account } = open({ role });
  await expect(account.identity()).rejects.toThrow('no OIDC provider');
  aws.sts.setProvider(true);
  expect((await account.identity()).account).toBe('123456789012');
});

test('allowed-account-ids keeps us out of other accounts', async () => {
  expect(await failure({ allowedAccountIds: ['111111111111', '222222222222'] })).toContain(
    'The credentials are of AWS account 123456789012, which `allowed-account-ids` (111111111111, 222222222222) leaves out. Nothing was done there.',
  );
  const { account } = open({ allowedAccountIds: ['123456789012'] });
  expect((await account.identity()).account).toBe('123456789012');
});

test('a trust policy that does not match: sub and aud are shown, a statement to paste, never the token', async () => {
  aws.sts.trust(roleArn, { sub: 'repo:acme/shop:environment:prod' });
  const token = idToken();
  const text = await failure({ role }, { token: () => token });
  expect(text).toContain("its trust policy does not accept this run's OIDC token");
  expect(text).toContain('token sub: repo:acme/shop:ref:refs/heads/main');
  expect(text).toContain('token aud: sts.amazonaws.com');
  expect(text).toContain(
    '"token.actions.githubusercontent.com:sub": "repo:acme/shop:ref:refs/heads/main"',
  );
  expect(text).toContain('Not authorized to perform sts:AssumeRoleWithWebIdentity');
  expect(text).not.toContain('immutable ids');
  expect(text).not.toContain(token);
  expect(text).not.toContain(token.split('.')[1]);
});

test('subjects with immutable ids are pointed out', async () => {
  aws.sts.trust(roleArn, { sub: 'repo:acme/shop:*' });
  const sub = 'repo:acme@123/shop@456:ref:refs/heads/main';
  expect(await failure({ role }, { token: () => idToken({ sub }) })).toContain('immutable ids');
});

test.for([
  [{ aud: 'https://github.com/acme' }, 'does not know audience https://github.com/acme'],
  [{ exp: 1_700_000_000 }, 'the OIDC token had expired already'],
] as const)('refused token %j', async ([claims, says]) => {
  expect(await failure({ role }, { token: () => idToken(claims) })).toContain(says);
});

test('a session that is too long', async () => {
  aws.sts.trust(roleArn, { sub: '*', maxSessionSeconds: 3600 });
  expect(await failure({ role: { ...role, durationSeconds: 7200 } })).toContain(
    'Lower `role-duration-seconds`',
  );
});

test('no OIDC provider in the account', async () => {
  aws.sts.setProvider(false);
  expect(await failure({ role })).toContain(
    'Create an IAM identity provider for https://token.actions.githubusercontent.com with audience sts.amazonaws.com',
  );
});

test('an answer that is no role', async () => {
  aws.faults.next('sts:AssumeRoleWithWebIdentity', {
    status: 400,
    code: 'ValidationError',
    message: 'Request ARN is invalid',
  });
  expect(await failure({ role })).toContain('Check `role-to-assume`');
});

test('STS that can’t reach GitHub’s keys is asked again, with a fresh token', async () => {
  aws.faults.next('sts:AssumeRoleWithWebIdentity', {
    status: 400,
    code: 'InvalidIdentityToken',
    message:
      "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
    times: 2,
  });
  const { account, audiences } = open({ role });
  await account.identity();
  expect(audiences.length).toBe(3);
});

test('no OIDC token of GitHub’s', async () => {
  const text = await failure(
    { role },
    {
      token: () => {
        throw new Error('Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable');
      },
    },
  );
  expect(text).toContain('GitHub gave no OIDC token for audience sts.amazonaws.com');
});

test('without id-token permission, a role is assumed from the credentials that are there', async () => {
  const { account, audiences } = open({ role }, { idTokens: false });
  expect((await account.identity()).arn).toContain(':assumed-role/ship/');
  expect(audiences).toEqual([]);
});

test('that role may be denied', async () => {
  aws.faults.deny('sts:AssumeRole');
  const text = await failure({ role }, { idTokens: false });
  expect(text).toContain('permission sts:AssumeRole is missing');
  expect(text).toContain(`"Resource": "${roleArn}"`);
});

test('neither id-token permission nor credentials', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', '/nonexistent');
  const withRole = await failure({ role }, { idTokens: false });
  const without = await failure();
  for (const [name, value] of Object.entries(aws.env)) vi.stubEnv(name, value);
  expect(withRole).toContain('id-token: write');
  expect(without).toContain('there are no AWS credentials');
  expect(without).toContain('role-to-assume');
});

test('expired session credentials', async () => {
  const { account } = open({ role });
  await account.credentials();
  aws.expireSessions();
  const text = explain(await account.identity().catch((error: unknown) => error));
  expect(text).toContain('the AWS credentials have expired');
});

test('STS that does not answer', async () => {
  aws.faults.next('sts:GetCallerIdentity', { cut: true, times: 5 });
  expect(await failure()).toContain('no answer from AWS');
});
