import { proxyAgents } from './proxy.ts';

/** What every SDK client here shares. */
export interface ClientOptions {
  readonly region: string;
  readonly credentials: AwsCredentialsProvider;
}

/** Credentials as the SDK's clients take them. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

export type AwsCredentialsProvider = () => Promise<AwsCredentials>;

/**
 * Settings of an SDK client. The SDK's own default waits for an answer without end; a request that
 * has none after `requestTimeout` ms (default one minute) is tried again instead.
 */
export function clientConfig(
  { region, credentials }: ClientOptions,
  { requestTimeout = 60_000 }: { requestTimeout?: number } = {},
) {
  return {
    region,
    credentials: async () => {
      const { sessionToken, expiration, ...keys } = await credentials();
      return {
        ...keys,
        ...(sessionToken !== undefined && { sessionToken }),
        ...(expiration !== undefined && { expiration }),
      };
    },
    maxAttempts: 5,
    customUserAgent: 'ship-to-ecr',
    requestHandler: requestHandler(requestTimeout),
  };
}

/** How an SDK client sends its requests. The SDK's own agents know of no proxy. */
export function requestHandler(requestTimeout = 60_000) {
  return {
    connectionTimeout: 10_000,
    requestTimeout,
    throwOnRequestTimeout: true,
    ...proxyAgents(),
  };
}
