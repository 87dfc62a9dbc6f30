import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { startGitHub } from './index.ts';

// GitHub's own description of its API: what the stand-in answers must fit it.
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}
interface Description {
  readonly paths: Readonly<
    Record<
      string,
      { get: { responses: Record<string, { content: Record<string, { schema: Schema }> }> } }
    >
  >;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
const file = createRequire(import.meta.url).resolve(
  '@octokit/openapi/generated/api.github.com.json',
);
const description = JSON.parse(readFileSync(file, 'utf8')) as Description;

function problems(value: unknown, schema: Schema, at = ''): string[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace('#/components/schemas/', '');
    return problems(value, description.components.schemas[name] ?? {}, at);
  }
  if (value === null) return schema.nullable === true ? [] : [`${at}: null`];
  const some = schema.anyOf ?? schema.oneOf;
  if (some !== undefined && !some.some((one) => problems(value, one, at).length === 0)) {
    return [`${at}: fits none`];
  }
  const found = (schema.allOf ?? []).flatMap((one) => problems(value, one, at));
  if (schema.enum !== undefined && !schema.enum.includes(value))
    found.push(`${at}: ${JSON.stringify(value)}`);
  const type = Array.isArray(value) ? 'array' : typeof value;
  const wanted = schema.type === 'integer' ? 'number' : schema.type;
  if (wanted !== undefined && wanted !== type) return [...found, `${at}: ${type}, not ${wanted}`];
  if (Array.isArray(value)) {
    const { items = {} } = schema;
    return [...found, ...value.flatMap((item, index) => problems(item, items, `${at}[${index}]`))];
  }
  if (typeof value === 'object') {
    const object = value as Readonly<Record<string, unknown>>;
    for (const name of schema.required ?? []) {
      if (!(name in object)) found.push(`${at}.${name}: missing`);
    }
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
      if (name in object) found.push(...problems(object[name], inner, `${at}.${name}`));
    }
  }
  return found;
}

test("answers fit GitHub's published description", { timeout: 60_000 }, async () => {
  await using github = await startGitHub();
  const queued = github.addRun({ status: 'queued', branch: null });
  const done = github.addRun({ attempt: 2, status: 'completed', conclusion: 'cancelled' });
  github.setJob(queued.id, 'ship', { status: 'queued', runnerName: null });
  github.setJob(done.id, 'ship', { status: 'completed', conclusion: 'skipped' });
  const repository = '/repos/{owner}/{repo}/actions';
  const asked: [string, string][] = [
    [`${repository}/runs/{run_id}`, `runs/${queued.id}`],
    [`${repository}/runs/{run_id}`, `runs/${done.id}`],
    [`${repository}/workflows/{workflow_id}/runs`, 'workflows/ship.yml/runs'],
    [`${repository}/runs/{run_id}/jobs`, `runs/${queued.id}/jobs`],
    [`${repository}/runs/{run_id}/jobs`, `runs/${done.id}/jobs?filter=all`],
  ];
  for (const [path, url] of asked) {
    const answer = await fetch(`${github.url}/repos/octo/shop/actions/${url}`, {
      headers: { authorization: `Bearer ${github.token}` },
    });
    expect(answer.status).toBe(200);
    const schema =
      description.paths[path]?.get.responses['200']?.content['application/json']?.schema;
    expect(schema).toBeDefined();
    expect({ url, found: problems(await answer.json(), schema ?? {}) }).toEqual({ url, found: [] });
  }
});

test('scripted changes between requests, and jobs of the latest attempt only', async () => {
  await using github = await startGitHub();
  const run = github.addRun({ attempt: 2 });
  github.setJob(run.id, 'ship', { attempt: 1, status: 'completed', conclusion: 'failure' });
  github.setJob(run.id, 'ship');
  github.onRequest((operation, requests) => {
    if (operation === 'jobs' && requests.length === 3) {
      github.setJob(run.id, 'ship', { status: 'completed', conclusion: 'success' });
    }
  });
  const jobs = async (filter: string) => {
    const answer = await fetch(
      `${github.url}/repos/octo/shop/actions/runs/${run.id}/jobs?filter=${filter}`,
      { headers: { authorization: `token ${github.token}` } },
    );
    const body = (await answer.json()) as { jobs: { run_attempt: number; status: string }[] };
    return body.jobs.map((job) => `${job.run_attempt} ${job.status}`);
  };
  expect(await jobs('all')).toEqual(['1 completed', '2 in_progress']);
  expect(await jobs('latest')).toEqual(['2 in_progress']);
  expect(await jobs('latest')).toEqual(['2 completed']);
});
