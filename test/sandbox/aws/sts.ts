import type { Identities, Identity } from './identity.ts';
import { requestId } from './ecr.ts';
import type { AwsHost, ErrorForm, Service, ServiceRequest, ServiceResponse } from './service.ts';

/** Errors of AWS's query protocol. */
export const queryError: ErrorForm = (status, code, message) => ({
  status,
  headers: { 'content-type': 'text/xml' },
  body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${xml(message)}</Message></Error><RequestId>${requestId()}</RequestId></ErrorResponse>`,
});

export function xml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** What a role's trust policy asks of an OIDC token. */
export interface Trust {
  /** `*` stands for anything, as in StringLike. */
  readonly sub: string;
  readonly audience?: string;
  readonly maxSessionSeconds?: number;
}

export interface Sts {
  /** From now on the role can be assumed by such tokens only. Roles never mentioned trust any token. */
  trust(roleArn: string, trust: Trust): void;
  /** Without one, every web identity is refused (the account's OIDC provider is missing). */
  setProvider(present: boolean): void;
}

/** STS's query API: GetCallerIdentity, AssumeRole, AssumeRoleWithWebIdentity. */
export function createSts(
  host: AwsHost,
  options: { identities: Identities; caller: (request: ServiceRequest) => Identity },
): Service & Sts {
  const roles = new Map<string, Trust>();
  let provider = true;

  const answer = (action: string, result: string): ServiceResponse => ({
    status: 200,
    headers: { 'content-type': 'text/xml' },
    body: `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${result}</${action}Result><ResponseMetadata><RequestId>${requestId()}</RequestId></ResponseMetadata></${action}Response>`,
  });

  const assumed = (action: string, form: URLSearchParams): ServiceResponse => {
    const role = form.get('RoleArn') ?? '';
    const session = form.get('RoleSessionName') ?? '';
    const [, , , , account = host.account, name = ''] = role.split(':');
    const arn = `arn:aws:sts::${account}:assumed-role/${name.split('/').at(-1)}/${session}`;
    const keys = options.identities.issue(arn, account, true);
    const seconds = Number(form.get('DurationSeconds') ?? 3600);
    const expires = new Date(Date.now() + seconds * 1000).toISOString();
    return answer(
      action,
      `<Credentials><AccessKeyId>${keys.accessKeyId}</AccessKeyId><SecretAccessKey>${keys.secretAccessKey}</SecretAccessKey><SessionToken>${keys.sessionToken}</SessionToken><Expiration>${expires}</Expiration></Credentials><AssumedRoleUser><Arn>${arn}</Arn><AssumedRoleId>AROASANDBOX:${xml(session)}</AssumedRoleId></AssumedRoleUser>`,
    );
  };

  const withWebIdentity = (form: URLSearchParams): ServiceResponse => {
    const role = form.get('RoleArn') ?? '';
    const trust = roles.get(role);
    const claims = claimsOf(form.get('WebIdentityToken') ?? '');
    if (claims === undefined) {
      return queryError(
        400,
        'InvalidIdentityToken',
        'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
      );
    }
    if (!provider) {
      return queryError(
        400,
        'InvalidIdentityToken',
        `No OpenIDConnect provider found in your account for ${claims.iss}`,
      );
    }
    if (claims.exp * 1000 < Date.now()) {
      return queryError(
        400,
        'ExpiredTokenException',
        `Token expired: current date/time ${Math.floor(Date.now() / 1000)} must be before the expiration date/time ${claims.exp}`,
      );
    }
    if (claims.aud !== (trust?.audience ?? 'sts.amazonaws.com')) {
      return queryError(400, 'InvalidIdentityToken', 'Incorrect token audience');
    }
    if (trust !== undefined && !like(trust.sub, claims.sub)) {
      return queryError(
        403,
        'AccessDenied',
        'Not authorized to perform sts:AssumeRoleWithWebIdentity',
      );
    }
    if (Number(form.get('DurationSeconds') ?? 3600) > (trust?.maxSessionSeconds ?? 43_200)) {
      return queryError(
        400,
        'ValidationError',
        'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      );
    }
    return assumed('AssumeRoleWithWebIdentity', form);
  };

  return {
    name: 'sts',
    trust: (roleArn, trust) => {
      roles.set(roleArn, trust);
    },
    setProvider: (present) => {
      provider = present;
    },
    handles: ({ method, path, headers }) =>
      method === 'POST' &&
      path === '/' &&
      headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true,
    handle: (request) => {
      const form = new URLSearchParams(request.body.toString());
      const action = form.get('Action') ?? '';
      const call = {
        action: `sts:${action}`,
        resource: form.get('RoleArn') ?? '*',
        request,
        error: queryError,
      };
      return host.call(call, () => {
        if (action === 'AssumeRoleWithWebIdentity') return withWebIdentity(form);
        if (action === 'AssumeRole') return assumed(action, form);
        if (action !== 'GetCallerIdentity') {
          return queryError(400, 'InvalidAction', `Could not find operation ${action}`);
        }
        const { arn, account } = options.caller(request);
        return answer(
          action,
          `<Arn>${arn}</Arn><UserId>AIDASANDBOX</UserId><Account>${account}</Account>`,
        );
      });
    },
  };
}

interface Claims {
  iss: string;
  sub: string;
  aud: string;
  exp: number;
}

function claimsOf(token: string): Claims | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
}

function like(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}
