import { appendFile } from 'node:fs/promises';
import process from 'node:process';
import * as core from '@actions/core';
import { ActionError, asError } from '../errors.ts';

/** The runner's commands: log, annotations, masks, outputs, state. */
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
  /** Adds to the job's summary; GitHub cuts a step's summary off at 1 MiB by showing none of it. */
  summary(markdown: string): Promise<void>;
  /** A fresh OIDC token of GitHub's for `audience`; masked. */
  idToken(audience: string): Promise<string>;
  setFailed(message: string): void;
}

const printing: Log = {
  info: (line) => core.info(line),
  debug: (line) => core.debug(line),
  notice: (message, at) => core.notice(message, at),
  warning: (message, at) => core.warning(message, at),
  error: (message, at) => core.error(message, at),
  group: (title, work) => grouped(printing, title, work),
};

/** Runs `work` with a log that keeps what it is told, and prints all of it as one group at the end. */
async function grouped<T>(log: Log, title: string, work: (log: Log) => Promise<T>): Promise<T> {
  const kept: ((log: Log) => void)[] = [];
  const keeping: Log = {
    info: (line) => void kept.push((to) => to.info(line)),
    debug: (line) => void kept.push((to) => to.debug(line)),
    notice: (message, at) => void kept.push((to) => to.notice(message, at)),
    warning: (message, at) => void kept.push((to) => to.warning(message, at)),
    error: (message, at) => void kept.push((to) => to.error(message, at)),
    // The runner knows no groups within groups: the inner title is a line of its own.
    group: (inner, innerWork) => {
      kept.push((to) => to.info(inner));
      return innerWork(keeping);
    },
  };
  try {
    return await work(keeping);
  } finally {
    core.startGroup(title);
    for (const print of kept) print(log);
    core.endGroup();
  }
}

/** Largest summary GitHub shows for one step, in bytes. */
export const summaryLimit = 1024 * 1024;

/** The runner this process was started by, over its commands (stdout) and files (`GITHUB_OUTPUT`, …). */
export function connectRunner(): Runner {
  return {
    log: printing,
    mask: (secret) => {
      // The runner hides each line of a multi-line value by itself; an empty value would be refused.
      if (secret.trim() !== '') core.setSecret(secret);
    },
    setOutput: (name, value) => core.setOutput(name, value),
    saveState: (name, value) => core.saveState(name, value),
    getState: (name) => core.getState(name),
    addPath: (folder) => core.addPath(folder),
    exportVariable: (name, value) => core.exportVariable(name, value),
    summary: writeSummary,
    idToken,
    setFailed: (message) => core.setFailed(message),
  };
}

async function writeSummary(markdown: string): Promise<void> {
  const file = process.env['GITHUB_STEP_SUMMARY'];
  // Old GitHub Enterprise servers have no summaries: the log tells the same.
  if (file === undefined || file === '') return;
  const shown =
    Buffer.byteLength(markdown) < summaryLimit
      ? markdown
      : `${Buffer.from(markdown)
          .subarray(0, summaryLimit - 200)
          .toString('utf8')}\n\n(cut off here: GitHub shows at most 1 MiB)`;
  await appendFile(file, `${shown}\n`);
}

async function idToken(audience: string): Promise<string> {
  const url = process.env['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? '';
  const token = process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? '';
  const hint =
    'Give the job `permissions: { id-token: write, contents: read }`. A pull request from a fork, or of Dependabot, never gets it.';
  if (url === '' || token === '') {
    throw new ActionError('This job may not ask GitHub for an OIDC token.', { hint });
  }
  try {
    return await core.getIDToken(audience);
  } catch (error) {
    throw new ActionError(`GitHub gave no OIDC token for the audience "${audience}".`, {
      cause: asError(error),
      hint: 'GitHub was asked several times: see githubstatus.com, and run the job again.',
    });
  }
}
