import type { AwsHost, Service, ServiceRequest, ServiceResponse } from '../service.ts';
import {
  look,
  newFunction,
  publish,
  setAlias,
  startUpdate,
  underWay,
  type Revision,
  type StoredAlias,
  type StoredFunction,
  type Timeline,
} from './functions.ts';
import { metricStatistics, metricsTarget } from './metrics.ts';
import { invalid, Refusal, resolveImage } from './source-image.ts';
import {
  aliasView,
  checkRevision,
  configuration,
  errorForm,
  inProgress,
  json,
  operations,
  type Input,
  type Operation,
} from './wire.ts';

export type { StoredFunction, Timeline } from './functions.ts';

/** What an invocation came to. */
export interface Answer {
  readonly functionError?: string | undefined;
  readonly payload: string;
  /** The whole log; the service cuts it. */
  readonly log: string;
}

/** Runs `image` once with `payload`. The real one is `runInDocker` (runtime.ts). */
export type Invoker = (run: {
  fn: StoredFunction;
  version: string;
  /** `docker run`'s reference, without login. */
  pullReference: string;
  payload: string;
}) => Promise<Answer>;

export interface LambdaStandIn extends Service {
  readonly functions: Map<string, StoredFunction>;
  /** Adds a function that runs `image` (a URI the host can look up; absent: a deleted one). */
  create(
    name: string,
    options?: {
      architecture?: 'x86_64' | 'arm64';
      packageType?: 'Image' | 'Zip';
      image?: string;
    },
  ): Promise<StoredFunction>;
  /** Somebody else deploys: accepted at once, settled by `timeline`. */
  deployFromOutside(name: string, image: string, timeline?: Timeline): Promise<void>;
  /**
   * Called once, just before the next call of `action` (`lambda:UpdateFunctionCode`) does its work;
   * with `functionName` the next one for that function. May throw a Refusal.
   */
  before(action: string, work: () => Promise<void> | void, functionName?: string): void;
  invoker: Invoker | undefined;
}

/**
 * AWS Lambda's control plane for container images, mounted on the AWS stand-in: function states that
 * take their time, revision ids, versions, weighted aliases, DryRun and AWS's words for refusals.
 */
export function createLambda(host: AwsHost, invoker?: Invoker): LambdaStandIn {
  const functions = new Map<string, StoredFunction>();
  const hooks: {
    action: string;
    work: () => Promise<void> | void;
    functionName: string | undefined;
  }[] = [];
  const arnOf = (name: string) => `arn:aws:lambda:${host.region}:${host.account}:function:${name}`;

  const standIn: LambdaStandIn = {
    name: 'lambda',
    functions,
    invoker,
    handles: ({ path, headers }) =>
      path.startsWith('/2015-03-31/functions') || headers['x-amz-target'] === metricsTarget,
    handle: async (request) => {
      if (request.headers['x-amz-target'] === metricsTarget) {
        return host.call(
          { action: 'cloudwatch:GetMetricStatistics', resource: '*', request, error: errorForm },
          () => metricStatistics(request, functions),
        );
      }
      return handle(request);
    },
    create: async (name, options = {}) => {
      const code =
        options.image === undefined
          ? undefined
          : (await resolveImage(host, options.image, options.architecture ?? 'x86_64')).code;
      const fn = newFunction(name, arnOf(name), {
        packageType: options.packageType,
        code: code ?? {
          imageUri: `${host.registryHost}/gone:1`,
          resolvedImageUri: `${host.registryHost}/gone@sha256:${'0'.repeat(64)}`,
          codeSha256: '0'.repeat(64),
          architecture: options.architecture ?? 'x86_64',
        },
      });
      functions.set(name, fn);
      return fn;
    },
    deployFromOutside: async (name, image, timeline = { polls: 0 }) => {
      const fn = find(name);
      const architecture = fn.latest.code?.architecture ?? 'x86_64';
      startUpdate(fn, (await resolveImage(host, image, architecture)).code, timeline);
    },
    before: (action, work, functionName) => {
      hooks.push({ action, work, functionName });
    },
  };

  function find(name: string): StoredFunction {
    const bare = /(?:^|:)function:([^:]+)/.exec(name)?.[1] ?? name;
    const account = /(?:^|:)(\d{12}):function:/.exec(name)?.[1] ?? host.account;
    if (account !== host.account) {
      const arn = `arn:aws:lambda:${host.region}:${account}:function:${bare}`;
      throw new Refusal(
        403,
        'AccessDeniedException',
        `User: arn:aws:iam::${host.account}:user/sandbox is not authorized to perform: lambda:GetFunction on resource: ${arn} because no resource-based policy allows the lambda:GetFunction action`,
      );
    }
    const fn = functions.get(bare);
    if (fn === undefined || (name.startsWith('arn:') && !name.startsWith(fn.arn))) {
      throw new Refusal(
        404,
        'ResourceNotFoundException',
        `Function not found: ${name.startsWith('arn:') ? name : arnOf(bare)}`,
      );
    }
    return fn;
  }

  function revision(fn: StoredFunction, qualifier: string | null): Revision {
    if (qualifier === null || qualifier === '$LATEST') return fn.latest;
    const version = fn.aliases.get(qualifier)?.version ?? qualifier;
    const found =
      version === '$LATEST' ? fn.latest : fn.versions.find((one) => one.version === version);
    if (found === undefined) {
      throw new Refusal(
        404,
        'ResourceNotFoundException',
        `Function not found: ${fn.arn}:${qualifier}`,
      );
    }
    return found;
  }

  async function handle(request: ServiceRequest): Promise<ServiceResponse> {
    const [, , , encoded = '', kind = '', last] = request.path.split('/');
    const name = encoded;
    const qualifier = request.query.get('Qualifier');
    const operation = operations[`${request.method} ${kind}${last === undefined ? '' : '/'}`];
    if (operation === undefined) return errorForm(404, 'UnknownOperationException', request.path);
    const action = `lambda:${operation}`;
    const resource = `${arnOf(/(?:^|:)function:([^:]+)/.exec(name)?.[1] ?? name)}${qualifier === null ? '' : `:${qualifier}`}`;
    return host.call(
      {
        action: action === 'lambda:Invoke' ? 'lambda:InvokeFunction' : action,
        resource,
        request,
        error: errorForm,
      },
      async () => {
        try {
          const body = request.body.toString();
          const fn = find(name);
          const at = hooks.findIndex(
            (hook) =>
              hook.action === action &&
              (hook.functionName === undefined || hook.functionName === fn.name),
          );
          if (at >= 0) await hooks.splice(at, 1)[0]?.work();
          if (operation === 'Invoke') return await invoke(fn, qualifier, body);
          const input = (body === '' ? {} : JSON.parse(body)) as Input;
          return await work[operation](fn, input, qualifier ?? last ?? null);
        } catch (error) {
          if (error instanceof Refusal) return errorForm(error.status, error.code, error.message);
          throw error;
        }
      },
    );
  }

  type Work = (
    fn: StoredFunction,
    input: Input,
    at: string | null,
  ) => Promise<ServiceResponse> | ServiceResponse;

  const work: Record<Exclude<Operation, 'Invoke'>, Work> = {
    GetFunction: (fn, _input, at) => {
      const found = look(revision(fn, at));
      return json(200, {
        Configuration: configuration(fn, found),
        Code: {
          RepositoryType: 'ECR',
          ImageUri: found.code?.imageUri,
          ResolvedImageUri: found.code?.resolvedImageUri,
        },
      });
    },

    UpdateFunctionCode: async (fn, input) => {
      checkRevision(input, fn.latest.revisionId);
      const uri = input.ImageUri ?? '';
      if (fn.packageType === 'Zip') {
        throw invalid(
          "Please don't provide ImageUri when updating a function with packageType Zip.",
        );
      }
      if (underWay(fn.latest)) throw inProgress(fn);
      const architectures = input.Architectures;
      const { code, timeline } = await resolveImage(host, uri, architectures?.[0] ?? 'x86_64');
      if (input.DryRun !== true) startUpdate(fn, code, fn.nextUpdates.shift() ?? timeline ?? {});
      return json(200, configuration(fn, fn.latest));
    },

    PublishVersion: (fn, input) => {
      checkRevision(input, fn.latest.revisionId);
      if (underWay(fn.latest)) throw inProgress(fn);
      const sha = input.CodeSha256;
      if (sha !== undefined && sha !== fn.latest.code?.codeSha256) {
        throw invalid(
          `CodeSHA256 (${sha}) is different from current CodeSHA256 in $LATEST (${fn.latest.code?.codeSha256 ?? ''}). Please try again with the CodeSHA256 in $LATEST.`,
        );
      }
      return json(201, configuration(fn, publish(fn, input.Description ?? '')));
    },

    GetAlias: (fn, _input, at) => json(200, aliasView(fn, aliasOf(fn, at ?? ''))),

    CreateAlias: (fn, input) => {
      const name = input.Name ?? '';
      if (fn.aliases.has(name)) {
        throw new Refusal(
          409,
          'ResourceConflictException',
          `Alias already exists: ${fn.arn}:${name}`,
        );
      }
      return json(201, aliasView(fn, changeAlias(fn, name, input, undefined)));
    },

    UpdateAlias: (fn, input, at) => {
      const alias = aliasOf(fn, at ?? '');
      checkRevision(input, alias.revisionId);
      return json(200, aliasView(fn, changeAlias(fn, alias.name, input, alias)));
    },
  };

  function aliasOf(fn: StoredFunction, name: string): StoredAlias {
    const alias = fn.aliases.get(name);
    if (alias === undefined) {
      throw new Refusal(
        404,
        'ResourceNotFoundException',
        `Cannot find alias arn: ${fn.arn}:${name}`,
      );
    }
    return alias;
  }

  function changeAlias(
    fn: StoredFunction,
    name: string,
    input: Input,
    before: StoredAlias | undefined,
  ): StoredAlias {
    const version = input.FunctionVersion ?? before?.version ?? '';
    revision(fn, version);
    const routing = input.RoutingConfig;
    const weights = routing?.AdditionalVersionWeights ?? before?.weights ?? {};
    if (Object.keys(weights).length > 1 || Object.hasOwn(weights, version)) {
      throw invalid('Invalid function versions in routing configuration');
    }
    if (version === '$LATEST' && Object.keys(weights).length > 0) {
      throw invalid('$LATEST is not supported for an alias pointing to more than 1 version');
    }
    if (fn.provisionedConcurrency && Object.keys(weights).length > 0) {
      throw invalid('Alias with weights can not be used with Provisioned Concurrency');
    }
    for (const other of Object.keys(weights)) revision(fn, other);
    return setAlias(fn, name, {
      version,
      weights,
      description: input.Description ?? before?.description ?? '',
    });
  }

  async function invoke(
    fn: StoredFunction,
    qualifier: string | null,
    payload: string,
  ): Promise<ServiceResponse> {
    const found = revision(fn, qualifier);
    if (found.state === 'Pending') {
      throw new Refusal(
        409,
        'ResourceConflictException',
        `The operation cannot be performed at this time. The function is currently in the following state: Pending`,
      );
    }
    const uri = found.code?.resolvedImageUri ?? '';
    const image = await host.image(uri);
    if (image === undefined) {
      throw new Refusal(
        502,
        'CodeArtifactUserFailedException',
        'The function is trying to use a deleted image.',
      );
    }
    if (standIn.invoker === undefined) throw new Error('no invoker: this stand-in runs no images');
    const answer = await standIn.invoker({
      fn,
      version: found.version,
      pullReference: image.pullReference,
      payload,
    });
    return {
      status: 200,
      headers: {
        'content-type': 'application/json',
        'x-amz-executed-version': found.version,
        'x-amz-log-result': Buffer.from(answer.log).subarray(-4096).toString('base64'),
        ...(answer.functionError === undefined
          ? {}
          : { 'x-amz-function-error': answer.functionError }),
      },
      body: answer.payload,
    };
  }

  return standIn;
}
