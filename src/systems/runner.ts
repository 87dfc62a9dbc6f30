/** The runner's commands: log, annotations, masks, outputs, state. The one real adapter is core.ts. */
export interface Log {
  info(line: string): void;
  debug(line: string): void;
  notice(message: string, at?: Annotation): void;
  warning(message: string, at?: Annotation): void;
  error(message: string, at?: Annotation): void;
  /** A folded group; lines are written at once when `work` has ended, so parallel work never mixes. */
  group<T>(title: string, work: (log: Log) => Promise<T>): Promise<T>;
}

export interface Annotation {
  title?: string;
  file?: string;
  startLine?: number;
  endLine?: number;
}

export interface Runner {
  readonly log: Log;
  /** Hides a value in everything printed from here on; each line of a multi-line value too. */
  mask(secret: string): void;
  setOutput(name: string, value: string): void;
  saveState(name: string, value: string): void;
  getState(name: string): string;
  addPath(folder: string): void;
  exportVariable(name: string, value: string): void;
  summary(markdown: string): Promise<void>;
  /** A fresh OIDC token of GitHub's for `audience`; masked. */
  idToken(audience: string): Promise<string>;
  setFailed(message: string): void;
}
