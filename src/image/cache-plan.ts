import { join } from 'node:path';
import type { RunContext } from '../context.ts';
import { ActionError } from '../errors.ts';
import type { CacheBackend, Inputs } from '../inputs/inputs.ts';
import { isBuild } from './build-arguments.ts';
import { cacheScopes, type CacheScopes } from './cache-scope.ts';
import { attributes, csvField } from './csv.ts';
import type { Builder, CachePlan } from './plan.ts';

/** Whether GitHub's cache service can be used; `why` not, for people. */
export type GhaAvailability =
  | {
      readonly available: true;
      /** False: GitHub lets this run only read (`cache-mode`). Default: true. */
      readonly writable?: boolean;
    }
  | { readonly available: false; readonly why: string };

export interface CacheRequest {
  readonly inputs: Pick<Inputs, 'aws' | 'cache' | 'image' | 'build'>;
  readonly context: RunContext;
  /** `host/name` of the image. */
  readonly repository: string;
  readonly builder: Builder;
  readonly gha: GhaAvailability;
  /** Whether layers are stored: see mayWriteCache. */
  readonly mayWrite: boolean;
  /** Whether the image itself is pushed: an inline cache travels with it. */
  readonly pushes: boolean;
  /** Whether there are AWS credentials (a fork's pull request has none). Default: yes. */
  readonly account?: boolean;
  /** The builder's own platform. Default linux/amd64. */
  readonly platform?: string;
  /** Whether a tag can be moved in the repository that holds the cache. Default: all can. */
  readonly movable?: (repository: string, tag: string) => boolean;
  /** S3's endpoint where it isn't AWS's own (AWS_ENDPOINT_URL_S3). */
  readonly s3Endpoint?: string | undefined;
}

/** `auto` writes, except in pull requests from forks and Dependabot's. */
export function mayWriteCache(inputs: Pick<Inputs, 'cache'>, context: RunContext): boolean {
  return inputs.cache.write === 'always' || (inputs.cache.write === 'auto' && !context.fork);
}

/**
 * How long BuildKit goes on with a GitHub cache that answers with errors. Its own 10 minutes would hold
 * a deployment for as long; layers that take longer to store are better off in the registry.
 */
const ghaTimeout = '5m';

/**
 * Which caches are read and written, as `--cache-from` and `--cache-to`. Every export has
 * `ignore-error=true`, so that none fails a build. No credentials: they go by environment.
 *
 * @throws ActionError when the registry cache was asked for where its tag can't be moved.
 */
export function planCache(request: CacheRequest): CachePlan {
  const { inputs, builder, context } = request;
  const scopes = cacheScopes(inputs, context, request.platform ?? 'linux/amd64');
  const draft = { from: [] as string[], to: [] as string[], notices: [] as string[] };
  const backends: CacheBackend[] = [];
  let local: CachePlan['local'];
  if (isBuild(inputs.build.call)) {
    for (const backend of choose(request, scopes, draft.notices)) {
      const part = plans[backend](request, scopes);
      if (part === undefined) continue;
      backends.push(backend);
      draft.from.push(...part.from);
      draft.to.push(...part.to);
      if (part.notice !== undefined) draft.notices.push(part.notice);
      if (backend === 'local') local = localFolders(request, scopes);
    }
    draft.from.push(...inputs.cache.from);
    draft.to.push(...inputs.cache.to.map(ignoringErrors));
  }
  let { from, to } = draft;
  if (inputs.build.noCache) from = [];
  if (!request.mayWrite && to.length > 0) {
    draft.notices.push(
      context.fork
        ? 'Caches are only read: pull requests from forks and Dependabot write none.'
        : 'Caches are only read, as cache-write says.',
    );
    to = [];
  }
  const refused = builder.cacheExport ? [] : to.filter((item) => kindOf(item) !== 'inline');
  if (refused.length > 0) {
    draft.notices.push(
      "No layers are stored: the docker driver can't without the containerd image store. Leave driver out (auto) to have a builder that can.",
    );
    to = to.filter((item) => !refused.includes(item));
  }
  // Two images of one builder read the same places: each place once.
  return {
    from: [...new Set(from)],
    to: [...new Set(to)],
    local,
    notices: draft.notices,
    backends,
  };
}

interface Part {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly notice?: string;
}

type Usable = Exclude<CacheBackend, 'off'>;

/** The backends that can work here; one that can't is replaced or left out, with a notice. */
function choose(request: CacheRequest, scopes: CacheScopes, notices: string[]): readonly Usable[] {
  const { builder, gha, account = true, mayWrite } = request;
  const asked = request.inputs.cache.backends;
  const usable = new Set<Usable>();
  for (const backend of asked) {
    if (backend === 'off') continue;
    if ((backend === 'registry' || backend === 's3') && !account) {
      notices.push(`The ${backend} cache is left out: this run has no AWS credentials.`);
    } else if (backend === 's3' && !builder.s3Cache) {
      notices.push("The s3 cache is left out: the docker driver's BuildKit doesn't know it.");
    } else if (backend === 'gha' && !gha.available) {
      const fallback =
        account && !asked.includes('registry') && (!mayWrite || tagCanMove(request, scopes));
      if (fallback) usable.add('registry');
      notices.push(
        `GitHub's cache is not available (${gha.why}): ${
          fallback
            ? 'layers are kept in the registry instead.'
            : asked.includes('registry')
              ? 'layers are kept in the registry alone.'
              : 'this backend is left out.'
        }`,
      );
    } else {
      usable.add(backend);
    }
  }
  if (
    usable.has('registry') &&
    asked.includes('registry') &&
    mayWrite &&
    !tagCanMove(request, scopes)
  ) {
    const ref = registryRef(request, scopes.own);
    throw new ActionError(
      `cache: registry would write the tag ${ref} again and again, but that repository's tags can't be moved (immutable).`,
      {
        hint: 'Give the cache a mutable repository of its own (cache-repository: team/app-cache), or exclude cache-* from immutability, or choose cache: gha.',
      },
    );
  }
  return [...usable];
}

const plans: Readonly<
  Record<Usable, (request: CacheRequest, scopes: CacheScopes) => Part | undefined>
> = {
  gha: ({ inputs, gha }, { own, others }) => ({
    from: [own, ...others].map((scope) => `type=gha,scope=${scope}`),
    ...(gha.available && gha.writable === false
      ? { to: [], notice: "GitHub's cache is only read: this run's cache-mode lets it write none." }
      : {
          to: [
            `type=gha,scope=${own},mode=${inputs.cache.mode},ignore-error=true,timeout=${ghaTimeout}`,
          ],
        }),
  }),
  // The two attributes make it an image manifest, which Amazon ECR accepts (BuildKit's default since 0.21).
  registry: (request, { own, others }) => ({
    from: [own, ...others].map((scope) => `type=registry,ref=${registryRef(request, scope)}`),
    to: [
      `type=registry,ref=${registryRef(request, own)},mode=${request.inputs.cache.mode},image-manifest=true,oci-mediatypes=true,ignore-error=true`,
    ],
  }),
  s3: (request, { own, others }) => {
    const { cache } = request.inputs;
    const place = s3Place(request);
    return {
      from: [own, ...others].map((scope) => `${place},name=${scope}`),
      to: [`${place},name=${own},mode=${cache.mode},ignore-error=true`],
    };
  },
  local: (request, scopes) => {
    const { from, to } = localFolders(request, scopes);
    return {
      from: [`type=local,${csvField(`src=${from}`)}`],
      to: [
        `type=local,${csvField(`dest=${to}`)},mode=${request.inputs.cache.mode},ignore-error=true`,
      ],
    };
  },
  inline: ({ inputs, repository, pushes, account = true }) => {
    const { movingTags } = inputs.image;
    return {
      from: account ? movingTags.map((tag) => `type=registry,ref=${repository}:${tag}`) : [],
      to: pushes ? ['type=inline'] : [],
      ...(movingTags.length === 0 && {
        notice:
          'The inline cache is written but read by nobody: there is no moving tag to read it from.',
      }),
    };
  },
};

/** The image's own repository, under a tag that says what it is; or a repository of the cache's own. */
function registryRef(request: CacheRequest, scope: string): string {
  return `${cacheRepository(request)}:cache-${scope}`;
}

function cacheRepository({ inputs, repository }: CacheRequest): string {
  const asked = inputs.cache.repository;
  if (asked === '') return repository;
  const host = repository.slice(0, repository.indexOf('/'));
  // A first part with a dot or a port is a host.
  return /^[^/]*[.:][^/]*\//.test(asked) ? asked : `${host}/${asked}`;
}

function tagCanMove(request: CacheRequest, { own }: CacheScopes): boolean {
  return request.movable?.(cacheRepository(request), `cache-${own}`) ?? true;
}

function s3Place({ inputs, s3Endpoint }: CacheRequest): string {
  const { bucket, region, prefix } = inputs.cache;
  const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  const endpoint =
    s3Endpoint === undefined ? [] : [csvField(`endpoint_url=${s3Endpoint}`), 'use_path_style=true'];
  return [
    'type=s3',
    `region=${region === '' ? inputs.aws.region : region}`,
    `bucket=${bucket}`,
    ...(folder === '' ? [] : [`prefix=${folder}`]),
    ...endpoint,
  ].join(',');
}

/** Written into a new folder: BuildKit never removes what an old one holds, and it would only grow. */
function localFolders(
  request: CacheRequest,
  { own, others }: CacheScopes,
): NonNullable<CachePlan['local']> {
  const { temp, runId, runAttempt } = request.context;
  const folder = join(temp, 'ship-to-ecr-layers', own);
  const key = (scope: string) => `ship-to-ecr-layers-${scope}-`;
  return {
    from: join(folder, 'from'),
    to: join(folder, 'to'),
    key: `${key(own)}${runId}-${runAttempt}`,
    restoreKeys: [own, ...others].map(key),
  };
}

/** A raw `cache-to` with `ignore-error=true`, where its backend knows that and it isn't said already. */
function ignoringErrors(item: string): string {
  const found = attributes(item);
  const kind = kindOf(item);
  if (kind === 'inline' || found.has('ignore-error')) return item;
  return found.has('type')
    ? `${item},ignore-error=true`
    : `type=registry,${csvField(`ref=${item}`)},ignore-error=true`;
}

/** The backend of a raw value; a bare reference means the registry. */
function kindOf(item: string): string {
  return attributes(item).get('type') ?? 'registry';
}
