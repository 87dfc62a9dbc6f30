import { ActionError, asError } from '../errors.ts';
import { explainAws } from './aws-errors.ts';

/** The claims of an OIDC token that a trust policy looks at. */
export interface TokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
}

/** Reads a token's public claims; undefined when it is none. The signature is AWS's business. */
export function tokenClaims(token: string): TokenClaims | undefined {
  try {
    const [, payload = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
      iss?: string;
      sub?: unknown;
      aud?: unknown;
    };
    const { iss = '', sub, aud } = claims;
    if (typeof sub !== 'string' || typeof aud !== 'string') return undefined;
    return { iss, sub, aud };
  } catch {
    // Not a JWT: there is nothing to show, and the caller has an error to report anyway.
    return undefined;
  }
}

/**
 * Why AssumeRoleWithWebIdentity failed, with the token's `sub` and `aud` (never the token) and what
 * the trust policy has to say. Repositories created since July 2026 have immutable ids in `sub`
 * (`repo:org@ID/repo@ID:…`), which trust policies written before don't match.
 */
export function explainWebIdentity(
  error: unknown,
  {
    role,
    token,
    region,
  }: { role: { arn: string; audience: string }; token: string; region: string },
): Error {
  const found = asError(error);
  const claims = tokenClaims(token);
  const fail = (what: string, hint: string) =>
    new ActionError(`Assuming role ${role.arn} failed: ${what}`, {
      cause: found,
      hint,
      block: [
        `AWS: ${found.name}: ${found.message}`,
        ...(claims === undefined ? [] : [`token sub: ${claims.sub}`, `token aud: ${claims.aud}`]),
      ].join('\n'),
    });
  const provider = (claims?.iss ?? '').replace(/^https:\/\//, '');

  if (/Not authorized to perform sts:AssumeRoleWithWebIdentity/i.test(found.message)) {
    return fail(
      "its trust policy does not accept this run's OIDC token (or there is no such role).",
      `Compare \`sub\` and \`aud\` with the role's trust policy. ${subjectNote(claims?.sub)}A statement that accepts this run:\n${trustStatement(role.arn, provider, claims)}`,
    );
  }
  if (/No OpenIDConnect provider found/i.test(found.message)) {
    return fail(
      "the account has no OIDC provider for GitHub's tokens.",
      `Create an IAM identity provider for ${claims?.iss} with audience ${role.audience} in the role's account.`,
    );
  }
  if (/audience/i.test(found.message)) {
    return fail(
      `the account's OIDC provider does not know audience ${claims?.aud ?? role.audience}.`,
      "Add the audience to the IAM identity provider, or set the input `audience` to one it has (AWS's usual one is sts.amazonaws.com).",
    );
  }
  if (/DurationSeconds/.test(found.message)) {
    return fail(
      'the session asked for is longer than the role allows.',
      "Lower `role-duration-seconds`, or raise the role's maximum session duration.",
    );
  }
  if (found.name === 'ValidationError') {
    return fail(
      'AWS did not understand the request.',
      'Check `role-to-assume` (arn:aws:iam::<account>:role/<name>) and `role-session-name`.',
    );
  }
  if (found.name === 'ExpiredTokenException') {
    return fail(
      'the OIDC token had expired already.',
      'The clock of this runner may be wrong, or it was suspended meanwhile. Run the job again.',
    );
  }
  return explainAws(error, { doing: `Assuming role ${role.arn}`, region });
}

function subjectNote(sub: string | undefined): string {
  return sub !== undefined && /^repo:[^:]*@\d+/.test(sub)
    ? 'The subject of this repository contains immutable ids (`@…`): a policy written without them no longer matches. '
    : '';
}

function trustStatement(arn: string, provider: string, claims: TokenClaims | undefined): string {
  const [, partition = 'aws', , , account = '<account>'] = arn.split(':');
  return JSON.stringify(
    {
      Effect: 'Allow',
      Principal: { Federated: `arn:${partition}:iam::${account}:oidc-provider/${provider}` },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: { [`${provider}:aud`]: claims?.aud, [`${provider}:sub`]: claims?.sub },
      },
    },
    undefined,
    2,
  );
}
