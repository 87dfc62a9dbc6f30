import { expect, test } from 'vitest';
import { ActionError, explain } from '../../src/errors.ts';
import { explainAws, parseDenial, permissionHint } from '../../src/systems/aws-errors.ts';

const repository = 'arn:aws:ecr:eu-west-1:123456789012:repository/app';
const caller = 'arn:aws:sts::123456789012:assumed-role/ship/GitHubActions';

function sdkError(
  name: string,
  message: string,
  metadata: object = { httpStatusCode: 400 },
): Error {
  return Object.assign(new Error(message), { name, $metadata: { attempts: 1, ...metadata } });
}

const explained = (error: Error) =>
  explain(
    explainAws(error, {
      doing: 'The thing',
      action: 'ecr:PutImage',
      resource: repository,
      region: 'eu-west-1',
    }),
  );

test.for([
  [
    `User: ${caller} is not authorized to perform: ecr:PutImage on resource: ${repository} because no identity-based policy allows the ecr:PutImage action`,
    {
      caller,
      action: 'ecr:PutImage',
      resource: repository,
      policy: 'identity-based policy',
      explicit: false,
    },
  ],
  [
    `denied: User: ${caller} is not authorized to perform: ecr:InitiateLayerUpload on resource: ${repository} because no resource-based policy allows the ecr:InitiateLayerUpload action`,
    {
      caller,
      action: 'ecr:InitiateLayerUpload',
      resource: repository,
      policy: 'resource-based policy',
      explicit: false,
    },
  ],
  [
    `User: ${caller} is not authorized to perform: ecr:PutImage on resource: ${repository} with an explicit deny in a service control policy`,
    {
      caller,
      action: 'ecr:PutImage',
      resource: repository,
      policy: 'service control policy',
      explicit: true,
    },
  ],
  [
    `User: ${caller} is not authorized to perform: ecr:PutImage on resource: ${repository} with an explicit deny in an identity-based policy: arn:aws:iam::1:policy/x`,
    {
      caller,
      action: 'ecr:PutImage',
      resource: repository,
      policy: 'identity-based policy',
      explicit: true,
    },
  ],
  [
    `User: ${caller} is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/k" because no session policy allows the s3:PutObject action`,
    {
      caller,
      action: 's3:PutObject',
      resource: 'arn:aws:s3:::b/k',
      policy: 'session policy',
      explicit: false,
    },
  ],
  [
    `User: ${caller} is not authorized to perform: lambda:UpdateFunctionCode on resource: arn:aws:lambda:eu-west-1:1:function:f because no permissions boundary allows the lambda:UpdateFunctionCode action`,
    {
      caller,
      action: 'lambda:UpdateFunctionCode',
      resource: 'arn:aws:lambda:eu-west-1:1:function:f',
      policy: 'permissions boundary',
      explicit: false,
    },
  ],
  [
    'User: arn:aws:iam::1:root is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:us-west-2:2:repository/x',
    {
      caller: 'arn:aws:iam::1:root',
      action: 'ecr:InitiateLayerUpload',
      resource: 'arn:aws:ecr:us-west-2:2:repository/x',
      policy: undefined,
      explicit: false,
    },
  ],
  [
    'Not authorized to perform sts:AssumeRoleWithWebIdentity',
    {
      caller: undefined,
      action: 'sts:AssumeRoleWithWebIdentity',
      resource: undefined,
      policy: undefined,
      explicit: false,
    },
  ],
] as const)('denial: %s', ([text, denial]) => {
  expect(parseDenial(text)).toEqual(denial);
});

test.for(['AccessDenied', 'the repository is immutable', '403 Forbidden', ''])(
  'no denial in %j',
  (text) => {
    expect(parseDenial(text)).toBeUndefined();
  },
);

const denial = { caller, action: 'ecr:PutImage', resource: repository, explicit: false };

test('hint: the identity’s policy', () => {
  expect(permissionHint({ ...denial, policy: 'identity-based policy' })).toMatchInlineSnapshot(`
    "Add this statement to a policy of role ship:
    {
      "Effect": "Allow",
      "Action": [
        "ecr:PutImage"
      ],
      "Resource": "arn:aws:ecr:eu-west-1:123456789012:repository/app"
    }"
  `);
});

test('hint: the resource’s policy', () => {
  expect(permissionHint({ ...denial, policy: 'resource-based policy' })).toMatchInlineSnapshot(`
    "role ship is of another account, so the policy of the resource itself (arn:aws:ecr:eu-west-1:123456789012:repository/app) has to allow it. Add there:
    {
      "Effect": "Allow",
      "Principal": {
        "AWS": "arn:aws:iam::123456789012:role/ship"
      },
      "Action": [
        "ecr:PutImage"
      ]
    }"
  `);
});

test('hint: a boundary, and an explicit deny', () => {
  expect(permissionHint({ ...denial, policy: 'permissions boundary' })).toContain(
    'The permissions boundary of role ship leaves ecr:PutImage out',
  );
  expect(permissionHint({ ...denial, explicit: true, policy: 'service control policy' })).toBe(
    'An explicit deny in a service control policy forbids ecr:PutImage for role ship: no allow can override it, so that deny has to go.',
  );
});

test.for([
  [
    'ExpiredTokenException',
    'The security token included in the request is expired',
    'credentials have expired',
  ],
  ['ExpiredToken', 'The provided token has expired.', 'credentials have expired'],
  [
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
    'does not know these credentials',
  ],
  [
    'InvalidClientTokenId',
    'The security token included in the request is invalid.',
    'does not know these credentials',
  ],
  [
    'InvalidAccessKeyId',
    'The AWS Access Key Id you provided does not exist in our records.',
    'does not know these credentials',
  ],
  [
    'InvalidSignatureException',
    'Signature expired: 20261101T000000Z is now earlier than …',
    'refused the signature',
  ],
  [
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match …',
    'refused the signature',
  ],
  ['AccessDeniedException', 'Access Denied', 'AWS denied access; it needs ecr:PutImage.'],
  ['ThrottlingException', 'Rate exceeded', 'throttled'],
  ['TooManyRequestsException', 'Rate exceeded', 'throttled'],
  [
    'CredentialsProviderError',
    'Could not load credentials from any providers',
    'there are no AWS credentials',
  ],
  [
    'AuthorizationHeaderMalformed',
    "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
    'It is in eu-central-1',
  ],
  [
    'RegionDisabledException',
    'STS is not activated in this region for account:123456789012.',
    'the Region is wrong (eu-west-1)',
  ],
  ['KmsException', 'The key is disabled', 'AWS answered KmsException.'],
] as const)('%s', ([name, message, says]) => {
  const text = explained(sdkError(name, message));
  expect(text).toContain('The thing failed: ');
  expect(text).toContain(says);
  expect(text).toContain(`${name}: ${message}`);
});

test('throttled and failed servers say how often it was tried', () => {
  expect(explained(sdkError('SlowDown', 'x', { httpStatusCode: 503, attempts: 5 }))).toContain(
    'throttled the requests of this account, 5 times in a row',
  );
  const server = sdkError('ServerException', 'x', {
    httpStatusCode: 500,
    attempts: 3,
    requestId: 'r-1',
  });
  expect(explained(server)).toContain('AWS answered 500, 3 times in a row');
  expect(explained(server)).toContain('AWS: 500 ServerException: x (request r-1)');
});

test.for([
  ['ENOTFOUND', 'its host name is unknown (Region eu-west-1)'],
  ['ECONNREFUSED', 'no answer from AWS (ECONNREFUSED)'],
  ['ECONNRESET', 'no answer from AWS (ECONNRESET)'],
  ['ETIMEDOUT', 'no answer from AWS (ETIMEDOUT)'],
  ['CERT_HAS_EXPIRED', 'no answer from AWS (CERT_HAS_EXPIRED)'],
] as const)('network: %s', ([code, says]) => {
  const cause = Object.assign(new Error(code), { code });
  expect(explained(new Error('request failed', { cause }))).toContain(says);
  expect(explained(cause)).toContain(says);
});

test('a timeout of the SDK is a failure, not a cancel', () => {
  const error = explainAws(sdkError('TimeoutError', 'took too long', {}), { doing: 'The thing' });
  expect(error).toBeInstanceOf(ActionError);
  expect(error.message).toContain('no answer from AWS (timeout)');
});

test('a cancel and our own errors pass as they are', () => {
  const abort = Object.assign(new Error('Request aborted'), { name: 'AbortError' });
  expect(explainAws(abort, { doing: 'x' })).toBe(abort);
  const own = new ActionError('own');
  expect(explainAws(own, { doing: 'x' })).toBe(own);
});

test('an error of no known kind keeps its words', () => {
  expect(explained(new TypeError('x is not a function'))).toContain(
    'The thing failed: x is not a function',
  );
});
