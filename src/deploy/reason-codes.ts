import type { Situation } from './errors.ts';
import { imageAccessHint } from './image-errors.ts';
import { statement } from './permissions.ts';

interface Reason {
  readonly what: string;
  readonly todo: (at: Situation) => string;
}

const network = 'Look at the subnets and security groups of the function.';
const storage = "Look at the function's file system: mount target, security groups, access point.";
const key = (action: string) => () =>
  `Look at the KMS key of the function. Its role needs:\n${statement([action], ['KEY-ARN'])}`;
const image =
  'Run the image locally (`docker run`) and look at ENTRYPOINT, CMD and WORKDIR; the container also runs as another user and read-only except /tmp on Lambda.';
const again = 'A passing trouble of AWS as a rule: run again.';
const capacity =
  'Ask for more in Service Quotas, or look at the capacity provider; then run again.';

/**
 * All reason codes of `StateReasonCode` and `LastUpdateStatusReasonCode` in the service model of
 * Lambda (API 2015-03-31, November 2026).
 */
export const reasonCodes: Readonly<Record<string, Reason | undefined>> = {
  ImageAccessDenied: { what: 'Lambda may not read the image from ECR', todo: imageAccessHint },
  ImageDeleted: {
    what: 'the image is no longer in its repository',
    todo: () =>
      'Run again to push it anew, and look at the lifecycle policy: deployed images must be kept.',
  },
  InvalidImage: {
    what: 'Lambda cannot use the image',
    todo: () =>
      'Build it with gzip layers for the architecture of the function, smaller than 10 GiB uncompressed; Lambda says above what is wrong.',
  },
  'FunctionError.InitTimeout': {
    what: 'the code did not finish its initialisation in time',
    todo: () =>
      'Do less at import time, or give the function more memory (CPU comes with it); look at its log.',
  },
  'FunctionError.RuntimeInitError': {
    what: 'the code failed while it was initialised',
    todo: () =>
      'Look at the log of the function: an import that fails or a missing variable, as a rule.',
  },
  'FunctionError.ExtensionInitError': {
    what: 'an extension in the image failed to start',
    todo: () => "Look at the function's log, and at what is in /opt/extensions of the image.",
  },
  'FunctionError.InvalidEntryPoint': {
    what: 'the ENTRYPOINT of the image cannot be started',
    todo: () =>
      `The program is missing, not executable, or for another architecture (exec format error). ${image}`,
  },
  'FunctionError.InvalidWorkingDirectory': {
    what: 'the working directory of the image does not exist',
    todo: () => image,
  },
  'FunctionError.PermissionDenied': {
    what: 'a file that the image starts may not be read or executed',
    todo: () => `chmod it in the Dockerfile (\`COPY --chmod=755\`). ${image}`,
  },
  'FunctionError.TooManyExtensions': {
    what: 'the image has more extensions than Lambda starts (10)',
    todo: () => 'Remove some from /opt/extensions.',
  },
  'FunctionError.InitResourceExhausted': {
    what: 'the initialisation used up memory, files or processes',
    todo: () => 'Give the function more memory, or do less at import time.',
  },
  FunctionError: { what: 'the code of the function failed', todo: () => 'Look at its log.' },
  DependencyError: { what: 'a service that Lambda depends on failed', todo: () => again },
  InternalError: { what: 'an internal failure of Lambda', todo: () => again },
  InsufficientRolePermissions: {
    what: "the function's execution role lacks a permission",
    todo: () =>
      `In a VPC the execution role needs:\n${statement(
        [
          'ec2:CreateNetworkInterface',
          'ec2:DescribeNetworkInterfaces',
          'ec2:DeleteNetworkInterface',
        ],
        ['*'],
      )}`,
  },
  InvalidConfiguration: {
    what: "the function's configuration is not valid",
    todo: () => 'This action never changes it: correct it where it is kept.',
  },
  InvalidRuntime: {
    what: 'the runtime of the function is not valid',
    todo: () => "Correct it in the function's configuration.",
  },
  InvalidZipFileException: {
    what: 'the zip file of the function cannot be unpacked',
    todo: () => 'This action deploys images: look who else deploys to this function.',
  },
  InvalidSubnet: { what: 'a subnet of the function does not exist', todo: () => network },
  InvalidSecurityGroup: {
    what: 'a security group of the function does not exist',
    todo: () => network,
  },
  SubnetOutOfIPAddresses: {
    what: 'a subnet of the function has no free address',
    todo: () => network,
  },
  EniLimitExceeded: { what: 'no network interface is left for the VPC', todo: () => capacity },
  EC2RequestLimitExceeded: { what: 'EC2 throttled Lambda', todo: () => again },
  DisallowedByVpcEncryptionControl: {
    what: 'the encryption control of the VPC does not allow the function',
    todo: () => 'Look at the VPC encryption controls.',
  },
  KMSKeyAccessDenied: { what: 'the KMS key may not be used', todo: key('kms:Decrypt') },
  KMSKeyNotFound: { what: 'the KMS key does not exist', todo: key('kms:Decrypt') },
  InvalidStateKMSKey: { what: 'the KMS key is in no usable state', todo: key('kms:DescribeKey') },
  DisabledKMSKey: { what: 'the KMS key is disabled', todo: key('kms:DescribeKey') },
  EFSIOError: { what: 'reading from the file system failed', todo: () => storage },
  EFSMountConnectivityError: {
    what: 'the file system cannot be reached over the network',
    todo: () => storage,
  },
  EFSMountFailure: { what: 'the file system could not be mounted', todo: () => storage },
  EFSMountTimeout: { what: 'mounting the file system took too long', todo: () => storage },
  ServiceQuotaExceededException: { what: 'a quota is used up', todo: () => capacity },
  VcpuLimitExceeded: { what: 'the limit of vCPUs is reached', todo: () => capacity },
  CapacityProviderScalingLimitExceeded: {
    what: 'the capacity provider may not grow further',
    todo: () => capacity,
  },
  InsufficientCapacity: { what: 'AWS has no free capacity at the moment', todo: () => capacity },
  Idle: {
    what: 'the function was idle and gave its resources back',
    todo: () => 'An update or an invocation wakes it.',
  },
  Creating: { what: 'it is still being created', todo: () => 'Raise `lambda-timeout`.' },
  Restoring: { what: 'it is being woken after a pause', todo: () => 'Raise `lambda-timeout`.' },
  DrainingDurableExecutions: {
    what: 'durable executions of the function are still being finished',
    todo: () => 'Raise `lambda-timeout`, or run again later.',
  },
};
