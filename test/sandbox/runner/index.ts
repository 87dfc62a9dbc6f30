import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LogReader, type Shown } from './commands.ts';
import { makeFiles } from './files.ts';
import { endOrphans, runPhase } from './phase.ts';
import { inputVariables, runVariables, type RunFacts } from './variables.ts';

export type { RunFacts } from './variables.ts';
export type { Shown } from './commands.ts';

export interface ActionRequest {
  /** GITHUB_WORKSPACE: the checkout, and the working folder. */
  readonly workspace: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly run?: RunFacts;
  /** Variables of the job and of the stand-ins; win over the runner's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** `${{ github.token }}` in defaults of action.yml. Masked, as every secret of a job. */
  readonly githubToken?: string;
  /** Values known as secrets to the runner from the start. */
  readonly secrets?: readonly string[];
  /** Cancels the run (SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL); the post phase still runs. */
  readonly cancel?: AbortSignal;
  /** The same, when a line of the log fits. */
  readonly cancelAt?: RegExp;
  readonly onLine?: (line: string) => void;
  /** RUNNER_TEMP at a path of its own, emptied before the job, as on GitHub's runners; default: a new one. */
  readonly temp?: string;
  /** Another action than this project's: its entries and action.yml. */
  readonly action?: { readonly main: string; readonly post?: string; readonly file: string };
}

export interface PhaseRun {
  /** Null: ended by `signal`. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What a person reads, secrets hidden. */
  readonly log: string;
  /** Both streams as they came, commands and secrets included. */
  readonly raw: string;
  readonly annotations: readonly Shown[];
  readonly debug: readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  readonly exported: Readonly<Record<string, string>>;
  readonly path: readonly string[];
  readonly summary: string;
  readonly ms: number;
  /** From the cancel to the end, ms; undefined: not cancelled. */
  readonly cancelMs: number | undefined;
}

export interface ActionRun {
  readonly main: PhaseRun;
  readonly post: PhaseRun;
  /** Both phases ended with 0. */
  readonly ok: boolean;
  /** Where a masked value got out: printed before it was masked, or in state, outputs, files. */
  readonly leaks: readonly string[];
  /** Everything masked so far. */
  readonly masks: readonly string[];
  /** Files left in RUNNER_TEMP after post, the runner's own left out. */
  readonly left: readonly string[];
  /** Command lines of processes that outlived the job; they have been ended. */
  readonly orphans: readonly string[];
}

const project = fileURLToPath(new URL('../../../', import.meta.url));

/** This project's action: the bundle, or its source when `SANDBOX_ACTION=src`. */
function ownAction() {
  const [folder, ending] = process.env['SANDBOX_ACTION'] === 'src' ? ['src', 'ts'] : ['dist', 'js'];
  return {
    main: join(project, folder, `main.${ending}`),
    post: join(project, folder, `post.${ending}`),
    file: join(project, 'action.yml'),
  };
}

/** Runs an action as one step of a job on a fresh runner: main, then always post. */
export async function runAction(request: ActionRequest): Promise<ActionRun> {
  const action = request.action ?? ownAction();
  if (!existsSync(action.main))
    throw new Error(`${action.main} is not there: run \`npm run build\``);
  const folder = await mkdtemp(join(tmpdir(), 'runner-'));
  const tracking = `github_${randomUUID()}`;
  const masks = new Set([...(request.secrets ?? []), request.githubToken ?? ''].filter(Boolean));
  try {
    const temp = request.temp ?? join(folder, '_temp');
    await rm(temp, { recursive: true, force: true });
    const home = join(folder, 'home');
    const { event, variables } = runVariables(request.run ?? {}, {
      workspace: request.workspace,
      temp,
    });
    await mkdir(join(temp, '_github_workflow'), { recursive: true });
    await mkdir(home);
    await writeFile(join(temp, '_github_workflow', 'event.json'), JSON.stringify(event));
    const inputs = inputVariables(action.file, request.inputs, request.githubToken ?? '');
    const base: NodeJS.ProcessEnv = {
      PATH: process.env['PATH'],
      HOME: home,
      LANG: 'C.UTF-8',
      ...variables,
      RUNNER_TOOL_CACHE: join(folder, 'tools'),
      RUNNER_TRACKING_ID: tracking,
      ...request.env,
      ...inputs.variables,
    };
    const stopping = new AbortController();
    const cancel = () => stopping.abort();
    if (request.cancel?.aborted === true) cancel();
    request.cancel?.addEventListener('abort', cancel, { once: true });

    const phase = async (script: string, env: NodeJS.ProcessEnv, signal: AbortSignal) => {
      const files = await makeFiles(temp);
      const log = new LogReader(masks);
      const ended = await runPhase({
        script,
        cwd: request.workspace,
        env: { ...env, ...files.variables },
        log,
        cancel: signal,
        onLine: (line) => {
          request.onLine?.(line);
          if (request.cancelAt?.test(line) === true) cancel();
        },
      });
      const told = await files.read();
      const result: PhaseRun = {
        ...ended,
        ...told,
        log: log.lines.join('\n'),
        annotations: log.annotations,
        debug: log.debug,
      };
      return { result, early: log.early, refused: log.refused };
    };

    const main = await phase(action.main, base, stopping.signal);
    const { state, exported, path } = main.result;
    const later: NodeJS.ProcessEnv = {
      ...base,
      ...exported,
      PATH: [...path.toReversed(), base['PATH'] ?? ''].join(':'),
      ...Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value])),
    };
    const post =
      action.post === undefined
        ? undefined
        : await phase(action.post, later, new AbortController().signal);
    request.cancel?.removeEventListener('abort', cancel);
    const phases = post === undefined ? { main } : { main, post };
    const orphans = await endOrphans(tracking);
    const after = await readdir(temp, { recursive: true, withFileTypes: true });
    return {
      main: withUnexpected(main.result, inputs.unexpected),
      post: post?.result ?? nothing,
      ok: main.result.code === 0 && (post === undefined || post.result.code === 0),
      leaks: Object.entries(phases).flatMap(([name, { result, early, refused }]) => [
        ...early.map((secret) => `${name}: printed before it was masked: ${secret}`),
        ...refused.map((command) => `${name}: used the switched-off command ${command}`),
        ...leaksOf(name, result, masks),
      ]),
      masks: [...masks],
      left: after
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(temp.length + 1))
        .filter((file) => !/^_(runner_file_commands|github_workflow)\//.test(file)),
      orphans,
    };
  } finally {
    await endOrphans(tracking);
    await rm(folder, { recursive: true, force: true });
  }
}

const nothing: PhaseRun = {
  code: 0,
  signal: null,
  log: '',
  raw: '',
  annotations: [],
  debug: [],
  outputs: {},
  state: {},
  exported: {},
  path: [],
  summary: '',
  ms: 0,
  cancelMs: undefined,
};

function withUnexpected(run: PhaseRun, unexpected: readonly string[]): PhaseRun {
  if (unexpected.length === 0) return run;
  const message = `Unexpected input(s) ${unexpected.map((name) => `'${name}'`).join(', ')}`;
  return { ...run, annotations: [{ level: 'warning', message }, ...run.annotations] };
}

function leaksOf(phase: string, run: PhaseRun, masks: ReadonlySet<string>): string[] {
  const places: [string, string][] = [
    ['the summary', run.summary],
    ...Object.entries(run.outputs).map(
      ([name, value]) => [`output ${name}`, value] as [string, string],
    ),
    ...Object.entries(run.state).map(
      ([name, value]) => [`state ${name}`, value] as [string, string],
    ),
    ...Object.entries(run.exported).map(
      ([name, value]) => [`variable ${name}`, value] as [string, string],
    ),
  ];
  return places.flatMap(([place, text]) =>
    [...masks]
      .filter((secret) => secret.length >= 4 && text.includes(secret))
      .map((secret) => `${phase}: ${place} holds the masked value ${secret}`),
  );
}
