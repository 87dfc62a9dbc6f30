import type * as EcrSdk from '@aws-sdk/client-ecr';
import type { ECRClient } from '@aws-sdk/client-ecr';
import { clientConfig, type AwsCredentialsProvider } from './aws-clients.ts';
import { explainAws, isAwsError } from './aws-errors.ts';
import { noRepository } from './ecr-errors.ts';

export interface EcrOptions {
  readonly region: string;
  readonly credentials: AwsCredentialsProvider;
  /** Account of the registry when it is not the caller's own. */
  readonly registryId?: string | undefined;
  /** Host to log in to when the repository was given as a full URI; default: AWS's `proxyEndpoint`. */
  readonly registryHost?: string | undefined;
  /** Hides the login's password in the log. */
  readonly mask: (secret: string) => void;
  readonly notice: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What every call needs. */
export interface EcrConnection {
  readonly region: string;
  /** Goes into every request: the registry of another account. */
  readonly registry: { readonly registryId?: string };
  /** Goes with every request: the run's cancel. */
  readonly control: { readonly abortSignal?: AbortSignal };
  readonly connect: () => Promise<{ client: ECRClient; sdk: typeof EcrSdk }>;
  /** ARN of a repository, for messages. */
  readonly arn: (repository: string) => string;
  /** Runs one request about a repository; what it throws is explained, a missing repository included. */
  readonly ask: <T>(
    repository: string,
    what: { doing: string; action: string },
    work: (client: ECRClient, sdk: typeof EcrSdk) => Promise<T>,
  ) => Promise<T>;
}

/** The SDK is loaded at the first request, because loading it takes a while. */
export function openConnection(options: EcrOptions): EcrConnection {
  const { region, registryId } = options;
  let connected: ReturnType<EcrConnection['connect']> | undefined;
  const connect = () =>
    (connected ??= import('@aws-sdk/client-ecr').then((sdk) => ({
      sdk,
      client: new sdk.ECRClient(clientConfig(options)),
    })));
  const arn = (name: string) => `arn:aws:ecr:${region}:${registryId ?? '*'}:repository/${name}`;
  return {
    region,
    registry: registryId === undefined ? {} : { registryId },
    control: options.signal === undefined ? {} : { abortSignal: options.signal },
    connect,
    arn,
    ask: async (name, what, work) => {
      const { client, sdk } = await connect();
      try {
        return await work(client, sdk);
      } catch (error) {
        if (isAwsError(error, 'RepositoryNotFoundException')) {
          throw noRepository(name, region, error);
        }
        throw explainAws(error, { ...what, resource: arn(name), region });
      }
    },
  };
}
