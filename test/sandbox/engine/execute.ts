import { spawn } from 'node:child_process';
import process from 'node:process';
import { ActionError } from '../../../src/errors.ts';

export interface Executed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecuteOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** ms; the program is killed then and `code` is null. */
  readonly timeout?: number;
}

/** Runs a program to its end. Rejects only when it can't be started. */
export function execute(
  command: string,
  args: readonly string[],
  options: ExecuteOptions = {},
): Promise<Executed> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeout,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    // A program that ends without reading its input closes the pipe: nothing is lost by that.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs a program that must succeed. @throws ActionError with its last words otherwise. */
export async function must(
  command: string,
  args: readonly string[],
  options: ExecuteOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await execute(command, args, options);
  if (code === 0) return stdout;
  throw new ActionError(
    `${command} ${args.slice(0, 4).join(' ')} … ended with ${code ?? 'a signal'}.`,
    { block: `${stdout}\n${stderr}`.trim().split('\n').slice(-30).join('\n') },
  );
}

/** Whether a program of this name is on the PATH. */
export async function onPath(program: string, env = process.env): Promise<boolean> {
  const { code } = await execute('sh', ['-c', `command -v "$0" >/dev/null`, program], { env });
  return code === 0;
}
