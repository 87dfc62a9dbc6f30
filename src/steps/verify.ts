import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ActionError, asError } from '../errors.ts';
import type { Run } from '../systems/process.ts';
import type { Log } from '../systems/runner.ts';

export type VerifyResult =
  | { readonly ok: true; readonly ms: number }
  | { readonly ok: false; readonly ms: number; readonly error: ActionError };

export interface VerifyOptions {
  readonly cwd: string;
  /** The whole environment of the commands. */
  readonly env: NodeJS.ProcessEnv;
  /** Private folder for the script. */
  readonly temp: string;
  readonly run: Run;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the user's checks as GitHub runs a `run:` step with `shell: bash` (stops at the first command
 * that fails, in a pipeline too), output in a group of its own.
 *
 * A failed check is a value, so that a failed build beside it is told as well. An abort rejects.
 */
export async function runVerify(script: string, options: VerifyOptions): Promise<VerifyResult> {
  const from = performance.now();
  const folder = await mkdtemp(join(options.temp, 'verify-'));
  try {
    const file = join(folder, 'verify.sh');
    const report = join(folder, 'failed');
    await writeFile(file, `${prelude}; ${script}\n`, { mode: 0o600 });
    const ended = await options.log.group('verify', (log) => {
      const print = (line: string) => log.info(line);
      return options.run('bash', ['--noprofile', '--norc', '-eEo', 'pipefail', file], {
        cwd: options.cwd,
        env: { ...options.env, [reportVariable]: report },
        signal: options.signal,
        onStdout: print,
        onStderr: print,
      });
    });
    const ms = Math.round(performance.now() - from);
    if (ended.code === 0) return { ok: true, ms };
    const failed = await readReport(report);
    return { ok: false, ms, error: describe(ended, failed, script) };
  } catch (error) {
    options.signal?.throwIfAborted();
    const ms = Math.round(performance.now() - from);
    const message = 'The checks (verify) could not be started: bash did not run.';
    return { ok: false, ms, error: new ActionError(message, { cause: asError(error) }) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const reportVariable = 'SHIP_TO_ECR_VERIFY_REPORT';

/**
 * Before the script's first line, so that line numbers are the script's. Both streams become one, in the order
 * they were written. The command that bash stopped at is left in a file, since the last line of the
 * output is often not about it; `exit` is none that fails (no ERR), so it is caught at the end,
 * where bash knows no line any more.
 */
const prelude = [
  `exec 2>&1`,
  `__report="$${reportVariable}"`,
  `unset ${reportVariable}`,
  `trap 'printf "%s\\n%s\\n" "$LINENO" "$BASH_COMMAND" >"$__report"' ERR`,
  `trap '[ $? = 0 ] || [ -s "$__report" ] || printf "%s\\n%s\\n" 0 "$BASH_COMMAND" >"$__report"' EXIT`,
].join('; ');

interface Failed {
  readonly line: number;
  readonly command: string;
}

async function readReport(file: string): Promise<Failed | undefined> {
  try {
    const [line, ...command] = (await readFile(file, 'utf8')).trimEnd().split('\n');
    return { line: Number(line), command: command.join('\n') };
  } catch {
    // Bash ended without its traps (killed, or the script set its own): the output has to do.
    return undefined;
  }
}

function describe(
  ended: { code: number | null; signal: string | null; stdout: string },
  failed: Failed | undefined,
  script: string,
): ActionError {
  const end = ended.code === null ? `was ended by ${ended.signal}` : `exited with ${ended.code}`;
  const line = failed === undefined ? undefined : script.split('\n')[failed.line - 1]?.trim();
  // Of a pipeline, bash names the last command only: the whole line tells more.
  const command =
    line !== undefined && failed !== undefined && line.includes(failed.command)
      ? line
      : failed?.command;
  const what = command === undefined ? 'the script' : `\`${command}\``;
  const where = line === undefined ? '' : ` (line ${failed?.line} of verify)`;
  return new ActionError(`A check failed: ${what}${where} ${end}.`, {
    block: ended.stdout.trimEnd().split('\n').slice(-40).join('\n'),
    hint:
      ended.code === 127
        ? 'Exit code 127: there is no such program. Is it in the requirements (pip-requirements)?'
        : undefined,
  });
}
