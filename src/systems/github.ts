import { request as send } from '@octokit/request';
import { ActionError } from '../errors.ts';
import { retry, systemClock, type Clock } from '../wait.ts';

/** A workflow run as GitHub lists it; fields we use only. */
export interface WorkflowRun {
  readonly id: number;
  readonly number: number;
  readonly attempt: number;
  readonly workflowId: number;
  readonly branch: string | null;
  readonly event: string;
  readonly sha: string;
  /** `completed` or anything else; never an allow-list. */
  readonly status: string;
  readonly conclusion: string | null;
  readonly url: string;
  readonly createdAt: string;
}

export interface WorkflowJob {
  readonly name: string;
  readonly runAttempt: number;
  readonly status: string;
  readonly conclusion: string | null;
  readonly runnerName: string | null;
  readonly url: string;
}

/** GitHub's Actions API, read only. Conditional requests (304) are the adapter's business. */
export interface GitHubActions {
  run(id: number): Promise<WorkflowRun | undefined>;
  /** Runs of a workflow, newest first, unfiltered (filters make the list stale); a page of 100. */
  runs(workflow: string | number, page: number): Promise<readonly WorkflowRun[]>;
  /** All jobs of all attempts (`filter=all`). Empty for a run that is gone. */
  jobs(runId: number): Promise<readonly WorkflowJob[]>;
}

/** GitHub refused or failed. `retryAfterMs` set: a rate limit, over after that time. */
export class GitHubError extends ActionError {
  override readonly name: string = 'GitHubError';
  /** HTTP status; 0: no answer. */
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: { status: number; retryAfterMs?: number | undefined; hint?: string; cause: unknown },
  ) {
    super(message, { cause: options.cause, hint: options.hint });
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The job's token may not read the repository's runs: `actions: read` is missing. */
export class GitHubForbidden extends GitHubError {
  override readonly name = 'GitHubForbidden';
}

export interface GitHubOptions {
  /** GITHUB_API_URL. */
  readonly apiUrl: string;
  readonly token: string;
  /** `owner/name` */
  readonly repository: string;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** For one request, ms. Default 20,000. */
  readonly timeout?: number | undefined;
}

/** What was asked so far. Answers with 304 don't count against the hourly quota. */
export interface RequestCount {
  readonly sent: number;
  readonly free: number;
}

interface Answer {
  readonly body: unknown;
  readonly hasNext: boolean;
}

/** Limits that end sooner than this are waited for here, ms; the caller decides about longer ones. */
const shortWait = 10_000;
/** GitHub's advice for a secondary limit without `retry-after`: at least a minute. */
const secondaryWait = 60_000;

/**
 * GitHub's REST API with a job's token. Answers are asked for again by ETag: an unchanged one is
 * free. Failures of the network and 5xx are tried again, short limits waited for.
 *
 * @throws GitHubForbidden without `actions: read`; GitHubError with `status` otherwise.
 * @see https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
 */
export function connectGitHub(
  options: GitHubOptions,
): GitHubActions & { requests(): RequestCount } {
  const { clock = systemClock, timeout = 20_000 } = options;
  const known = new Map<string, { etag: string; answer: Answer }>();
  const base = options.apiUrl.replace(/\/+$/, '');
  const prefix = `/repos/${options.repository}/actions`;
  let sent = 0;
  let free = 0;

  async function once(path: string): Promise<Answer | undefined> {
    const before = known.get(path);
    const limit = AbortSignal.timeout(timeout);
    sent += 1;
    try {
      const { data, headers } = await send({
        method: 'GET',
        baseUrl: base,
        url: path,
        headers: {
          authorization: `Bearer ${options.token}`,
          accept: 'application/vnd.github+json',
          'x-github-api-version': '2022-11-28',
          'user-agent': 'ship-to-ecr',
          ...(before === undefined ? {} : { 'if-none-match': before.etag }),
        },
        request: {
          signal: options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]),
        },
      });
      const answer = { body: data as unknown, hasNext: /rel="next"/.test(headers.link ?? '') };
      if (headers.etag !== undefined) known.set(path, { etag: headers.etag, answer });
      return answer;
    } catch (error) {
      options.signal?.throwIfAborted();
      const { status, headers } = responseOf(error);
      if (status === 304 && before !== undefined) {
        free += 1;
        return before.answer;
      }
      if (status === 404) {
        known.delete(path);
        return undefined;
      }
      throw translate(error, status, headers, clock.now());
    }
  }

  const get = (path: string): Promise<Answer | undefined> =>
    retry(
      async (attempt) => {
        try {
          return await once(path);
        } catch (error) {
          const wait = error instanceof GitHubError ? error.retryAfterMs : undefined;
          if (wait === undefined || wait > shortWait || attempt > 1) throw error;
          await clock.sleep(wait, options.signal);
          return once(path);
        }
      },
      {
        tries: 4,
        firstDelay: 1_000,
        clock,
        signal: options.signal,
        retryable: (error) =>
          error instanceof GitHubError &&
          error.retryAfterMs === undefined &&
          (error.status === 0 || error.status >= 500),
      },
    );

  return {
    requests: () => ({ sent, free }),
    async run(id) {
      const answer = await get(`${prefix}/runs/${id}`);
      return answer === undefined ? undefined : toRun(answer.body);
    },
    async runs(workflow, page) {
      const name = encodeURIComponent(String(workflow));
      const path = `${prefix}/workflows/${name}/runs?per_page=100&page=${page}`;
      const answer = await get(path);
      if (answer === undefined) {
        throw new GitHubError(`GitHub knows no workflow "${workflow}" in ${options.repository}.`, {
          status: 404,
          hint: 'A renamed workflow file is another workflow. A token without access to the repository is told the same.',
          cause: undefined,
        });
      }
      return list(answer.body, 'workflow_runs').map(toRun);
    },
    async jobs(runId) {
      const jobs: WorkflowJob[] = [];
      for (let page = 1; ; page += 1) {
        const answer = await get(
          `${prefix}/runs/${runId}/jobs?filter=all&per_page=100&page=${page}`,
        );
        if (answer === undefined) return [];
        jobs.push(...list(answer.body, 'jobs').map(toJob));
        if (!answer.hasNext) return jobs;
      }
    },
  };
}

type Headers = Readonly<Record<string, string | number | undefined>>;

function responseOf(error: unknown): { status: number; headers: Headers } {
  if (!(error instanceof Error) || !('response' in error)) return { status: 0, headers: {} };
  const { response } = error as { response?: { status: number; headers: Headers } | undefined };
  return { status: response?.status ?? 0, headers: response?.headers ?? {} };
}

function translate(error: unknown, status: number, headers: Headers, now: number): GitHubError {
  const text = error instanceof Error ? error.message : String(error);
  if (status === 0) {
    return new GitHubError(`GitHub's API did not answer: ${text}`, { status, cause: error });
  }
  const limited =
    status === 429 ||
    (status === 403 &&
      (headers['x-ratelimit-remaining'] === '0' ||
        headers['retry-after'] !== undefined ||
        /rate limit|abuse detection/i.test(text)));
  if (limited) {
    const retryAfterMs = waitOf(headers, now);
    return new GitHubError(`GitHub limits this token's requests: ${text}`, {
      status,
      retryAfterMs,
      hint: 'GITHUB_TOKEN has 1,000 requests an hour for a whole repository, all its jobs together.',
      cause: error,
    });
  }
  if (status === 403) {
    return new GitHubForbidden(`GitHub refused to show the workflow's runs: ${text}`, {
      status,
      hint: 'Give the job `permissions: { actions: read }` beside the others it has.',
      cause: error,
    });
  }
  if (status === 401) {
    return new GitHubError(`GitHub does not accept the token: ${text}`, {
      status,
      hint: "Leave the input `github-token` at its default, the job's own token.",
      cause: error,
    });
  }
  return new GitHubError(`GitHub's API answered ${status}: ${text}`, { status, cause: error });
}

/** `retry-after` first, then the quota's reset, as GitHub asks for; ms. */
function waitOf(headers: Headers, now: number): number {
  const after = Number(headers['retry-after']);
  if (headers['retry-after'] !== undefined && Number.isFinite(after)) return after * 1000;
  const reset = Number(headers['x-ratelimit-reset']);
  if (headers['x-ratelimit-remaining'] === '0' && Number.isFinite(reset)) {
    // A second more: the two clocks differ.
    return Math.max(1_000, reset * 1000 - now + 1_000);
  }
  return secondaryWait;
}

/** A JSON value read strictly: what is missing is named instead of becoming `undefined`. */
function field<T>(value: unknown, name: string, is: (value: unknown) => value is T): T {
  const found: unknown =
    typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)[name]
      : undefined;
  if (is(found)) return found;
  throw new GitHubError(`GitHub's answer has no usable "${name}".`, {
    status: 200,
    hint: 'Another server answered in its place? See GITHUB_API_URL.',
    cause: undefined,
  });
}

const number = (value: unknown) => typeof value === 'number';
const string = (value: unknown) => typeof value === 'string';
const text = (value: unknown): value is string | null => value === null || string(value);
/** GitHub's description calls `run_attempt` optional: without it nothing was run again. */
const optionalNumber = (value: unknown): value is number | undefined =>
  value === undefined || number(value);
const array = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const list = (body: unknown, name: string) => field(body, name, array);

function toRun(body: unknown): WorkflowRun {
  return {
    id: field(body, 'id', number),
    number: field(body, 'run_number', number),
    attempt: field(body, 'run_attempt', optionalNumber) ?? 1,
    workflowId: field(body, 'workflow_id', number),
    branch: field(body, 'head_branch', text),
    event: field(body, 'event', string),
    sha: field(body, 'head_sha', string),
    status: field(body, 'status', text) ?? 'unknown',
    conclusion: field(body, 'conclusion', text),
    url: field(body, 'html_url', string),
    createdAt: field(body, 'created_at', string),
  };
}

function toJob(body: unknown): WorkflowJob {
  return {
    name: field(body, 'name', string),
    runAttempt: field(body, 'run_attempt', optionalNumber) ?? 1,
    status: field(body, 'status', string),
    conclusion: field(body, 'conclusion', text),
    runnerName: field(body, 'runner_name', text),
    url: field(body, 'html_url', text) ?? '',
  };
}
