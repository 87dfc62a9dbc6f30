import type { Credentials } from './registry-credentials.ts';
import { RegistryError } from './registry-error.ts';

/** What a registry asks for, from its `WWW-Authenticate` header. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads `Bearer realm="…",service="…",scope="…"` or `Basic realm="…"`; undefined: neither. */
export function readChallenge(header: string | null): Challenge | undefined {
  const found = /^\s*(basic|bearer)\b(.*)$/is.exec(header ?? '');
  if (found === null) return undefined;
  const parameters = new Map<string, string>();
  for (const each of (found[2] ?? '').matchAll(/([a-z_-]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))/gi)) {
    parameters.set((each[1] ?? '').toLowerCase(), each[2] ?? each[3] ?? '');
  }
  return { scheme: found[1]?.toLowerCase() === 'basic' ? 'basic' : 'bearer', parameters };
}

type Send = (
  url: string,
  init: RequestInit,
) => Promise<{ readonly status: number; readonly body: Buffer }>;

/**
 * The `Authorization` header that answers a challenge: basic, or a token for reading one repository.
 * Distribution project, "Token Authentication Specification" and its OAuth 2 form.
 *
 * @returns undefined when a login is asked for and there is none.
 * @throws RegistryError when the token service refuses.
 */
export async function authorize(
  challenge: Challenge,
  credentials: Credentials | undefined,
  place: { readonly host: string; readonly origin: string; readonly name: string },
  send: Send,
): Promise<string | undefined> {
  const login = credentials !== undefined && 'username' in credentials ? credentials : undefined;
  const basic =
    login === undefined
      ? undefined
      : `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
  if (challenge.scheme === 'basic') return basic;
  const realm = realmOf(challenge, place);
  const scope = challenge.parameters.get('scope') ?? `repository:${place.name}:pull`;
  const service = challenge.parameters.get('service') ?? '';
  const query = new URLSearchParams({ ...(service === '' ? {} : { service }), scope });
  const answer =
    credentials !== undefined && 'identityToken' in credentials
      ? await send(realm.href, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({
            ...Object.fromEntries(query),
            grant_type: 'refresh_token',
            client_id: 'ship-to-ecr',
            refresh_token: credentials.identityToken,
          }).toString(),
        })
      : await send(`${realm.href}${realm.search === '' ? '?' : '&'}${query.toString()}`, {
          headers: basic === undefined ? {} : { authorization: basic },
        });
  const token = answer.status === 200 ? tokenOf(answer.body.toString('utf8')) : undefined;
  if (token !== undefined) return `Bearer ${token}`;
  throw new RegistryError(
    `${realm.host} gives no token to read ${place.host}/${place.name} (${answer.status}).`,
    {
      code: answer.status === 429 ? 'THROTTLED' : 'DENIED',
      status: answer.status,
      hint: `Log in to ${place.host} before this step (docker/login-action), or check the login.`,
    },
  );
}

// Passwords go to the token service that the registry names: never in plain text to another machine.
function realmOf(challenge: Challenge, place: { readonly host: string; readonly origin: string }) {
  const text = challenge.parameters.get('realm') ?? '';
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  const safe =
    realm?.protocol === 'https:' ||
    (realm?.protocol === 'http:' && place.origin.startsWith('http:'));
  if (realm !== undefined && safe) return realm;
  throw new RegistryError(`${place.host} names "${text}" as its token service.`, {
    code: 'REFUSED',
  });
}

function tokenOf(body: string): string | undefined {
  try {
    const { token, access_token: access } = JSON.parse(body) as {
      token?: string;
      access_token?: string;
    };
    return token ?? access;
  } catch {
    // Said by the caller: no token came.
    return undefined;
  }
}
