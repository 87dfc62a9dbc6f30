/** What a child process left behind. `code` null: ended by `signal`. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string | undefined;
  /** The whole environment of the child; default: this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly stdin?: string | undefined;
  /** SIGINT at abort, SIGKILL 5 s later; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onStdout?: ((line: string) => void) | undefined;
  readonly onStderr?: ((line: string) => void) | undefined;
  /** How much of each stream is kept, in characters from its end. Default 1,000,000. */
  readonly keep?: number | undefined;
}

/**
 * Starts programs without a shell. Rejects when the program can't be started ("never started");
 * resolves with its exit code otherwise ("exited non-zero" is for the caller to judge).
 */
export type Run = (
  command: string,
  args: readonly string[],
  options?: RunOptions,
) => Promise<Ended>;
