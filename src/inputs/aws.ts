import type { RunContext } from '../context.ts';
import { isRegion } from '../image/reference.ts';
import type { AwsInputs, ImageInputs } from './inputs.ts';
import { show, type Reader } from './reader.ts';

/** AWS's own variables, which an earlier credentials step leaves behind, in the SDK's order. */
const regionVariables = ['AWS_REGION', 'AWS_DEFAULT_REGION'];

/**
 * @param repositoryRegion the Region that the repository's URI names, if it is one.
 */
export function readAws(
  reader: Reader,
  context: RunContext,
  repositoryRegion: string | undefined,
): AwsInputs {
  return {
    region: readRegion(reader, context, repositoryRegion),
    role: readRole(reader, context),
    allowedAccountIds: readAccounts(reader),
  };
}

/** The account is known before anything is asked when the role or the repository's URI names it. */
export function checkAccounts(reader: Reader, aws: AwsInputs, image: ImageInputs): void {
  const allowed = aws.allowedAccountIds;
  if (allowed.length === 0) return;
  const roleAccount = aws.role?.arn.split(':')[4];
  if (roleAccount !== undefined && !allowed.includes(roleAccount)) {
    reader.problem(
      'role-to-assume',
      `the role belongs to account ${roleAccount}, which is not in allowed-account-ids (${allowed.join(', ')})`,
    );
  }
  if (
    image.registryId !== undefined &&
    roleAccount === undefined &&
    !allowed.includes(image.registryId)
  ) {
    reader.warn(
      `The repository belongs to account ${image.registryId}, which is not in allowed-account-ids.`,
    );
  }
}

function readRegion(
  reader: Reader,
  context: RunContext,
  repositoryRegion: string | undefined,
): string {
  const asked = reader.text('aws-region');
  if (asked !== '' && !isRegion(asked)) {
    reader.problem(
      'aws-region',
      `${show(asked)} is no AWS Region`,
      /^[a-z-]+-\d+[a-z]$/.test(asked)
        ? `That is an availability zone; its Region: aws-region: ${asked.slice(0, -1)}`
        : 'Example: aws-region: eu-west-1',
    );
    return asked;
  }
  if (asked !== '' && repositoryRegion !== undefined && asked !== repositoryRegion) {
    reader.problem(
      'aws-region',
      `${show(asked)}, but the repository's URI lies in ${repositoryRegion}`,
      'Lambda takes images of its own Region only: leave aws-region out, or name the repository without its host.',
    );
  }
  const found =
    asked || repositoryRegion || regionVariables.map((name) => reader.env[name]).find(Boolean);
  if (found !== undefined) return found;
  // A fork's pull request sees neither secrets nor variables, and touches nothing of AWS.
  if (!context.fork) {
    reader.problem('aws-region', 'is missing', 'Example: aws-region: eu-west-1');
  }
  return '';
}

function readRole(reader: Reader, context: RunContext): AwsInputs['role'] {
  const arn = reader.text('role-to-assume');
  const sessionName = reader.text('role-session-name') || `ship-to-ecr-${context.runId}`;
  const audience = reader.text('audience');
  // AWS's limits of DurationSeconds: 15 minutes to 12 hours.
  const duration = reader.duration('role-duration-seconds', { min: '900s', max: '12h' });
  if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
    reader.problem(
      'role-session-name',
      `${show(sessionName)} is no session name (2 to 64 of letters, digits and _+=,.@-)`,
      `Example: role-session-name: ship-to-ecr`,
    );
  }
  if (/\s/.test(audience)) {
    reader.problem(
      'audience',
      `${show(audience)} has a space`,
      'Example: audience: sts.amazonaws.com',
    );
  }
  if (arn === '') return undefined;
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(arn)) {
    reader.problem(
      'role-to-assume',
      `${show(arn)} is no role's ARN`,
      'Example: role-to-assume: arn:aws:iam::123456789012:role/ship',
    );
  }
  return { arn, sessionName, durationSeconds: duration / 1000, audience };
}

function readAccounts(reader: Reader): readonly string[] {
  const accounts = reader.commas('allowed-account-ids');
  for (const account of accounts) {
    if (/^\d{12}$/.test(account)) continue;
    reader.problem(
      'allowed-account-ids',
      `${show(account)} is no account number (12 digits${/^\d{1,11}$/.test(account) ? '; quote it in YAML, leading zeros get lost' : ''})`,
      `Example: allowed-account-ids: '123456789012'`,
    );
  }
  return accounts;
}
