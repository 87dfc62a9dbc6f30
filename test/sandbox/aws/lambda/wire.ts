import type { ServiceResponse } from '../service.ts';
import type { Revision, StoredAlias, StoredFunction } from './functions.ts';
import { Refusal } from './source-image.ts';

/** Body of a request; each call uses its part. */
export interface Input {
  readonly ImageUri?: string;
  readonly Architectures?: readonly string[];
  readonly DryRun?: boolean;
  readonly RevisionId?: string;
  readonly CodeSha256?: string;
  readonly Description?: string;
  readonly Name?: string;
  readonly FunctionVersion?: string;
  readonly RoutingConfig?: { readonly AdditionalVersionWeights?: Record<string, number> };
}

/** Calls by method and what follows the function's name in the path. */
export const operations: Record<string, Operation | undefined> = {
  'GET ': 'GetFunction',
  'PUT code': 'UpdateFunctionCode',
  'POST versions': 'PublishVersion',
  'GET aliases/': 'GetAlias',
  'POST aliases': 'CreateAlias',
  'PUT aliases/': 'UpdateAlias',
  'POST invocations': 'Invoke',
};
export type Operation =
  | 'GetFunction'
  | 'UpdateFunctionCode'
  | 'PublishVersion'
  | 'GetAlias'
  | 'CreateAlias'
  | 'UpdateAlias'
  | 'Invoke';

export function checkRevision(input: Input, revisionId: string): void {
  const given = input.RevisionId;
  if (given !== undefined && given !== revisionId) {
    throw new Refusal(
      412,
      'PreconditionFailedException',
      'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
    );
  }
}

export function inProgress(fn: StoredFunction): Refusal {
  return new Refusal(
    409,
    'ResourceConflictException',
    `The operation cannot be performed at this time. An update is in progress for resource: ${fn.arn}`,
  );
}

export function configuration(fn: StoredFunction, revision: Revision): Record<string, unknown> {
  const qualified = revision.version === '$LATEST' ? fn.arn : `${fn.arn}:${revision.version}`;
  return {
    ...fn.configuration,
    FunctionName: fn.name,
    FunctionArn: qualified,
    Version: revision.version,
    Description: revision.description,
    PackageType: fn.packageType,
    Architectures: [revision.code?.architecture ?? 'x86_64'],
    CodeSha256: revision.code?.codeSha256 ?? '',
    Timeout: fn.timeout / 1000,
    RevisionId: revision.revisionId,
    State: revision.state,
    StateReason: revision.stateReason,
    StateReasonCode: revision.stateReasonCode,
    LastUpdateStatus: revision.lastUpdateStatus,
    LastUpdateStatusReason: revision.lastUpdateStatusReason,
    LastUpdateStatusReasonCode: revision.lastUpdateStatusReasonCode,
  };
}

export function aliasView(fn: StoredFunction, alias: StoredAlias): Record<string, unknown> {
  const settling = alias.settlingReads > 0;
  if (settling) alias.settlingReads -= 1;
  const weights = settling ? alias.settlingWeights : alias.weights;
  return {
    AliasArn: `${fn.arn}:${alias.name}`,
    Name: alias.name,
    FunctionVersion: alias.version,
    Description: alias.description,
    RevisionId: alias.revisionId,
    ...(Object.keys(weights).length === 0
      ? {}
      : { RoutingConfig: { AdditionalVersionWeights: weights } }),
  };
}

export function json(status: number, value: unknown): ServiceResponse {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  };
}

export function errorForm(status: number, code: string, message: string): ServiceResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': code },
    body: JSON.stringify({ Type: status < 500 ? 'User' : 'Service', message }),
  };
}
