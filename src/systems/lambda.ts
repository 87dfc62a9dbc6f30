import type {
  AliasConfiguration,
  FunctionCodeLocation,
  FunctionConfiguration,
} from '@aws-sdk/client-lambda';
import { clientConfig, type ClientOptions } from './aws-clients.ts';

/** One look at a function (GetFunction), in our words. */
export interface FunctionView {
  readonly name: string;
  readonly arn: string;
  readonly packageType: string;
  /** `x86_64` or `arm64`. */
  readonly architecture: string;
  readonly state: string;
  readonly stateReason: string | undefined;
  readonly stateReasonCode: string | undefined;
  readonly lastUpdateStatus: string;
  readonly lastUpdateStatusReason: string | undefined;
  readonly lastUpdateStatusReasonCode: string | undefined;
  readonly revisionId: string;
  readonly codeSha256: string;
  /** `repo@sha256:…` */
  readonly resolvedImageUri: string | undefined;
  readonly imageUri: string | undefined;
  readonly version: string;
}

export interface AliasView {
  readonly version: string;
  readonly revisionId: string;
  /** Additional version → weight in [0, 1]. */
  readonly weights: Readonly<Record<string, number>>;
  readonly description: string;
}

export interface Invocation {
  /** Set when the function failed, although the HTTP status is 200. */
  readonly functionError: string | undefined;
  readonly payload: string;
  /** Last 4 kB of the log, decoded. */
  readonly logTail: string;
  readonly executedVersion: string;
}

/**
 * AWS Lambda. Errors are the SDK's own (their `name` decides; deploy/errors.ts explains them).
 * `RevisionId` is a real compare-and-set: PreconditionFailedException (412) on mismatch.
 */
export interface Lambda {
  getFunction(name: string, qualifier?: string): Promise<FunctionView>;
  updateCode(
    name: string,
    change: { imageUri: string; architecture: string; revisionId: string; dryRun: boolean },
  ): Promise<FunctionView>;
  publishVersion(
    name: string,
    expected: { codeSha256: string; revisionId: string; description: string },
  ): Promise<FunctionView>;
  /** Undefined: no such alias. */
  getAlias(name: string, alias: string): Promise<AliasView | undefined>;
  createAlias(
    name: string,
    alias: string,
    version: string,
    description: string,
  ): Promise<AliasView>;
  updateAlias(
    name: string,
    alias: string,
    change: {
      version: string;
      weights: Readonly<Record<string, number>>;
      revisionId: string;
      description: string;
    },
  ): Promise<AliasView>;
  /** One try, no retry of the SDK's. */
  invoke(name: string, qualifier: string, payload: string): Promise<Invocation>;
}

export interface LambdaConfig extends ClientOptions {
  /** Ends every request in flight. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to Lambda in one Region. The SDK is loaded at the first call.
 *
 * Throttling (TooManyRequestsException) and 5xx are retried by the SDK; a ResourceConflictException
 * (an update in progress) is not in its list, and invocations are never retried: a second one would
 * do a function's work twice.
 */
export function connectLambda(config: LambdaConfig): Lambda {
  let connected: ReturnType<typeof load> | undefined;
  const sdk = () => (connected ??= load(config));
  const options = config.signal === undefined ? {} : { abortSignal: config.signal };

  return {
    async getFunction(name, qualifier) {
      const { client, commands } = await sdk();
      const found = await client.send(
        new commands.GetFunctionCommand({ FunctionName: name, Qualifier: qualifier }),
        options,
      );
      return functionView(found.Configuration ?? {}, found.Code);
    },

    async updateCode(name, change) {
      const { client, commands } = await sdk();
      const updated = await client.send(
        new commands.UpdateFunctionCodeCommand({
          FunctionName: name,
          ImageUri: change.imageUri,
          // Left out, AWS would take x86_64 and change the architecture of an arm64 function.
          Architectures: [change.architecture === 'arm64' ? 'arm64' : 'x86_64'],
          RevisionId: change.revisionId,
          DryRun: change.dryRun,
          Publish: false,
        }),
        options,
      );
      return functionView(updated);
    },

    async publishVersion(name, expected) {
      const { client, commands } = await sdk();
      const published = await client.send(
        new commands.PublishVersionCommand({
          FunctionName: name,
          CodeSha256: expected.codeSha256,
          RevisionId: expected.revisionId,
          Description: expected.description,
        }),
        options,
      );
      return functionView(published);
    },

    async getAlias(name, alias) {
      const { client, commands } = await sdk();
      try {
        return aliasView(
          await client.send(
            new commands.GetAliasCommand({ FunctionName: name, Name: alias }),
            options,
          ),
        );
      } catch (error) {
        if (error instanceof commands.ResourceNotFoundException) return undefined;
        throw error;
      }
    },

    async createAlias(name, alias, version, description) {
      const { client, commands } = await sdk();
      const created = await client.send(
        new commands.CreateAliasCommand({
          FunctionName: name,
          Name: alias,
          FunctionVersion: version,
          Description: description,
        }),
        options,
      );
      return aliasView(created);
    },

    async updateAlias(name, alias, change) {
      const { client, commands } = await sdk();
      const updated = await client.send(
        new commands.UpdateAliasCommand({
          FunctionName: name,
          Name: alias,
          FunctionVersion: change.version,
          Description: change.description,
          RevisionId: change.revisionId,
          // Always sent: left out, weights of an earlier canary would stay in force.
          RoutingConfig: { AdditionalVersionWeights: { ...change.weights } },
        }),
        options,
      );
      return aliasView(updated);
    },

    async invoke(name, qualifier, payload) {
      const { invoker, commands } = await sdk();
      const result = await invoker.send(
        new commands.InvokeCommand({
          FunctionName: name,
          Qualifier: qualifier,
          InvocationType: 'RequestResponse',
          LogType: 'Tail',
          Payload: Buffer.from(payload),
        }),
        options,
      );
      return {
        functionError: result.FunctionError,
        payload: Buffer.from(result.Payload ?? []).toString(),
        logTail: Buffer.from(result.LogResult ?? '', 'base64').toString(),
        executedVersion: result.ExecutedVersion ?? '',
      };
    },
  };
}

/** The longest a function may run is 15 minutes; a little more for the way. */
const longestInvocation = 16 * 60_000;

async function load(config: LambdaConfig) {
  const commands = await import('@aws-sdk/client-lambda');
  return {
    commands,
    client: new commands.LambdaClient(clientConfig(config)),
    invoker: new commands.LambdaClient({
      ...clientConfig(config, { requestTimeout: longestInvocation }),
      maxAttempts: 1,
    }),
  };
}

function functionView(
  configuration: FunctionConfiguration,
  code?: FunctionCodeLocation,
): FunctionView {
  return {
    name: configuration.FunctionName ?? '',
    arn: configuration.FunctionArn ?? '',
    packageType: configuration.PackageType ?? 'Zip',
    architecture: configuration.Architectures?.[0] ?? 'x86_64',
    state: configuration.State ?? 'Active',
    stateReason: configuration.StateReason,
    stateReasonCode: configuration.StateReasonCode,
    lastUpdateStatus: configuration.LastUpdateStatus ?? 'Successful',
    lastUpdateStatusReason: configuration.LastUpdateStatusReason,
    lastUpdateStatusReasonCode: configuration.LastUpdateStatusReasonCode,
    revisionId: configuration.RevisionId ?? '',
    codeSha256: configuration.CodeSha256 ?? '',
    resolvedImageUri: code?.ResolvedImageUri,
    imageUri: code?.ImageUri,
    version: configuration.Version ?? '$LATEST',
  };
}

function aliasView(alias: AliasConfiguration): AliasView {
  return {
    version: alias.FunctionVersion ?? '',
    revisionId: alias.RevisionId ?? '',
    weights: { ...alias.RoutingConfig?.AdditionalVersionWeights },
    description: alias.Description ?? '',
  };
}
