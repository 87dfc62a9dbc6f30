import {
  LastUpdateStatusReasonCode,
  StateReasonCode,
  type LastUpdateStatusReasonCode as Code,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reasonCodes } from '../../src/deploy/reason-codes.ts';
import { failure, openLambdaWorld, type LambdaWorld } from './kit.ts';

let world: LambdaWorld;
let names = 0;
beforeAll(async () => {
  world = await openLambdaWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A function of its own for each case. */
async function create() {
  names += 1;
  const name = `fn${String.fromCharCode(96 + Math.ceil(names / 26))}${String.fromCharCode(97 + (names % 26))}`;
  const fn = await world.standIn.create(name, { image: world.uri(await world.push()) });
  return { name, fn };
}

interface RefusedCase {
  name: string;
  /** Which call is refused, and how AWS answers. */
  action: string;
  status: number;
  code: string;
  message: string;
  /** The explained error says all of these. */
  says: readonly string[];
}

const digest = `sha256:${'a'.repeat(64)}`;
const image = `123456789012.dkr.ecr.eu-west-1.amazonaws.com/app@${digest}`;
const invalid = { status: 400, code: 'InvalidParameterValueException' };
const denied = { status: 403, code: 'AccessDeniedException' };

// Every row of the error texts that Lambda answers with at once (API and exception names: service
// model of Lambda; texts: AWS's own).
const refused: readonly RefusedCase[] = [
  {
    name: 'media type',
    action: 'UpdateFunctionCode',
    ...invalid,
    message: `The image manifest, config or layer media type for the source image ${image} is not supported.`,
    says: [
      'single images only',
      'media type application/vnd.oci.image.manifest.v1+json',
      'force-compression=true',
    ],
  },
  {
    name: 'missing image',
    action: 'UpdateFunctionCode',
    ...invalid,
    message: `Source image ${image} does not exist. Provide a valid source image.`,
    says: ["Lambda can't find the image sha256:", 'lifecycle rule', 'Run again'],
  },
  {
    name: 'malformed or foreign image URI',
    action: 'UpdateFunctionCode',
    ...invalid,
    message: `Source image ${image} is not valid. Provide a valid source image.`,
    says: ["doesn't take the image's address", 'Region (eu-west-1)', 'not a FIPS one'],
  },
  {
    name: 'no access to the ECR image',
    action: 'UpdateFunctionCode',
    ...denied,
    message: 'Lambda does not have permission to access the ECR image. Check the ECR permissions.',
    says: [
      'Lambda may not read the image from ECR',
      '"ecr:GetRepositoryPolicy"',
      '"ecr:SetRepositoryPolicy"',
      '"ecr:BatchGetImage"',
      '"Service": "lambda.amazonaws.com"',
      '"arn:aws:iam::123456789012:root"',
    ],
  },
  {
    name: 'too large',
    action: 'UpdateFunctionCode',
    ...invalid,
    message:
      'InvalidImage(SizeLimitExceeded: Uncompressed container image size exceeds 10 GiB limit)',
    says: ['10 GiB uncompressed over all layers', 'multi-stage build'],
  },
  {
    name: 'layer content',
    action: 'UpdateFunctionCode',
    ...invalid,
    message: `InvalidImage: ImageLayerFailure: UnsupportedImageLayerDetected - Layer Digest ${digest}`,
    says: ["can't unpack a layer", digest, 'compression=gzip'],
  },
  {
    name: 'package type Zip',
    action: 'UpdateFunctionCode',
    ...invalid,
    message: "Please don't provide ImageUri when updating a function with packageType Zip.",
    says: ['package type Zip, which is fixed', 'Create a new function'],
  },
  {
    name: 'deleted image',
    action: 'InvokeFunction',
    status: 502,
    code: 'CodeArtifactUserFailedException',
    message: 'The function is trying to use a deleted image.',
    says: ['was removed from its repository', 'Deploying an image that exists cures it'],
  },
  {
    name: 'denied by the identity policy',
    action: 'UpdateFunctionCode',
    ...denied,
    message:
      'User: arn:aws:sts::123456789012:assumed-role/ship/run is not authorized to perform: lambda:UpdateFunctionCode on resource: arn:aws:lambda:eu-west-1:123456789012:function:x because no identity-based policy allows the lambda:UpdateFunctionCode action',
    says: [
      'permission lambda:UpdateFunctionCode is missing',
      'Add to the policy of the role that this run uses',
      '"Effect": "Allow"',
      '"lambda:UpdateFunctionCode"',
      ':*"',
    ],
  },
  {
    name: 'denied by the resource policy',
    action: 'PublishVersion',
    ...denied,
    message:
      'User: arn:aws:sts::999999999999:assumed-role/ship/run is not authorized to perform: lambda:PublishVersion on resource: arn:aws:lambda:eu-west-1:123456789012:function:x because no resource-based policy allows the lambda:PublishVersion action',
    says: ["Add to the function's resource policy", '"lambda:PublishVersion"'],
  },
  {
    name: 'denied explicitly',
    action: 'GetAlias',
    ...denied,
    message:
      'User: arn:aws:sts::123456789012:assumed-role/ship/run is not authorized to perform: lambda:GetAlias on resource: arn:aws:lambda:eu-west-1:123456789012:function:x:live with an explicit deny in an identity-based policy',
    says: ['An explicit deny in the identity-based policy forbids it', '"lambda:GetAlias"'],
  },
  {
    name: 'function missing',
    action: 'GetFunction',
    status: 404,
    code: 'ResourceNotFoundException',
    message: 'Function not found: arn:aws:lambda:eu-west-1:123456789012:function:x',
    says: ['no such function in Region eu-west-1', 'package type Image', 'aws-region'],
  },
  {
    name: 'update in progress for ever',
    action: 'UpdateFunctionCode',
    status: 409,
    code: 'ResourceConflictException',
    message:
      'The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:eu-west-1:123456789012:function:x',
    says: ['in progress and did not end in time', 'who else changes this function'],
  },
  {
    name: 'revision mismatch for ever',
    action: 'UpdateFunctionCode',
    status: 412,
    code: 'PreconditionFailedException',
    message:
      'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
    says: ['somebody else kept changing the function', 'one workflow alone'],
  },
  {
    name: 'payload that is no JSON',
    action: 'InvokeFunction',
    status: 400,
    code: 'InvalidRequestContentException',
    message: 'Could not parse request body into json: Unexpected character',
    says: ["doesn't take the smoke invocation's payload", '`lambda-invoke` must be JSON'],
  },
  {
    name: 'limit',
    action: 'CreateAlias',
    status: 400,
    code: 'AliasLimitExceededException',
    message: 'Number of aliases exceeds 100',
    says: ['a limit of the account is reached (AliasLimitExceededException)', 'Service Quotas'],
  },
  {
    name: 'expired credentials',
    action: 'GetFunction',
    status: 403,
    code: 'ExpiredTokenException',
    message: 'The security token included in the request is expired',
    says: ['credentials have expired', 'role-to-assume'],
  },
  {
    name: 'what no row knows',
    action: 'PublishVersion',
    status: 400,
    code: 'PublicPolicyException',
    message: 'Something nobody has seen',
    says: ['PublishVersion failed', 'PublicPolicyException', 'Something nobody has seen'],
  },
];

describe('what AWS answers at once', () => {
  test.each(refused)('$name', async ({ action, status, code, message, says }) => {
    const { name } = await create();
    world.aws.faults.next(`lambda:${action}`, { status, code, message, times: 99 });
    const text = await failure(world.ship(await world.push(), `${name}:live`, { invoke: '{}' }));
    world.aws.faults.clear();
    for (const words of says) expect(text).toContain(words);
    // AWS's own words are always there, for search engines and for support.
    expect(text).toContain(message);
    expect(text).toContain(`${name}:live`);
  });

  test('throttled to the end', async () => {
    const { name } = await create();
    world.standIn.invoker = () => Promise.resolve({ payload: '{}', log: '' });
    world.aws.faults.next('lambda:InvokeFunction', {
      status: 429,
      code: 'TooManyRequestsException',
      message: 'Rate Exceeded.',
      times: 99,
    });
    const text = await failure(world.ship(await world.push(), name, { invoke: '{}' }));
    world.aws.faults.clear();
    expect(text).toContain('Lambda throttled Invoke, several tries in a row');
    expect(text).toContain('reserved concurrency');
  });

  test('the statement is for this function and its versions', async () => {
    const { name } = await create();
    world.aws.faults.deny('lambda:PublishVersion');
    const text = await failure(world.ship(await world.push(), `${name}:live`));
    world.aws.faults.clear();
    const arn = `arn:aws:lambda:eu-west-1:123456789012:function:${name}`;
    const json = /\{\n\s+"Effect"[\s\S]*?\n\s*\}/.exec(text)?.[0] ?? '';
    expect(JSON.parse(json)).toEqual({
      Effect: 'Allow',
      Action: [
        'lambda:GetFunction',
        'lambda:UpdateFunctionCode',
        'lambda:PublishVersion',
        'lambda:GetAlias',
        'lambda:CreateAlias',
        'lambda:UpdateAlias',
        'lambda:InvokeFunction',
      ],
      Resource: [arn, `${arn}:*`],
    });
  });
});

describe('what Lambda tells later', () => {
  test('every reason code of the service model has a row', () => {
    const model = new Set([
      ...Object.values(LastUpdateStatusReasonCode),
      ...Object.values(StateReasonCode),
    ]);
    expect([...model].filter((code) => reasonCodes[code] === undefined)).toEqual([]);
    expect(Object.keys(reasonCodes).filter((code) => !model.has(code as Code))).toEqual([]);
  });

  test.each(Object.values(LastUpdateStatusReasonCode))('update failed: %s', async (code) => {
    const { name, fn } = await create();
    fn.nextUpdates.push({ polls: 0, failed: { code, reason: `AWS's words on ${code}` } });
    const next = await world.push();
    const text = await failure(world.ship(next, `${name}:live`, { rollback: false }));
    expect(text).toContain(`${name}:live: Lambda accepted the update and then failed to apply it`);
    expect(text).toContain(`(${code}): ${reasonCodes[code]?.what}.`);
    expect(text).toContain(`Lambda says: AWS's words on ${code}`);
    expect(text).toContain(`LastUpdateStatus Failed (${code})`);
    expect(text).toContain(`image ${world.uri(next)}`);
    expect(text).toContain('function architecture x86_64');
    expect(text).toContain('→ ');
  });

  test('a version that fails instead of becoming Active', async () => {
    const { name, fn } = await create();
    fn.nextVersions.push({
      failed: { code: 'FunctionError.InitTimeout', reason: 'Init took too long' },
    });
    const text = await failure(world.ship(await world.push(), `${name}:live`));
    expect(text).toContain('version 1 failed to become Active (FunctionError.InitTimeout)');
    expect(text).toContain('Do less at import time');
    expect(fn.aliases.size).toBe(0);
  });

  test.each([
    [
      'InvalidImage(SizeLimitExceeded: Uncompressed container image size exceeds 10 GiB limit)',
      '10 GiB uncompressed',
    ],
    [
      `The image manifest, config or layer media type for the source image ${image} is not supported.`,
      'single images only',
    ],
    [
      `InvalidImage: ImageLayerFailure: UnsupportedImageLayerDetected - Layer Digest ${digest}`,
      "can't unpack a layer",
    ],
    ['The function is trying to use a deleted image.', 'was removed from its repository'],
  ])('InvalidImage with the text "%s"', async (reason, says) => {
    const { name, fn } = await create();
    fn.nextUpdates.push({ failed: { code: 'InvalidImage', reason } });
    const text = await failure(world.ship(await world.push(), name));
    expect(text).toContain(says);
    expect(text).toContain(reason);
    expect(text).toContain('LastUpdateStatus Failed (InvalidImage)');
  });
});
