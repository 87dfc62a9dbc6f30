import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** The workflow run a step belongs to. Everything has a default: the first push to main. */
export interface RunFacts {
  readonly repository?: string;
  readonly id?: number;
  readonly number?: number;
  readonly attempt?: number;
  readonly sha?: string;
  /** Default `refs/heads/main`. */
  readonly ref?: string;
  readonly eventName?: string;
  /** Merged over a small payload with `repository`. */
  readonly event?: Readonly<Record<string, unknown>>;
  readonly actor?: string;
  readonly job?: string;
  /** File name of the workflow. */
  readonly workflow?: string;
  readonly baseRef?: string;
  readonly headRef?: string;
  readonly serverUrl?: string;
  readonly runnerName?: string;
}

interface ActionFile {
  readonly inputs?: Readonly<
    Record<
      string,
      { default?: string | number | boolean; required?: boolean; deprecationMessage?: string }
    >
  >;
}

/**
 * INPUT_*: names upper-cased with spaces as `_` (hyphens stay), defaults from action.yml; values
 * that action.yml doesn't know are handed on, with the runner's warning.
 */
export function inputVariables(
  actionFile: string,
  inputs: Readonly<Record<string, string>>,
  githubToken: string,
): { variables: Record<string, string>; unexpected: string[] } {
  const known = existsSync(actionFile)
    ? ((parse(readFileSync(actionFile, 'utf8')) as ActionFile).inputs ?? {})
    : {};
  const named = (name: string) => `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`;
  const evaluate = (value: string | number | boolean | undefined) =>
    String(value ?? '').replaceAll(/\$\{\{\s*github\.token\s*\}\}/g, githubToken);
  const variables: Record<string, string> = {};
  for (const [name, input] of Object.entries(known))
    variables[named(name)] = evaluate(input.default);
  for (const [name, value] of Object.entries(inputs)) variables[named(name)] = evaluate(value);
  const lower = new Set(Object.keys(known).map((name) => name.toLowerCase()));
  return {
    variables,
    unexpected: Object.keys(inputs).filter((name) => !lower.has(name.toLowerCase())),
  };
}

export function runVariables(run: RunFacts, folders: { workspace: string; temp: string }) {
  const repository = run.repository ?? 'octo/shop';
  const id = run.id ?? 16_500_000_001;
  const ref = run.ref ?? 'refs/heads/main';
  const eventName = run.eventName ?? 'push';
  const workflow = run.workflow ?? 'ship.yml';
  const event = {
    ref,
    repository: {
      name: repository.split('/')[1],
      full_name: repository,
      default_branch: 'main',
      private: true,
      owner: { login: repository.split('/')[0] },
    },
    ...run.event,
  };
  return {
    event,
    variables: {
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTION: '__octo_ship-to-ecr',
      GITHUB_ACTION_REF: 'v1',
      GITHUB_ACTION_REPOSITORY: 'octo/ship-to-ecr',
      GITHUB_ACTOR: run.actor ?? 'octocat',
      GITHUB_TRIGGERING_ACTOR: run.actor ?? 'octocat',
      GITHUB_BASE_REF: run.baseRef ?? '',
      GITHUB_HEAD_REF: run.headRef ?? '',
      GITHUB_EVENT_NAME: eventName,
      GITHUB_EVENT_PATH: join(folders.temp, '_github_workflow', 'event.json'),
      GITHUB_GRAPHQL_URL: 'https://api.github.com/graphql',
      GITHUB_API_URL: 'https://api.github.com',
      GITHUB_SERVER_URL: run.serverUrl ?? 'https://github.com',
      GITHUB_JOB: run.job ?? 'ship',
      GITHUB_REF: ref,
      GITHUB_REF_NAME: ref.replace(/^refs\/(heads|tags|pull)\//, ''),
      GITHUB_REF_TYPE: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
      GITHUB_REF_PROTECTED: 'false',
      GITHUB_REPOSITORY: repository,
      GITHUB_REPOSITORY_ID: '1296269',
      GITHUB_REPOSITORY_OWNER: repository.split('/')[0] ?? '',
      GITHUB_REPOSITORY_OWNER_ID: '583231',
      GITHUB_RETENTION_DAYS: '90',
      GITHUB_RUN_ATTEMPT: String(run.attempt ?? 1),
      GITHUB_RUN_ID: String(id),
      GITHUB_RUN_NUMBER: String(run.number ?? 1),
      GITHUB_SHA: run.sha ?? createHash('sha1').update(String(id)).digest('hex'),
      GITHUB_WORKFLOW: 'Ship',
      GITHUB_WORKFLOW_REF: `${repository}/.github/workflows/${workflow}@${ref}`,
      GITHUB_WORKFLOW_SHA: run.sha ?? createHash('sha1').update(String(id)).digest('hex'),
      GITHUB_WORKSPACE: folders.workspace,
      RUNNER_ARCH: process.arch === 'arm64' ? 'ARM64' : 'X64',
      RUNNER_ENVIRONMENT: 'github-hosted',
      RUNNER_NAME: run.runnerName ?? 'GitHub Actions 1',
      RUNNER_OS: 'Linux',
      RUNNER_TEMP: folders.temp,
      RUNNER_WORKSPACE: join(folders.workspace, '..'),
    },
  };
}
