import { ActionError, asError } from '../errors.ts';
import { explainAws, parseDenial } from '../systems/aws-errors.ts';
import type { FunctionView } from '../systems/lambda.ts';
import { imageRows } from './image-errors.ts';
import { functionResources, deployActions, statement } from './permissions.ts';
import { reasonCodes } from './reason-codes.ts';

/** What was being done when AWS refused, and what is known of the parts. */
export interface Situation {
  /** `GetFunction`, `UpdateFunctionCode`, …: the API call. */
  readonly action: string;
  /** `app:live` */
  readonly label: string;
  readonly region?: string | undefined;
  /** Account of the credentials. */
  readonly account?: string | undefined;
  /** Account in the function's ARN as the user wrote it. */
  readonly functionAccount?: string | undefined;
  readonly view?: FunctionView | undefined;
  readonly imageUri?: string | undefined;
  readonly mediaType?: string | undefined;
  /** Of the image's config. */
  readonly imageArchitecture?: string | undefined;
}

/** A failed AWS call, or a reason Lambda gives in a function's status. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
}

/** One row of the table: when it fits, and what to tell. */
export interface Row {
  readonly row: string;
  readonly fits: (failure: Failure) => boolean;
  readonly tell: (failure: Failure, at: Situation) => { message: string; hint: string };
}

export function failureOf(error: unknown): Failure {
  const { name, message } = asError(error);
  const metadata = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata;
  return { name, message, status: metadata?.httpStatusCode };
}

export const isRevisionMismatch = (error: unknown): boolean =>
  failureOf(error).name === 'PreconditionFailedException' ||
  // PublishVersion's own form of it: $LATEST holds other code than the one that was read.
  /CodeSHA256 .* is different from current CodeSHA256/i.test(failureOf(error).message);
export const isConflict = (error: unknown): boolean =>
  failureOf(error).name === 'ResourceConflictException';
export const isThrottled = (error: unknown): boolean =>
  failureOf(error).name === 'TooManyRequestsException' || failureOf(error).status === 429;
export const isMissingImage = (error: unknown): boolean =>
  /source image .* does not exist/i.test(failureOf(error).message);

/** Facts that help at night, in one line; only those that are known. */
export function found(at: Situation): string {
  const { view } = at;
  const parts = [
    at.imageUri === undefined ? undefined : `image ${at.imageUri}`,
    at.mediaType === undefined ? undefined : `media type ${at.mediaType}`,
    at.imageArchitecture === undefined ? undefined : `image architecture ${at.imageArchitecture}`,
    view === undefined ? undefined : `function architecture ${view.architecture}`,
    at.region === undefined ? undefined : `Region ${at.region}`,
    view === undefined
      ? undefined
      : `State ${view.state}${code(view.stateReasonCode)}, LastUpdateStatus ${view.lastUpdateStatus}${code(view.lastUpdateStatusReasonCode)}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : ` Found: ${parts.join(', ')}.`;
}

function code(reason: string | undefined): string {
  return reason === undefined ? '' : ` (${reason})`;
}

/**
 * Lambda's refusal as one message: what happened, what was found, what to do. Rows follow AWS's own
 * exception names and texts; what no row knows is passed on in AWS's words.
 *
 * @returns the error itself when it is an abort or was explained before.
 */
export function explainLambda(error: unknown, at: Situation): Error {
  const failure = failureOf(error);
  if (failure.name === 'AbortError' || error instanceof ActionError) return asError(error);
  const row = rows.find(({ fits }) => fits(failure));
  if (row === undefined) {
    return explainAws(error, {
      doing: `${at.label}: ${at.action}`,
      action: `lambda:${at.action}`,
      resource: at.view?.arn,
      region: at.region,
    });
  }
  const { message, hint } = row.tell(failure, at);
  const end = /[.!?]$/.test(message) ? '' : '.';
  return new ActionError(`${at.label}: ${message}${end}${found(at)}`, { cause: error, hint });
}

/**
 * Why a function or version is `Failed`, from its status and reason code.
 *
 * @param which whether the update (`LastUpdateStatus`) or the function itself (`State`) failed.
 */
export function explainState(which: 'update' | 'state', view: FunctionView, at: Situation): Error {
  const [reason, reasonCode] =
    which === 'update'
      ? [view.lastUpdateStatusReason, view.lastUpdateStatusReasonCode]
      : [view.stateReason, view.stateReasonCode];
  const known: Situation = { ...at, view };
  const failure: Failure = { name: '', message: reason ?? '', status: undefined };
  const what =
    which === 'update'
      ? 'Lambda accepted the update and then failed to apply it'
      : `version ${view.version} failed to become Active`;
  const words = reason === undefined ? '' : ` Lambda says: ${reason}`;
  const row = imageRows.find(({ fits }) => fits(failure));
  if (row !== undefined) {
    const { message, hint } = row.tell(failure, known);
    return new ActionError(`${at.label}: ${what}. ${message}${found(known)}`, { hint });
  }
  const entry = reasonCodes[reasonCode ?? ''];
  return new ActionError(
    `${at.label}: ${what} (${reasonCode ?? 'no reason code'}): ${entry?.what ?? 'a reason this action does not know'}.${words}${found(known)}`,
    { hint: entry?.todo(known) ?? 'Look up the reason in the Lambda console.' },
  );
}

const rows: readonly Row[] = [
  ...imageRows,
  {
    row: 'not authorized',
    fits: ({ message }) => parseDenial(message)?.action.startsWith('lambda:') === true,
    tell: (failure, at) => {
      const denial = parseDenial(failure.message);
      const arn = at.view?.arn ?? denial?.resource ?? '*';
      const allow = statement(deployActions, arn === '*' ? ['*'] : functionResources(arn));
      const side = denial?.policy?.startsWith('resource') === true ? 'resource' : 'identity';
      return {
        message: `permission ${denial?.action ?? `lambda:${at.action}`} is missing. AWS says: ${failure.message}`,
        hint: `${
          denial?.explicit === true
            ? `An explicit deny in the ${denial.policy ?? 'policy'} forbids it: that has to go, for no allow overrides it. Besides it needs`
            : side === 'resource'
              ? "Add to the function's resource policy (with this run's role as Principal), or assume a role of the function's own account with"
              : 'Add to the policy of the role that this run uses'
        }:\n${allow}${accountNote(at)}`,
      };
    },
  },
  {
    row: 'function or version not found',
    fits: ({ name }) => name === 'ResourceNotFoundException',
    tell: (failure, at) => ({
      message: `there is no such function in Region ${at.region ?? '(unknown)'}. AWS says: ${failure.message}`,
      hint: `This action deploys to functions that exist: create it first with package type Image (any image will do), or correct \`lambda-functions\` or \`aws-region\`.${accountNote(at)}`,
    }),
  },
  {
    row: 'update in progress',
    fits: ({ name }) => name === 'ResourceConflictException',
    tell: (failure) => ({
      message: `another operation on the function is in progress and did not end in time. AWS says: ${failure.message}`,
      hint: 'See who else changes this function (another workflow, CloudFormation, Terraform); run again when it is done, or raise `lambda-timeout`.',
    }),
  },
  {
    row: 'revision mismatch',
    fits: ({ name }) => name === 'PreconditionFailedException',
    tell: (failure) => ({
      message: `somebody else kept changing the function while this run tried to. AWS says: ${failure.message}`,
      hint: 'Let one workflow alone deploy to this function, then run again.',
    }),
  },
  {
    row: 'throttled',
    fits: ({ name, status }) => name === 'TooManyRequestsException' || status === 429,
    tell: (failure, at) => ({
      message: `Lambda throttled ${at.action}, several tries in a row. AWS says: ${failure.message}`,
      hint:
        at.action === 'Invoke'
          ? "The function has no free concurrency for the smoke invocation: look at its reserved concurrency and the account's limit."
          : 'Too many calls to the Lambda API in this account and Region: run again a little later.',
    }),
  },
  {
    row: 'weights and provisioned concurrency',
    fits: ({ message }) => /weights.*provisioned concurrency/i.test(message),
    tell: (failure) => ({
      message: `the alias has provisioned concurrency, which can't be combined with weights. AWS says: ${failure.message}`,
      hint: 'Take `canary=…` off this line of `lambda-functions`, or the provisioned concurrency off the alias.',
    }),
  },
  {
    row: 'bad payload',
    fits: ({ name }) =>
      name === 'InvalidRequestContentException' || name === 'RequestTooLargeException',
    tell: (failure) => ({
      message: `Lambda doesn't take the smoke invocation's payload. AWS says: ${failure.message}`,
      hint: '`lambda-invoke` must be JSON of at most 6 MB.',
    }),
  },
  {
    row: 'limit of versions, aliases or code',
    fits: ({ name }) => /LimitExceeded|CodeStorageExceeded/.test(name),
    tell: (failure) => ({
      message: `a limit of the account is reached (${failure.name}). AWS says: ${failure.message}`,
      hint: 'Delete versions or aliases that nobody uses, or ask AWS for more (Service Quotas).',
    }),
  },
];

function accountNote(at: Situation): string {
  return at.functionAccount !== undefined &&
    at.account !== undefined &&
    at.functionAccount !== at.account
    ? `\nThe function is in account ${at.functionAccount}, the credentials are of account ${at.account}: assume a role in ${at.functionAccount}.`
    : '';
}
