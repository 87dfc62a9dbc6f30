import { asError } from '../errors.ts';

/** Whether GitHub's cache service can be used; `why` not, for people. */
export type GhaAvailability =
  | {
      readonly available: true;
      /** v1 is left on GitHub Enterprise Server only. */
      readonly version: 1 | 2;
      /** False: GitHub lets this run only read (`cache-mode`). */
      readonly writable: boolean;
      /** What BuildKit's client takes from buildx's environment. */
      readonly variables: Readonly<Record<string, string>>;
    }
  | { readonly available: false; readonly why: string };

/**
 * Whether buildx and @actions/cache would find GitHub's cache service in this environment. Without
 * the variables buildx leaves `type=gha` out without a word, and the build is slow for no reason seen.
 *
 * The runner gives the variables to JavaScript actions only, so a `run:` step has none.
 */
export function ghaAvailability(env: NodeJS.ProcessEnv): GhaAvailability {
  const token = env['ACTIONS_RUNTIME_TOKEN'] ?? '';
  const results = env['ACTIONS_RESULTS_URL'] ?? '';
  const old = env['ACTIONS_CACHE_URL'] ?? '';
  const mode = (env['ACTIONS_CACHE_MODE'] ?? '').trim().toLowerCase();
  if (token === '') return no('the runner gave this step no ACTIONS_RUNTIME_TOKEN');
  if (mode === 'none' || mode === 'write-only') {
    return no(`this run may not read caches: its cache-mode is ${mode}`);
  }
  const writable = mode !== 'read';
  if (isServer(env['GITHUB_SERVER_URL'])) {
    if (old === '') return no('this GitHub Enterprise Server offers none (no ACTIONS_CACHE_URL)');
    const variables = { ACTIONS_RUNTIME_TOKEN: token, ACTIONS_CACHE_URL: old };
    return { available: true, version: 1, writable, variables };
  }
  if (!/^(1|t|true)$/i.test(env['ACTIONS_CACHE_SERVICE_V2'] ?? '')) {
    return no('the runner is too old for it: no ACTIONS_CACHE_SERVICE_V2');
  }
  if (results === '') return no('the runner gave this step no ACTIONS_RESULTS_URL');
  const variables = {
    ACTIONS_RUNTIME_TOKEN: token,
    ACTIONS_RESULTS_URL: results,
    ACTIONS_CACHE_SERVICE_V2: 'True',
  };
  return { available: true, version: 2, writable, variables };
}

/**
 * The same, and whether the service answers: one lookup of a key that nobody stores. A service that
 * is throttled or down would cost every client its retries, up to half a minute each.
 *
 * @param options.timeout for the answer, ms; default 10,000.
 */
export async function probeGha(
  env: NodeJS.ProcessEnv,
  options: { timeout?: number; signal?: AbortSignal | undefined } = {},
): Promise<GhaAvailability> {
  const found = ghaAvailability(env);
  // Behind a proxy the clients have their own ways; v1 has no such cheap question.
  if (!found.available || found.version === 1 || hasProxy(env)) return found;
  const limit = AbortSignal.timeout(options.timeout ?? 10_000);
  const url = new URL(
    '/twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL',
    found.variables['ACTIONS_RESULTS_URL'],
  );
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${found.variables['ACTIONS_RUNTIME_TOKEN']}`,
        'content-type': 'application/json',
        'user-agent': 'ship-to-ecr',
      },
      body: JSON.stringify({ key: 'ship-to-ecr-probe', restore_keys: [], version: 'probe' }),
      signal: options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]),
    });
    await answer.arrayBuffer();
    // An unknown key is 200 with `ok: false`; some servers say 404.
    if (answer.ok || answer.status === 404) return found;
    if (answer.status === 429) return no('GitHub throttles it for this repository (429)');
    if (answer.status === 401 || answer.status === 403) {
      return no(`it refused this run's token (${answer.status})`);
    }
    return no(`it answered ${answer.status}`);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (limit.aborted) return no('it did not answer in time');
    const { cause } = asError(error);
    return no(
      `it can't be reached: ${cause instanceof Error ? cause.message : asError(error).message}`,
    );
  }
}

const no = (why: string) => ({ available: false, why }) as const;

/** As @actions/cache tells GitHub Enterprise Server from github.com and ghe.com. */
function isServer(url: string | undefined): boolean {
  const host = new URL(url === undefined || url === '' ? 'https://github.com' : url).hostname;
  return !/^github\.com$|\.ghe\.com$|\.localhost$/i.test(host);
}

function hasProxy(env: NodeJS.ProcessEnv): boolean {
  return ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].some(
    (name) => (env[name] ?? '') !== '',
  );
}
