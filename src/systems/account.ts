import { ActionError, asError } from '../errors.ts';
import type { AwsInputs } from '../inputs/inputs.ts';
import { retry, systemClock, type Clock } from '../wait.ts';
import {
  clientConfig,
  requestHandler,
  type AwsCredentials,
  type AwsCredentialsProvider,
} from './aws-clients.ts';
import { explainAws, isAwsError } from './aws-errors.ts';
import { explainWebIdentity } from './web-identity.ts';
import type { Runner } from './runner.ts';

export interface CallerIdentity {
  /** Twelve digits. */
  readonly account: string;
  readonly arn: string;
}

/** The AWS account this run works in. Credentials stay in this process and are renewed in time. */
export interface Account {
  readonly region: string;
  /** For SDK clients. All share one session: a role is assumed once for all of them. */
  readonly credentials: AwsCredentialsProvider;
  /**
   * Who we are (GetCallerIdentity, asked once).
   * @throws ActionError without credentials, or for an account that `allowed-account-ids` leaves out.
   */
  identity(signal?: AbortSignal): Promise<CallerIdentity>;
  /** Variables for one child process that talks to AWS itself (BuildKit's S3 cache). Never exported. */
  childEnvironment(): Promise<Record<string, string>>;
}

export interface AccountOptions {
  readonly aws: AwsInputs;
  readonly runner: Pick<Runner, 'idToken' | 'mask'>;
  /** Whether GitHub offers OIDC tokens to this job (ACTIONS_ID_TOKEN_REQUEST_URL is set). */
  readonly idTokens: boolean;
  readonly clock?: Clock;
}

// The SDK renews five minutes before the end as well: a build that starts now may take that long.
const renewBefore = 5 * 60_000;

/**
 * Credentials by `role-to-assume` (OIDC, a fresh ID token each time), else by the SDK's default
 * chain: environment of an earlier step, ECS task role, instance profile. Where a role is asked for
 * and GitHub offers no ID token, the role is assumed from the default chain.
 * Nothing is sent before the first use.
 */
export function connectAccount(options: AccountOptions): Account {
  const { aws, runner, clock = systemClock } = options;
  const credentials = once(clock, async () => {
    const found = await obtain(options);
    // Masked here, where they come from; the key's id as well, as other actions do.
    for (const secret of [found.accessKeyId, found.secretAccessKey, found.sessionToken]) {
      if (secret !== undefined && secret !== '') runner.mask(secret);
    }
    return found;
  });
  let identity: Promise<CallerIdentity> | undefined;

  return {
    region: aws.region,
    credentials,
    identity: (signal) => {
      identity ??= whoAmI(aws, credentials, signal).catch((error: unknown) => {
        identity = undefined;
        throw error;
      });
      return identity;
    },
    childEnvironment: async () => {
      const { accessKeyId, secretAccessKey, sessionToken } = await credentials();
      return {
        AWS_REGION: aws.region,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        ...(sessionToken !== undefined && { AWS_SESSION_TOKEN: sessionToken }),
      };
    },
  };
}

async function whoAmI(
  aws: AwsInputs,
  credentials: AwsCredentialsProvider,
  signal: AbortSignal | undefined,
): Promise<CallerIdentity> {
  const { STSClient, GetCallerIdentityCommand } = await import('@aws-sdk/client-sts');
  const client = new STSClient(clientConfig({ region: aws.region, credentials }));
  const answer = await client
    .send(new GetCallerIdentityCommand({}), signal === undefined ? {} : { abortSignal: signal })
    .catch((error: unknown) => {
      throw explainAws(error, {
        doing: 'Asking AWS who we are',
        action: 'sts:GetCallerIdentity',
        region: aws.region,
      });
    });
  const { Account: account = '', Arn: arn = '' } = answer;
  const allowed = aws.allowedAccountIds;
  if (allowed.length > 0 && !allowed.includes(account)) {
    throw new ActionError(
      `The credentials are of AWS account ${account}, which \`allowed-account-ids\` (${allowed.join(', ')}) leaves out. Nothing was done there. Caller: ${arn}`,
      { hint: 'Use a role of an allowed account, or add the account to `allowed-account-ids`.' },
    );
  }
  return { account, arn };
}

async function obtain({ aws, runner, idTokens, clock }: AccountOptions): Promise<AwsCredentials> {
  const { fromNodeProviderChain, fromTemporaryCredentials, fromWebToken } =
    await import('@aws-sdk/credential-providers');
  const config = { region: aws.region, maxAttempts: 5, requestHandler: requestHandler() };
  const chain = fromNodeProviderChain({ clientConfig: config });
  const { role } = aws;
  if (role === undefined) {
    return await chain().catch((error: unknown) => {
      throw explainAws(error, { doing: 'Looking for AWS credentials', region: aws.region });
    });
  }

  if (!idTokens) {
    const base = await chain().catch((error: unknown) => {
      throw new ActionError(
        `Role ${role.arn} can't be assumed: GitHub offers this job no OIDC token, and there are no other AWS credentials.`,
        {
          cause: asError(error),
          hint: 'Give the job `permissions: { contents: read, id-token: write }` (with actions: read for `order: in-turn`). A pull request from a fork never gets an OIDC token.',
        },
      );
    });
    return await fromTemporaryCredentials({
      masterCredentials: base,
      clientConfig: config,
      params: {
        RoleArn: role.arn,
        RoleSessionName: role.sessionName,
        DurationSeconds: role.durationSeconds,
      },
    })().catch((error: unknown) => {
      throw explainAws(error, {
        doing: `Assuming role ${role.arn}`,
        action: 'sts:AssumeRole',
        resource: role.arn,
        region: aws.region,
      });
    });
  }

  return await retry(
    async () => {
      const token = await runner.idToken(role.audience).catch((error: unknown) => {
        throw new ActionError(
          `GitHub gave no OIDC token for audience ${role.audience}, which role ${role.arn} needs.`,
          {
            cause: asError(error),
            hint: 'Run the job again; the job needs `permissions: id-token: write`.',
          },
        );
      });
      const assume = fromWebToken({
        roleArn: role.arn,
        roleSessionName: role.sessionName,
        durationSeconds: role.durationSeconds,
        webIdentityToken: token,
        clientConfig: config,
      });
      return await assume().catch((error: unknown) => {
        throw retriable(error)
          ? error
          : explainWebIdentity(error, { role, token, region: aws.region });
      });
    },
    { tries: 4, clock, retryable: retriable },
  ).catch((error: unknown) => {
    throw explainAws(error, { doing: `Assuming role ${role.arn}`, region: aws.region });
  });
}

/** STS could not reach GitHub's key server: that passes by itself. */
function retriable(error: unknown): boolean {
  return (
    isAwsError(error, 'IDPCommunicationError', 'IDPCommunicationErrorException') ||
    (error instanceof Error && /retrieve verification key/.test(error.message))
  );
}

/** One credential for all callers, asked again shortly before it ends. */
function once(clock: Clock, ask: AwsCredentialsProvider): AwsCredentialsProvider {
  let current: Promise<AwsCredentials> | undefined;
  let until = Number.POSITIVE_INFINITY;
  return () => {
    if (current !== undefined && clock.now() < until) return current;
    until = Number.POSITIVE_INFINITY;
    const asked = ask().then(
      (found) => {
        if (found.expiration !== undefined) until = found.expiration.getTime() - renewBefore;
        return found;
      },
      (error: unknown) => {
        current = undefined;
        throw error;
      },
    );
    current = asked;
    return asked;
  };
}
