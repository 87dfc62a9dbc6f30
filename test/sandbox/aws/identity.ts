import { randomBytes } from 'node:crypto';

export interface Identity {
  /** `arn:aws:iam::123456789012:user/sandbox`, `arn:aws:sts::…:assumed-role/ship/session`. */
  readonly arn: string;
  readonly account: string;
  expired: boolean;
}

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/** Who owns which access key. Signatures are not checked, only whose key signed. */
export interface Identities {
  issue(arn: string, account: string, session: boolean): Keys;
  /** The caller by the `Authorization` header. */
  of(headers: Readonly<Record<string, string>>): Identity | 'missing' | 'unknown';
  /** Every session credential issued so far is expired from now on. */
  expireSessions(): void;
}

export function createIdentities(): Identities {
  const known = new Map<string, Identity & { session: string | undefined }>();
  return {
    issue: (arn, account, session) => {
      const id = randomBytes(8).toString('hex').toUpperCase();
      const keys: Keys = {
        accessKeyId: `${session ? 'ASIA' : 'AKIA'}${id}`,
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: session ? randomBytes(120).toString('base64') : undefined,
      };
      known.set(keys.accessKeyId, { arn, account, expired: false, session: keys.sessionToken });
      return keys;
    },
    of: (headers) => {
      const credential = /Credential=([^/]+)\//.exec(headers['authorization'] ?? '')?.[1];
      if (credential === undefined) return 'missing';
      const identity = known.get(credential);
      if (identity === undefined) return 'unknown';
      return identity.session === headers['x-amz-security-token'] ? identity : 'unknown';
    },
    expireSessions: () => {
      for (const identity of known.values()) if (identity.session) identity.expired = true;
    },
  };
}
