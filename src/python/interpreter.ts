import { join } from 'node:path';
import { ActionError, asError } from '../errors.ts';
import type { Run } from '../systems/process.ts';

/** An interpreter, and what makes an environment of one unusable with another. */
export interface Interpreter {
  /** Real path of the interpreter's own program. */
  readonly executable: string;
  /** `3.13.1` */
  readonly version: string;
  /** `cpython` */
  readonly implementation: string;
  /** `linux-x86_64` */
  readonly platform: string;
  /** Distribution and its version, or the system's: compiled packages are bound to its libraries. */
  readonly system: string;
  /** Its folder, when this is a virtual environment that is active already. */
  readonly active: string | undefined;
  /** `name-version` of what is installed in the active environment. */
  readonly installed: readonly string[];
}

// Kept to what every Python 3 since 3.6 knows.
const question = `
import glob, json, os, platform, sys, sysconfig
system = " ".join([platform.system(), platform.mac_ver()[0]])
try:
    with open("/etc/os-release") as file:
        release = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    system = " ".join(release.get(name, "").strip('"') for name in ("ID", "VERSION_ID"))
except OSError:
    pass
active = sys.prefix != sys.base_prefix
packages = glob.glob(os.path.join(sysconfig.get_paths()["purelib"], "*.dist-info"))
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": platform.python_version(),
    "implementation": sys.implementation.name,
    "platform": sysconfig.get_platform(),
    "system": system.strip(),
    "active": sys.prefix if active else None,
    "installed": sorted(os.path.basename(path)[:-10] for path in packages) if active else [],
}))
`;

/** Where an interpreter is looked for; the first that runs is taken. */
function candidates(env: NodeJS.ProcessEnv): [program: string, why: string][] {
  const active = env['VIRTUAL_ENV'];
  // Set by actions/setup-python to the folder of the version it set up.
  const chosen = env['pythonLocation'];
  return [
    ...(active ? [[join(active, 'bin', 'python'), 'VIRTUAL_ENV'] as [string, string]] : []),
    ...(chosen ? [[join(chosen, 'bin', 'python3'), 'pythonLocation'] as [string, string]] : []),
    ['python3', 'PATH'],
    ['python', 'PATH'],
  ];
}

/**
 * Finds the Python that the requirements are for: an active virtual environment, the one that
 * actions/setup-python set up, or the system's.
 *
 * @throws ActionError when none runs.
 */
export async function findInterpreter(
  run: Run,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Interpreter> {
  const tried: string[] = [];
  for (const [program, why] of candidates(env)) {
    try {
      const { code, stdout, stderr } = await run(program, ['-I', '-c', question], { env, signal });
      if (code === 0) {
        const found = JSON.parse(stdout) as Interpreter & { active: string | null };
        return { ...found, active: found.active ?? undefined };
      }
      tried.push(`${program} (${why}): exit ${code} ${stderr.trim().split('\n').at(-1) ?? ''}`);
    } catch (error) {
      signal?.throwIfAborted();
      tried.push(`${program} (${why}): ${asError(error).message}`);
    }
  }
  throw new ActionError('pip-requirements is set, but no Python 3 runs here.', {
    block: tried.join('\n'),
    hint: 'Add a step before this one: uses: actions/setup-python',
  });
}
