import { rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ActionError } from '../errors.ts';
import type { Run, RunOptions } from '../systems/process.ts';
import type { Log } from '../systems/runner.ts';
import type { RequirementItem } from './requirement-files.ts';

interface Tools {
  readonly run: Run;
  readonly log: Log;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

/** The environment's own interpreter. */
export function interpreterOf(environment: string): string {
  return join(environment, 'bin', 'python');
}

/** Makes an empty virtual environment with pip. @throws ActionError with Python's words. */
export async function makeEnvironment(
  executable: string,
  folder: string,
  tools: Tools,
): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true });
  const { code, stdout, stderr } = await tools.run(executable, ['-m', 'venv', folder], {
    env: tools.env,
    signal: tools.signal,
  });
  if (code === 0) return;
  throw new ActionError(`${executable} could not make a virtual environment (exit ${code}).`, {
    block: lastLines(`${stdout}\n${stderr}`),
    hint: 'Debian and Ubuntu have it in a package of its own: apt-get install python3-venv. Or add a step before this one: uses: actions/setup-python',
  });
}

/** Whether an environment that came from the cache works here. */
export async function works(environment: string, tools: Tools): Promise<boolean> {
  try {
    const { code } = await tools.run(interpreterOf(environment), ['-c', 'import sys'], tools);
    return code === 0;
  } catch {
    tools.signal?.throwIfAborted();
    // Its interpreter can't even be started: as bad as one that fails.
    return false;
  }
}

/** `auto` is uv when one is on the PATH. @throws ActionError when uv is asked for and not there. */
export async function chooseInstaller(
  wanted: 'auto' | 'pip' | 'uv',
  tools: Tools,
): Promise<'pip' | 'uv'> {
  if (wanted === 'pip') return 'pip';
  try {
    const { code } = await tools.run('uv', ['--version'], { env: tools.env, signal: tools.signal });
    if (code === 0) return 'uv';
  } catch {
    tools.signal?.throwIfAborted();
    // No uv on the PATH.
  }
  if (wanted === 'auto') return 'pip';
  throw new ActionError('pip-installer is "uv", but no uv is on the PATH.', {
    hint: 'Add a step before this one: uses: astral-sh/setup-uv',
  });
}

/** Variables that make pip and uv keep their downloads in our folder. */
export function downloadCache(folder: string): NodeJS.ProcessEnv {
  return { PIP_CACHE_DIR: folder, UV_CACHE_DIR: folder };
}

/**
 * Installs into `environment`, with what each installer prints in the log.
 *
 * @throws ActionError with the installer's last lines.
 */
export async function install(
  options: {
    installer: 'pip' | 'uv';
    environment: string;
    items: readonly RequirementItem[];
    /** Folder for the lists made from pyproject.toml. */
    temp: string;
    /** Where relative paths in the lists start. */
    workspace: string;
  },
  tools: Tools,
): Promise<void> {
  const python = interpreterOf(options.environment);
  const lists: string[] = [];
  for (const [index, item] of options.items.entries()) {
    lists.push(
      item.kind === 'file'
        ? item.path
        : await listDependencies(item, join(options.temp, `pyproject-${index}.txt`), python, tools),
    );
  }
  const files = lists.flatMap((path) => ['-r', path]);
  const [command, args] =
    options.installer === 'uv'
      ? ['uv', ['pip', 'install', '--python', python, '--no-progress', ...files]]
      : [
          python,
          [
            '-m',
            'pip',
            'install',
            '--no-input',
            '--progress-bar',
            'off',
            ...noVersionCheck,
            ...files,
          ],
        ];
  const { code, stdout, stderr } = await tools.run(command, args, {
    ...following(tools),
    cwd: options.workspace,
  });
  if (code === 0) return;
  throw new ActionError(`Installing the Python requirements failed (${command} exit ${code}).`, {
    block: lastLines(stderr.includes('ERROR') || stdout === '' ? stderr : `${stdout}\n${stderr}`),
  });
}

const noVersionCheck = ['--disable-pip-version-check'];

const dependencies = `
import json, sys
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file).get("project", {})
dynamic = {"dependencies", "optional-dependencies"} & set(project.get("dynamic", []))
if dynamic:
    sys.exit("its " + ", ".join(sorted(dynamic)) + " are dynamic")
extras = project.get("optional-dependencies", {})
found = list(project.get("dependencies", []))
for extra in sys.argv[2:]:
    if extra not in extras:
        sys.exit("it has no extra " + extra + " (it has: " + (", ".join(sorted(extras)) or "none") + ")")
    found += extras[extra]
print("\\n".join(found))
`;

/**
 * Writes a project's dependencies as a requirements file. The project itself is not installed: its
 * code changes with each commit, and an environment is kept as long as the dependencies are the same.
 */
async function listDependencies(
  project: { path: string; extras: readonly string[] },
  file: string,
  python: string,
  tools: Tools,
): Promise<string> {
  const { code, stdout, stderr } = await tools.run(
    python,
    ['-c', dependencies, project.path, ...project.extras],
    { env: tools.env, signal: tools.signal },
  );
  if (code !== 0) {
    const why = stderr.trim().split('\n').at(-1) ?? '';
    throw new ActionError(`The dependencies of ${project.path} can't be read: ${why}.`, {
      hint: 'Dependencies are read from [project] in pyproject.toml. Otherwise export them to a requirements file and name that.',
    });
  }
  writeFileSync(file, stdout, { mode: 0o600 });
  return file;
}

function following(tools: Tools): RunOptions {
  return {
    env: tools.env,
    signal: tools.signal,
    onStdout: (line) => tools.log.info(line),
    onStderr: (line) => tools.log.info(line),
  };
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-25).join('\n');
}
