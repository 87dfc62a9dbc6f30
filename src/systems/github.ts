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
  /** All jobs of all attempts (`filter=all`). */
  jobs(runId: number): Promise<readonly WorkflowJob[]>;
}
