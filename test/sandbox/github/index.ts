import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Faults } from '../cache/faults.ts';
import { readJwt, signJwt } from '../cache/token.ts';
import { jobBody, runBody, type JobRecord, type Place, type RunRecord } from './shapes.ts';

export type { JobRecord, RunRecord } from './shapes.ts';

/** One answered request: `operation` is `run`, `runs`, `jobs`, `oidc` or `other`. */
export interface Asked {
  readonly operation: string;
  readonly url: string;
  readonly status: number;
}

/** api.github.com's Actions part and the OIDC token service, with scripted runs and faults. */
export interface GitHubStandIn extends AsyncDisposable {
  /** GITHUB_API_URL. */
  readonly url: string;
  readonly token: string;
  readonly repository: string;
  readonly faults: Faults;
  readonly requests: Asked[];
  /** The hourly quota; `remaining` falls with each answer but 304. */
  readonly quota: { limit: number; remaining: number; reset: number };
  /** Adds a run; default: in progress, a push to main, of `ship.yml`, the next id and number. */
  addRun(run?: Partial<RunRecord>): RunRecord;
  findRun(id: number): RunRecord | undefined;
  setRun(id: number, change: Partial<RunRecord>): void;
  /** As a person deletes a run: 404 from then on, gone from lists. */
  deleteRun(id: number): void;
  /** Adds or changes the job `name` of a run's attempt (default: the run's latest). */
  setJob(runId: number, name: string, change?: Partial<JobRecord>): void;
  /** Called before each answer: changes what the clients see as they poll. */
  onRequest(script: (operation: string, requests: readonly Asked[]) => void): void;
  /** 403 "Resource not accessible by integration" on everything: the job lacks `actions: read`. */
  forbid(): void;
  /** ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN; tokens then carry `sub` and further `claims`. */
  oidcEnvironment(sub: string, claims?: Readonly<Record<string, unknown>>): Record<string, string>;
  /** What a token of ours says; undefined: not ours, or expired. */
  readIdToken(token: string): Record<string, unknown> | undefined;
  close(): Promise<void>;
}

export async function startGitHub(
  options: { repository?: string; serverUrl?: string } = {},
): Promise<GitHubStandIn> {
  const repository = options.repository ?? 'octo/shop';
  const secret = randomBytes(16).toString('hex');
  const token = `ghs_${randomBytes(18).toString('hex')}`;
  const faults = new Faults();
  const requests: Asked[] = [];
  const runs = new Map<number, RunRecord>();
  const jobs = new Map<number, JobRecord[]>();
  const workflows: string[] = [];
  const scripts: ((operation: string, requests: readonly Asked[]) => void)[] = [];
  const identities = new Map<string, Record<string, unknown>>();
  const quota = { limit: 1000, remaining: 1000, reset: Math.floor(Date.now() / 1000) + 3600 };
  const place = { repository, apiUrl: '', serverUrl: options.serverUrl ?? 'https://github.com' };
  let forbidden = false;
  let nextId = 16_500_000_001;
  let nextJob = 45_000_000_001;

  const workflowId = (name: string) => {
    if (!workflows.includes(name)) workflows.push(name);
    return 161_335 + workflows.indexOf(name);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    const operation = operationOf(url.pathname);
    const asked = { operation, url: request.url ?? '', status: 0 };
    requests.push(asked);
    response.on('finish', () => {
      asked.status = response.statusCode;
    });
    for (const script of scripts) script(operation, requests);
    if (operation !== 'oidc') {
      response.setHeader('x-ratelimit-limit', quota.limit);
      response.setHeader('x-ratelimit-reset', quota.reset);
      response.setHeader('x-ratelimit-resource', 'core');
      response.setHeader('x-github-request-id', randomBytes(8).toString('hex').toUpperCase());
    }
    if (await faults.hit(operation, request, response)) return;
    request.resume();
    if (operation === 'oidc') {
      serveIdToken(url, request, response);
      return;
    }
    if (quota.remaining <= 0) {
      response.setHeader('x-ratelimit-remaining', 0);
      const message = 'API rate limit exceeded for installation ID 1.';
      send(response, 403, { message, documentation_url: `${docs}/rate-limits-for-the-rest-api` });
      return;
    }
    const [status, body, link] = answer(url, request.headers.authorization ?? '');
    const etag = `W/"${createHash('sha256').update(JSON.stringify(body)).digest('hex')}"`;
    const unchanged = status === 200 && request.headers['if-none-match'] === etag;
    if (!unchanged) quota.remaining -= 1;
    response.setHeader('x-ratelimit-remaining', quota.remaining);
    response.setHeader('x-ratelimit-used', quota.limit - quota.remaining);
    if (status === 200) response.setHeader('etag', etag);
    if (link !== undefined) response.setHeader('link', link);
    if (unchanged) response.writeHead(304).end();
    else send(response, status, body);
  }

  function answer(url: URL, authorization: string): [number, unknown, (string | undefined)?] {
    if (!/^(bearer|token) /i.test(authorization) || !authorization.endsWith(token)) {
      return [401, { message: 'Bad credentials', documentation_url: docs, status: '401' }];
    }
    if (forbidden) {
      const message = 'Resource not accessible by integration';
      return [403, { message, documentation_url: docs, status: '403' }];
    }
    const prefix = `/repos/${repository}/actions/`;
    const path = url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : '';
    const [, id] = /^runs\/(\d+)$/.exec(path) ?? [];
    const run = runs.get(Number(id));
    if (run !== undefined) return [200, runBody(run, workflowId(run.workflow), place)];
    const [, jobsOf] = /^runs\/(\d+)\/jobs$/.exec(path) ?? [];
    const owner = runs.get(Number(jobsOf));
    if (owner !== undefined) {
      const all = url.searchParams.get('filter') === 'all';
      const found = (jobs.get(owner.id) ?? []).filter(
        (job) => all || job.attempt === owner.attempt,
      );
      const [page, link] = pageOf(found, url, place);
      return [
        200,
        { total_count: found.length, jobs: page.map((job) => jobBody(job, owner, place)) },
        link,
      ];
    }
    const [, workflow = ''] = /^workflows\/([^/]+)\/runs$/.exec(path) ?? [];
    const name = workflows.find(
      (name) => name === decodeURIComponent(workflow) || String(workflowId(name)) === workflow,
    );
    if (name !== undefined) {
      const found = [...runs.values()]
        .filter((run) => run.workflow === name)
        .sort((a, b) => b.id - a.id);
      const [page, link] = pageOf(found, url, place);
      const bodies = page.map((run) => runBody(run, workflowId(run.workflow), place));
      return [200, { total_count: found.length, workflow_runs: bodies }, link];
    }
    return [404, { message: 'Not Found', documentation_url: docs, status: '404' }];
  }

  function serveIdToken(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const bearer = (request.headers.authorization ?? '').replace(/^bearer /i, '');
    const identity = identities.get(bearer);
    if (identity === undefined) {
      send(response, 401, { message: 'Unauthorized' });
      return;
    }
    const now = Math.floor(Date.now() / 1000);
    const value = signJwt(
      {
        iss: 'https://token.actions.githubusercontent.com',
        aud: url.searchParams.get('audience') ?? `${place.serverUrl}/${repository.split('/')[0]}`,
        repository,
        jti: randomBytes(16).toString('hex'),
        nbf: now - 60,
        iat: now,
        exp: now + 300,
        ...identity,
      },
      secret,
    );
    send(response, 200, { count: value.length, value });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  place.apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const known = (id: number) => {
    const run = runs.get(id);
    if (run === undefined) throw new Error(`The stand-in has no run ${id}`);
    return run;
  };
  return {
    url: place.apiUrl,
    token,
    repository,
    faults,
    requests,
    quota,
    addRun(given = {}) {
      const id = given.id ?? nextId;
      nextId = Math.max(nextId, id) + 1;
      const run: RunRecord = {
        id,
        number: runs.size + 1,
        attempt: 1,
        workflow: 'ship.yml',
        branch: 'main',
        event: 'push',
        sha: createHash('sha1').update(String(id)).digest('hex'),
        status: 'in_progress',
        conclusion: null,
        createdAt: new Date(1_780_000_000_000 + runs.size * 60_000).toISOString(),
        ...given,
      };
      workflowId(run.workflow);
      runs.set(id, run);
      return run;
    },
    findRun: (id) => runs.get(id),
    setRun: (id, change) => void Object.assign(known(id), change),
    deleteRun(id) {
      runs.delete(id);
      jobs.delete(id);
    },
    setJob(runId, name, change = {}) {
      const run = known(runId);
      const attempt = change.attempt ?? run.attempt;
      const list = jobs.get(runId) ?? [];
      jobs.set(runId, list);
      const there = list.find((job) => job.name === name && job.attempt === attempt);
      const job: JobRecord = there ?? {
        id: nextJob++,
        name,
        attempt,
        status: 'in_progress',
        conclusion: null,
        runnerName: 'GitHub Actions 1',
        startedAt: run.createdAt,
        completedAt: null,
      };
      if (there === undefined) list.push(job);
      Object.assign(job, change);
      if (job.status === 'completed') job.completedAt ??= run.createdAt;
    },
    onRequest: (script) => void scripts.push(script),
    forbid() {
      forbidden = true;
    },
    oidcEnvironment(sub, claims = {}) {
      const bearer = randomBytes(24).toString('hex');
      identities.set(bearer, { sub, ...claims });
      return {
        ACTIONS_ID_TOKEN_REQUEST_URL: `${place.apiUrl}/oidc/token?api-version=2.0`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer,
      };
    },
    readIdToken: (text) => readJwt(text, secret),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const docs = 'https://docs.github.com/rest/actions/workflow-runs';

function operationOf(path: string): string {
  if (path.startsWith('/oidc/')) return 'oidc';
  if (/\/actions\/runs\/\d+$/.test(path)) return 'run';
  if (/\/actions\/runs\/\d+\/jobs$/.test(path)) return 'jobs';
  return /\/actions\/workflows\/[^/]+\/runs$/.test(path) ? 'runs' : 'other';
}

function pageOf<T>(all: readonly T[], url: URL, place: Place): [readonly T[], string | undefined] {
  const size = Math.min(Number(url.searchParams.get('per_page') ?? 30), 100);
  const page = Number(url.searchParams.get('page') ?? 1);
  const last = Math.max(1, Math.ceil(all.length / size));
  const to = (page: number, rel: string) => {
    const link = new URL(url.pathname + url.search, place.apiUrl);
    link.searchParams.set('page', String(page));
    return `<${link}>; rel="${rel}"`;
  };
  const link = page < last ? `${to(page + 1, 'next')}, ${to(last, 'last')}` : undefined;
  return [all.slice((page - 1) * size, page * size), link];
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}
