/** The run this process belongs to, from the runner's variables. Read once; nothing else reads them. */
export interface RunContext {
  /** `owner/name`. */
  readonly repository: string;
  readonly runId: number;
  readonly runNumber: number;
  readonly runAttempt: number;
  readonly sha: string;
  /** `refs/heads/main`, `refs/pull/7/merge`, … */
  readonly ref: string;
  readonly refName: string;
  /** Base branch of a pull request, or empty. */
  readonly baseRef: string;
  readonly headRef: string;
  readonly eventName: string;
  readonly actor: string;
  /** Key of the job in the workflow file. */
  readonly job: string;
  /** `owner/repo/.github/workflows/ship.yml@refs/heads/main`. */
  readonly workflowRef: string;
  readonly workflow: string;
  readonly runnerName: string;
  readonly serverUrl: string;
  readonly apiUrl: string;
  readonly defaultBranch: string;
  readonly privateRepository: boolean;
  /** A pull request from another repository, or Dependabot's: no secrets, read-only cache. */
  readonly fork: boolean;
  readonly workspace: string;
  readonly temp: string;
}

/** Whether this run may publish at all: pull requests from forks and Dependabot only build. */
export function mayPublish(context: RunContext): boolean {
  return !context.fork;
}

/** Link to this run's attempt, for provenance and messages. */
export function runUrl(context: RunContext): string {
  return `${context.serverUrl}/${context.repository}/actions/runs/${context.runId}/attempts/${context.runAttempt}`;
}
