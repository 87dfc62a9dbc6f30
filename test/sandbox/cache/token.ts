import { createHmac } from 'node:crypto';

/** Permission bits inside a runtime token: 1 read, 2 write. */
export interface Scope {
  readonly Scope: string;
  readonly Permission: number;
}

/** What the run may do with caches. A branch writes its own scope and reads the default branch's too. */
export interface Grant {
  /** `refs/heads/feature`, `refs/pull/7/merge`. */
  readonly ref: string;
  /** Default `refs/heads/main`. */
  readonly defaultRef?: string;
  /** Base branch of a pull request: readable too. */
  readonly baseRef?: string;
  /** False: every scope is read-only, as for events GitHub doesn't trust. */
  readonly write?: boolean;
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT signed with `secret` (HS256). */
export function signJwt(payload: Readonly<Record<string, unknown>>, secret: string): string {
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(payload)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

/** The payload, or undefined when the signature is another's or the time is over. */
export function readJwt(token: string, secret: string): Record<string, unknown> | undefined {
  const [head, body, signature] = token.split('.');
  if (head === undefined || body === undefined || signature === undefined) return undefined;
  const right = createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url');
  if (signature !== right) return undefined;
  const payload = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as Record<
    string,
    unknown
  >;
  return Number(payload['exp']) * 1000 < Date.now() ? undefined : payload;
}

/** ACTIONS_RUNTIME_TOKEN: `ac` is a JSON string inside the JSON, as GitHub writes it. */
export function runtimeToken(grant: Grant, secret: string): string {
  const mine = grant.write === false ? 1 : 3;
  const scopes: Scope[] = [{ Scope: grant.ref, Permission: mine }];
  for (const ref of [grant.baseRef, grant.defaultRef ?? 'refs/heads/main']) {
    if (ref !== undefined && !scopes.some((scope) => scope.Scope === ref)) {
      scopes.push({ Scope: ref, Permission: 1 });
    }
  }
  const now = Math.floor(Date.now() / 1000);
  return signJwt(
    {
      nbf: now - 60,
      exp: now + 6 * 3600,
      iss: 'https://token.actions.githubusercontent.com',
      scp: 'Actions.Results:1:2',
      ac: JSON.stringify(scopes),
    },
    secret,
  );
}

export function scopesOf(payload: Readonly<Record<string, unknown>>): readonly Scope[] {
  const text = payload['ac'];
  return typeof text === 'string' ? (JSON.parse(text) as Scope[]) : [];
}
