// The outside of the order in memory: ECR, S3, GitHub, and a clock that makes hours of many runs pass
// in milliseconds. Shared by tests and bench/order.ts.
import { createHash } from 'node:crypto';
import type { RunContext } from '../../src/context.ts';
import type { Manifest } from '../../src/systems/ecr.ts';
import type { GitHubActions, WorkflowJob, WorkflowRun } from '../../src/systems/github.ts';
import type { Annotation, Log } from '../../src/systems/runner.ts';
import type { ProbedObjectStore } from '../../src/systems/s3.ts';
import type { OrderInputs } from '../../src/inputs/inputs.ts';
import type { OrderEcr } from '../../src/turn/register.ts';

export { SimulatedClock } from './simulated-clock.ts';

export class FakeLog implements Log {
  readonly lines: string[] = [];
  readonly warnings: string[] = [];
  readonly notices: string[] = [];
  info(line: string): void {
    this.lines.push(line);
  }
  debug(): void {}
  notice(message: string): void {
    this.notices.push(message);
  }
  warning(message: string, _at?: Annotation): void {
    this.warnings.push(message);
  }
  error(message: string): void {
    this.warnings.push(message);
  }
  group<T>(_title: string, work: (log: Log) => Promise<T>): Promise<T> {
    return work(this);
  }
}

export const REPOSITORY = {
  name: 'team/app',
  uri: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app',
};

/** A small manifest, different for each `text`; an index when asked for. */
export function manifestOf(text: string, index = false): Manifest {
  const mediaType = `application/vnd.oci.image.${index ? 'index' : 'manifest'}.v1+json`;
  const body = JSON.stringify({ schemaVersion: 2, mediaType, annotations: { text } });
  return {
    body,
    mediaType,
    digest: `sha256:${createHash('sha256').update(body).digest('hex')}`,
  };
}

function failure(name: string, message: string, more: object = {}): Error {
  const error = Object.assign(new Error(message), more);
  error.name = name;
  return error;
}

/** Tag → digest, quick to list by what is before the first dot: benches list thousands of times. */
class TagMap extends Map<string, string> {
  readonly #groups = new Map<string, Map<string, string>>();

  override set(tag: string, digest: string): this {
    const name = tag.split('.')[0] ?? '';
    const group = this.#groups.get(name) ?? new Map<string, string>();
    this.#groups.set(name, group.set(tag, digest));
    return super.set(tag, digest);
  }
  override delete(tag: string): boolean {
    this.#groups.get(tag.split('.')[0] ?? '')?.delete(tag);
    return super.delete(tag);
  }
  group(prefix: string): ReadonlyMap<string, string> | undefined {
    const [name = '', ...more] = prefix.split('.');
    return more.length === 0 ? undefined : (this.#groups.get(name) ?? new Map<string, string>());
  }
}

/** ECR's manners: content-addressed, a tag is on one image, 1,000 tags on one image, immutability. */
export class FakeEcr implements OrderEcr {
  readonly images = new Map<string, Manifest>();
  readonly tags = new TagMap();
  readonly immutable = new Set<string>();
  /** Every tag that was put, in order: `tag digest`. */
  readonly puts: string[] = [];
  tagLimit = 1_000;
  /** Called before an operation; may throw, sleep, or change the world. */
  before: (operation: keyof OrderEcr, detail: string) => Promise<void> = async () => {};
  /** Tags that a listing doesn't show yet. */
  readonly unlisted = new Set<string>();
  /** What stands at the moving tag after each put of it. */
  onPut: (tag: string, digest: string) => void = () => {};

  push(manifest: Manifest, ...tags: string[]): Manifest {
    this.images.set(manifest.digest, manifest);
    for (const tag of tags) this.tags.set(tag, manifest.digest);
    return manifest;
  }

  /** As a lifecycle rule does it. */
  expire(digest: string): void {
    this.images.delete(digest);
    for (const [tag, at] of this.tags) if (at === digest) this.tags.delete(tag);
  }

  async repository() {
    await this.before('repository', '');
    return undefined;
  }
  async tagDigests(_: string, tags: readonly string[]) {
    await this.before('tagDigests', tags.join(' '));
    return new Map(
      tags.flatMap((tag) => {
        const digest = this.tags.get(tag);
        return digest === undefined ? [] : [[tag, digest] as const];
      }),
    );
  }
  async manifest(_: string, digest: string) {
    await this.before('manifest', digest);
    return this.images.get(digest);
  }
  async putTag(_: string, tag: string, manifest: Manifest) {
    await this.before('putTag', tag);
    const now = this.tags.get(tag);
    if (now === manifest.digest) return;
    if (now !== undefined && this.immutable.has(tag)) {
      throw failure('TagImmutableError', `The image tag '${tag}' already exists`);
    }
    let on = 0;
    for (const digest of this.tags.values()) if (digest === manifest.digest) on += 1;
    if (on >= this.tagLimit) {
      throw failure('ActionError', 'PutImage was refused.', {
        cause: failure('LimitExceededException', `the limit of ${this.tagLimit} tags per image`),
      });
    }
    this.images.set(manifest.digest, manifest);
    this.tags.set(tag, manifest.digest);
    this.puts.push(`${tag} ${manifest.digest}`);
    this.onPut(tag, manifest.digest);
  }
  async deleteTags(_: string, tags: readonly string[]) {
    await this.before('deleteTags', tags.join(' '));
    for (const tag of tags) {
      const digest = this.tags.get(tag);
      this.tags.delete(tag);
      // ECR removes an image with its last tag.
      if (digest !== undefined && ![...this.tags.values()].includes(digest)) {
        this.images.delete(digest);
      }
    }
  }
  async tagsOf(_: string, digest: string) {
    await this.before('tagsOf', digest);
    return [...this.tags].flatMap(([tag, at]) => (at === digest ? [tag] : []));
  }
  async tagged(_: string, prefix: string) {
    await this.before('tagged', prefix);
    const found = new Map<string, string>();
    for (const [tag, digest] of this.tags.group(prefix) ?? this.tags) {
      if (tag.startsWith(prefix) && !this.unlisted.has(tag)) found.set(tag, digest);
    }
    return found;
  }
}

/** S3 with compare-and-set, and what goes wrong with it. */
export class FakeStore implements ProbedObjectStore {
  readonly objects = new Map<string, { body: string; etag: string }>();
  /** Whether it overwrites no matter what. */
  careless = false;
  before: (operation: 'get' | 'put' | 'delete', key: string) => Promise<void> = async () => {};
  /** The next puts succeed but are answered as the SDK's second try would be: changed. */
  lostAnswers = 0;
  /** The next puts are refused although nothing changed (409 ConditionalRequestConflict). */
  conflicts = 0;
  #etags = 0;

  async get(key: string) {
    await this.before('get', key);
    return this.objects.get(key);
  }
  async put(key: string, body: string, etag: string | undefined) {
    await this.before('put', key);
    const now = this.objects.get(key);
    if (this.conflicts > 0) {
      this.conflicts -= 1;
      return 'changed' as const;
    }
    const wrong =
      etag === undefined
        ? now !== undefined && !this.careless
        : now?.etag !== etag && !this.careless;
    if (wrong) return 'changed' as const;
    this.#etags += 1;
    this.objects.set(key, { body, etag: `"${this.#etags}"` });
    if (this.lostAnswers > 0) {
      this.lostAnswers -= 1;
      return 'changed' as const;
    }
    return 'written' as const;
  }
  async probe() {
    if (this.careless) throw new Error('The store ignores If-Match.');
  }
  async delete(key: string) {
    await this.before('delete', key);
    this.objects.delete(key);
  }
}

export const PUBLISHING_JOB = 'ship';

/** GitHub's runs and jobs as a script changes them. */
export class FakeGitHub implements GitHubActions {
  readonly all = new Map<number, WorkflowRun>();
  readonly jobsOf = new Map<number, WorkflowJob[]>();
  before: (operation: keyof GitHubActions, detail: string) => Promise<void> = async () => {};
  /** Runs that lists don't show. */
  readonly unlisted = new Set<number>();
  /** Lists in another order than newest first. */
  shuffled = false;

  add(id: number, change: Partial<WorkflowRun> = {}, jobs?: readonly Partial<WorkflowJob>[]): void {
    const run: WorkflowRun = {
      id,
      number: id - 1_000,
      attempt: 1,
      workflowId: 7,
      branch: 'main',
      event: 'push',
      sha: 'a'.repeat(40),
      status: 'in_progress',
      conclusion: null,
      url: `https://github.example/team/app/actions/runs/${id}`,
      createdAt: '2026-11-21T00:00:00Z',
      ...change,
    };
    this.all.set(id, run);
    this.jobsOf.set(
      id,
      (jobs ?? [{}]).map((job) => ({
        name: PUBLISHING_JOB,
        runAttempt: run.attempt,
        status: 'in_progress',
        conclusion: null,
        runnerName: `runner-${id}`,
        url: `${run.url}/job/1`,
        ...job,
      })),
    );
  }
  /** The run and all its jobs are over. */
  finish(id: number, conclusion = 'success'): void {
    this.#change(id, { status: 'completed', conclusion });
    this.changeJobs(id, { status: 'completed', conclusion });
  }
  /** Its publishing job is over, the run goes on. */
  changeJobs(id: number, change: Partial<WorkflowJob>): void {
    this.jobsOf.set(
      id,
      (this.jobsOf.get(id) ?? []).map((job) => ({ ...job, ...change })),
    );
  }
  remove(id: number): void {
    this.all.delete(id);
    this.jobsOf.delete(id);
  }
  #change(id: number, change: Partial<WorkflowRun>): void {
    const run = this.all.get(id);
    if (run !== undefined) this.all.set(id, { ...run, ...change });
  }

  async run(id: number) {
    await this.before('run', String(id));
    return this.all.get(id);
  }
  async runs(_workflow: string | number, page: number) {
    await this.before('runs', String(page));
    const listed = [...this.all.values()]
      .filter((run) => !this.unlisted.has(run.id))
      .sort((a, b) => (this.shuffled ? (a.id % 7) - (b.id % 7) || a.id - b.id : b.id - a.id));
    return listed.slice((page - 1) * 100, page * 100);
  }
  async jobs(runId: number) {
    await this.before('jobs', String(runId));
    return this.jobsOf.get(runId) ?? [];
  }
}

/** An answer of GitHub's API that isn't one. */
export function httpError(status: number, message: string, retryAfterMs?: number): Error {
  return failure('HttpError', message, {
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

export function contextOf(runId: number, change: Partial<RunContext> = {}): RunContext {
  return {
    repository: 'team/app',
    runId,
    runNumber: runId - 1_000,
    runAttempt: 1,
    sha: 'a'.repeat(40),
    ref: 'refs/heads/main',
    refName: 'main',
    baseRef: '',
    headRef: '',
    eventName: 'push',
    actor: 'octocat',
    job: PUBLISHING_JOB,
    workflowRef: 'team/app/.github/workflows/ship.yml@refs/heads/main',
    workflow: 'Ship',
    runnerName: `runner-${runId}`,
    serverUrl: 'https://github.example',
    apiUrl: 'https://api.github.example',
    defaultBranch: 'main',
    privateRepository: false,
    fork: false,
    workspace: '/w',
    temp: '/t',
    ...change,
  };
}

export const ORDER: OrderInputs = {
  mode: 'in-turn',
  state: 'github',
  job: '',
  lane: '',
  bucket: 'team-order',
  timeout: 30 * 60_000,
  interval: 5_000,
};
