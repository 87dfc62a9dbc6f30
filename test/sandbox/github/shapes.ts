/** A workflow run of the stand-in; everything not given has a plain default. */
export interface RunRecord {
  id: number;
  number: number;
  attempt: number;
  /** File name of the workflow under `.github/workflows`. */
  workflow: string;
  branch: string | null;
  event: string;
  sha: string;
  status: string;
  conclusion: string | null;
  createdAt: string;
}

export interface JobRecord {
  id: number;
  name: string;
  attempt: number;
  status: string;
  conclusion: string | null;
  runnerName: string | null;
  startedAt: string;
  completedAt: string | null;
}

/** Where the answers' links point. */
export interface Place {
  readonly repository: string;
  readonly apiUrl: string;
  readonly serverUrl: string;
}

const plural = (names: string) => names.split(' ').map((name) => `${name}_url`);
const repositoryLinks = plural(
  `archive assignees blobs branches collaborators comments commits compare contents contributors
deployments downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events
issues keys labels languages merges milestones notifications pulls releases stargazers statuses
subscribers subscription tags teams trees`.replaceAll('\n', ' '),
);
const userLinks = plural(
  'avatar events followers following gists organizations received_events repos starred subscriptions',
);
const links = (names: readonly string[], base: string) =>
  Object.fromEntries(names.map((name) => [name, `${base}/${name.replace(/_url$/, '')}`]));

function user(login: string, place: Place) {
  const url = `${place.apiUrl}/users/${login}`;
  return {
    login,
    id: 583_231,
    node_id: 'MDQ6VXNlcjU4MzIzMQ==',
    gravatar_id: '',
    url,
    html_url: `${place.serverUrl}/${login}`,
    type: 'User',
    site_admin: false,
    ...links(userLinks, url),
  };
}

function repository(place: Place) {
  const [owner = '', name = ''] = place.repository.split('/');
  const url = `${place.apiUrl}/repos/${place.repository}`;
  return {
    id: 1_296_269,
    node_id: 'MDEwOlJlcG9zaXRvcnkxMjk2MjY5',
    name,
    full_name: place.repository,
    owner: user(owner, place),
    private: false,
    html_url: `${place.serverUrl}/${place.repository}`,
    description: null,
    fork: false,
    url,
    ...links(repositoryLinks, url),
  };
}

/** `workflow-run` of GitHub's OpenAPI description. */
export function runBody(run: RunRecord, workflowId: number, place: Place) {
  const repo = `${place.apiUrl}/repos/${place.repository}`;
  const url = `${repo}/actions/runs/${run.id}`;
  return {
    id: run.id,
    name: 'Ship',
    node_id: `WFR_${run.id}`,
    head_branch: run.branch,
    head_sha: run.sha,
    path: `.github/workflows/${run.workflow}`,
    display_title: `Change ${run.number}`,
    run_number: run.number,
    event: run.event,
    status: run.status,
    conclusion: run.conclusion,
    workflow_id: workflowId,
    check_suite_id: run.id,
    url,
    html_url: `${place.serverUrl}/${place.repository}/actions/runs/${run.id}`,
    pull_requests: [],
    created_at: run.createdAt,
    updated_at: run.createdAt,
    run_attempt: run.attempt,
    run_started_at: run.createdAt,
    actor: user('octocat', place),
    triggering_actor: user('octocat', place),
    jobs_url: `${url}/jobs`,
    logs_url: `${url}/logs`,
    check_suite_url: `${repo}/check-suites/${run.id}`,
    artifacts_url: `${url}/artifacts`,
    cancel_url: `${url}/cancel`,
    rerun_url: `${url}/rerun`,
    previous_attempt_url: run.attempt > 1 ? `${url}/attempts/${run.attempt - 1}` : null,
    workflow_url: `${repo}/actions/workflows/${workflowId}`,
    head_commit: {
      id: run.sha,
      tree_id: run.sha,
      message: `Change ${run.number}`,
      timestamp: run.createdAt,
      author: { name: 'Octo Cat', email: 'octocat@example.com' },
      committer: { name: 'Octo Cat', email: 'octocat@example.com' },
    },
    repository: repository(place),
    head_repository: repository(place),
  };
}

/** `job` of GitHub's OpenAPI description. */
export function jobBody(job: JobRecord, run: RunRecord, place: Place) {
  const repo = `${place.apiUrl}/repos/${place.repository}`;
  return {
    id: job.id,
    run_id: run.id,
    workflow_name: 'Ship',
    head_branch: run.branch,
    run_url: `${repo}/actions/runs/${run.id}`,
    run_attempt: job.attempt,
    node_id: `CR_${job.id}`,
    head_sha: run.sha,
    url: `${repo}/actions/jobs/${job.id}`,
    html_url: `${place.serverUrl}/${place.repository}/actions/runs/${run.id}/job/${job.id}`,
    status: job.status,
    conclusion: job.conclusion,
    created_at: job.startedAt,
    started_at: job.startedAt,
    completed_at: job.completedAt,
    name: job.name,
    steps: [],
    check_run_url: `${repo}/check-runs/${job.id}`,
    labels: ['ubuntu-latest'],
    runner_id: job.runnerName === null ? null : 1,
    runner_name: job.runnerName,
    runner_group_id: job.runnerName === null ? null : 2,
    runner_group_name: job.runnerName === null ? null : 'GitHub Actions',
  };
}
