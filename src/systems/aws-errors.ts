import { ActionError, asError } from '../errors.ts';

/** What was tried, for the message and for the permission that was needed. */
export interface Attempt {
  /** Start of the message, as a thing that failed: `Reading ECR repository "app"`. */
  readonly doing: string;
  /** IAM action, where AWS's answer does not name it: `ecr:BatchGetImage`. */
  readonly action?: string | undefined;
  /** ARN for the statement in the hint. */
  readonly resource?: string | undefined;
  readonly region?: string | undefined;
}

/** Who was denied what, as IAM words it. */
export interface Denial {
  readonly caller: string | undefined;
  readonly action: string;
  readonly resource: string | undefined;
  /** Where the missing allow or the deny is: `identity-based policy`, `permissions boundary`, … */
  readonly policy: string | undefined;
  readonly explicit: boolean;
}

const denialForm =
  /(?:User: (?<caller>\S+) is )?not authorized to perform:? (?<action>[\w-]+:\w+)(?: on resource: "?(?<resource>[^\s"]+)"?)?(?: because no (?<missing>.+?) allows the)?(?: with an explicit deny in an? (?<denying>[\w -]*(?:policy|boundary)))?/i;

/**
 * Reads IAM's denial out of any text: an API error, or what `docker push` printed.
 * The form: "User: … is not authorized to perform: A on resource: R because no identity-based
 * policy allows the A action" (AWS, IAM user guide, "Troubleshoot access denied error messages").
 */
export function parseDenial(text: string): Denial | undefined {
  const groups = denialForm.exec(text)?.groups;
  const action = groups?.['action'];
  if (groups === undefined || action === undefined) return undefined;
  return {
    caller: groups['caller'],
    action,
    resource: groups['resource'],
    policy: groups['missing'] ?? groups['denying'],
    explicit: groups['denying'] !== undefined,
  };
}

/** A statement to paste into a policy, as indented JSON. */
export function iamStatement(actions: readonly string[], resource: string): string {
  return JSON.stringify({ Effect: 'Allow', Action: actions, Resource: resource }, undefined, 2);
}

/**
 * Which policy to change and how, for a denial.
 *
 * @param needed actions of the same kind that are needed as well: one statement for all of them.
 */
export function permissionHint(
  denial: Denial,
  needed: readonly string[] = [denial.action],
): string {
  const who = denial.caller === undefined ? 'the caller' : principal(denial.caller);
  if (denial.explicit) {
    return `An explicit deny in ${article(denial.policy ?? 'policy')} forbids ${denial.action} for ${who}: no allow can override it, so that deny has to go.`;
  }
  const resource = denial.resource ?? '*';
  if (denial.policy?.startsWith('resource') === true) {
    const arn = denial.caller === undefined ? '<ARN of the caller>' : roleArn(denial.caller);
    const statement = JSON.stringify(
      { Effect: 'Allow', Principal: { AWS: arn }, Action: [denial.action] },
      undefined,
      2,
    );
    return `${who} is of another account, so the policy of the resource itself (${resource}) has to allow it. Add there:\n${statement}`;
  }
  const policy = denial.policy ?? 'identity-based policy';
  if (!policy.startsWith('identity')) {
    return `The ${policy} of ${who} leaves ${denial.action} out: it has to allow it, besides the identity-based policy. Statement:\n${iamStatement(needed, resource)}`;
  }
  return `Add this statement to a policy of ${who}:\n${iamStatement(needed, resource)}`;
}

/** Whether `error` is AWS's error of one of these names. */
export function isAwsError(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/** HTTP status of an SDK error, if AWS answered at all. */
export function statusOf(error: unknown): number | undefined {
  const status = metadataOf(error)?.httpStatusCode;
  return typeof status === 'number' ? status : undefined;
}

/** How often the SDK sent the request that ended in `error`. */
export function attemptsOf(error: unknown): number {
  return metadataOf(error)?.attempts ?? 1;
}

/**
 * An SDK error in words that a person can act on. Passed on as they are: our own errors, and an
 * abort by the caller's signal.
 */
export function explainAws(error: unknown, attempt: Attempt): Error {
  const found = asError(error);
  if (found instanceof ActionError || found.name === 'AbortError') return found;
  const known = rules.find((rule) => rule.matches(found));
  const { what, hint } = known?.explain(found, attempt) ?? {
    what: metadataOf(found) === undefined ? found.message : `AWS answered ${found.name}.`,
    hint: undefined,
  };
  return new ActionError(`${attempt.doing} failed: ${what}`, {
    cause: found,
    hint,
    block: ownWords(found),
  });
}

interface Rule {
  readonly matches: (error: Error) => boolean;
  readonly explain: (error: Error, attempt: Attempt) => { what: string; hint: string | undefined };
}

const named =
  (...names: string[]) =>
  (error: Error) =>
    names.includes(error.name);

// The first that matches explains; the order goes from what is certain to what is likely.
const rules: readonly Rule[] = [
  {
    matches: named(
      'ExpiredToken',
      'ExpiredTokenException',
      'RequestExpired',
      'TokenRefreshRequired',
    ),
    explain: () => ({
      what: 'the AWS credentials have expired.',
      hint: 'Set `role-to-assume`, so that this action renews credentials by itself, or let the earlier step that provides them ask for a longer session.',
    }),
  },
  {
    matches: named(
      'UnrecognizedClientException',
      'InvalidClientTokenId',
      'InvalidAccessKeyId',
      'MissingAuthenticationToken',
      'MissingAuthenticationTokenException',
    ),
    explain: () => ({
      what: 'AWS does not know these credentials.',
      hint: 'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (temporary keys, ASIA…, need all three), or set `role-to-assume`. A Region that the account has not enabled answers like this as well.',
    }),
  },
  {
    matches: named(
      'SignatureDoesNotMatch',
      'InvalidSignatureException',
      'IncompleteSignature',
      'RequestTimeTooSkewed',
    ),
    explain: () => ({
      what: 'AWS refused the signature.',
      hint: 'Either the secret key does not belong to the access key (a stray space or line break in the secret?), or the clock of this runner is wrong by more than five minutes.',
    }),
  },
  {
    matches: (error) => parseDenial(error.message) !== undefined,
    explain: (error, attempt) => {
      const denial = parseDenial(error.message);
      const action = denial?.action ?? attempt.action ?? '';
      return {
        what: `permission ${action} is missing.`,
        hint:
          denial && permissionHint({ ...denial, resource: denial.resource ?? attempt.resource }),
      };
    },
  },
  {
    matches: (error) =>
      named('AccessDenied', 'AccessDeniedException', 'Forbidden')(error) || statusOf(error) === 403,
    explain: (error, attempt) => ({
      what:
        attempt.action === undefined
          ? 'AWS denied access.'
          : `AWS denied access; it needs ${attempt.action}.`,
      hint:
        attempt.action === undefined
          ? undefined
          : permissionHint({
              caller: undefined,
              action: attempt.action,
              resource: attempt.resource,
              policy: undefined,
              explicit: /explicit deny/.test(error.message),
            }),
    }),
  },
  {
    matches: (error) =>
      /^Throttl|^TooManyRequests|^RequestLimitExceeded$|^RequestThrottled|^SlowDown$|^ProvisionedThroughput/.test(
        error.name,
      ) || statusOf(error) === 429,
    explain: (error) => ({
      what: `AWS throttled the requests of this account, ${tries(error)}.`,
      hint: 'Run the job again. If it happens often, many jobs share one quota: ask AWS for a higher one (Service Quotas).',
    }),
  },
  {
    matches: named('CredentialsProviderError', 'ProviderError', 'TokenProviderError'),
    explain: () => ({
      what: 'there are no AWS credentials.',
      hint: 'Set `role-to-assume` (with `permissions: id-token: write` for the job), or provide credentials by an earlier step, or by the role of a self-hosted runner.',
    }),
  },
  {
    matches: (error) =>
      named(
        'AuthorizationHeaderMalformed',
        'PermanentRedirect',
        'IllegalLocationConstraintException',
        'RegionDisabledException',
        'OptInRequired',
      )(error) || /Region is missing|Invalid region/i.test(error.message),
    explain: (error, attempt) => {
      const expected = /expecting '([\w-]+)'/.exec(error.message)?.[1];
      return {
        what: `the Region is wrong${attempt.region === undefined ? '' : ` (${attempt.region})`}.`,
        hint:
          expected === undefined
            ? 'Check `aws-region`, and that the account has this Region enabled.'
            : `It is in ${expected}: set the Region to that.`,
      };
    },
  },
  {
    matches: (error) => networkCode(error) === 'ENOTFOUND',
    explain: (_error, { region }) => ({
      what: `its host name is unknown${region === undefined ? '' : ` (Region ${region})`}.`,
      hint: 'Check the spelling of `aws-region`, and that this runner can resolve public names (DNS, proxy, VPC endpoint).',
    }),
  },
  {
    matches: (error) => error.name === 'TimeoutError' || networkCode(error) !== undefined,
    explain: (error) => ({
      what: `no answer from AWS (${networkCode(error) ?? 'timeout'}), ${tries(error)}.`,
      hint: 'Run the job again. If it stays so, look at the way from this runner to AWS: proxy, firewall, VPC endpoint, security group.',
    }),
  },
  {
    matches: (error) => (statusOf(error) ?? 0) >= 500,
    explain: (error) => ({
      what: `AWS answered ${statusOf(error)}, ${tries(error)}.`,
      hint: 'Run the job again; see the AWS Health Dashboard if it stays so.',
    }),
  },
];

interface Metadata {
  readonly httpStatusCode?: number;
  readonly attempts?: number;
  readonly requestId?: string;
}

function metadataOf(error: unknown): Metadata | undefined {
  return (error as { $metadata?: Metadata } | undefined)?.$metadata;
}

function tries(error: Error): string {
  const count = attemptsOf(error);
  return count === 1 ? 'at the only try' : `${count} times in a row`;
}

/** AWS's name, text and request id on one line; the id is what AWS Support asks for. */
function ownWords(error: Error): string {
  const metadata = metadataOf(error);
  const id = metadata?.requestId === undefined ? '' : ` (request ${metadata.requestId})`;
  const status = metadata?.httpStatusCode === undefined ? '' : ` ${metadata.httpStatusCode}`;
  const who = metadata === undefined ? '' : `AWS:${status} `;
  return `${who}${error.name}: ${error.message || 'no text'}${id}`;
}

function networkCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    const code: unknown = (at as { code?: unknown }).code;
    if (
      typeof code === 'string' &&
      /^(E(CONN\w+|TIMEDOUT|AI_AGAIN|NOTFOUND|PIPE|PROTO|HOSTUNREACH|NETUNREACH)|ERR_SSL\w*|CERT_\w+|DEPTH_ZERO\w*|UND_ERR\w*|\w+_CERT\w*)$/.test(
        code,
      )
    ) {
      return code;
    }
  }
  return undefined;
}

/** `role ship` for a session of an assumed role, else the ARN. */
function principal(caller: string): string {
  const role = /:assumed-role\/([^/]+)\//.exec(caller)?.[1];
  return role === undefined ? caller : `role ${role}`;
}

/** The role's ARN for a session's, as a resource policy names it (the role's path is unknown). */
function roleArn(caller: string): string {
  return caller.replace(
    /^(arn:[\w-]+):sts::(\d+):assumed-role\/([^/]+)\/.*$/,
    '$1:iam::$2:role/$3',
  );
}

function article(noun: string): string {
  return `${/^[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}
