import { resolve } from 'node:path';
import type { RunContext } from '../context.ts';
import { kind } from './build-files.ts';
import type { BuildInputs } from './inputs.ts';
import type { InputName } from './names.ts';
import { show, type Reader } from './reader.ts';

type SecretInputs = Pick<BuildInputs, 'secrets' | 'secretEnvs' | 'secretFiles' | 'ssh'>;

/** Secrets and SSH. No message shows a value, and no line that may be part of one. */
export function readSecrets(
  reader: Reader,
  context: RunContext,
  mask: (secret: string) => void,
): SecretInputs {
  const secrets = reader.lines('secrets');
  const secretEnvs = reader.commas('secret-envs');
  const secretFiles = reader.lines('secret-files');
  const ids: string[] = [];

  for (const [index, item] of secrets.entries()) {
    const pair = idAndValue(item);
    const place = `item ${index + 1} of ${secrets.length}`;
    // `abcd==` is a secret without an id whose base64 is padded.
    if (pair === undefined || pair.value === '=') {
      reader.problem(
        'secrets',
        `${place} is no id=value (it is not shown: it may be part of a secret)`,
        'A value of several lines stands in quotes, with " inside it doubled: "KEY=first line⏎second line"',
      );
      continue;
    }
    ids.push(pair.id);
    if (pair.value !== '') mask(pair.value);
    else if (!context.fork) missingValue(reader, 'secrets', `${place} has an empty value`);
  }
  for (const item of secretEnvs) {
    const pair = idAndValue(item);
    if (pair === undefined || !/^[A-Za-z_]\w*$/.test(pair.value)) {
      reader.problem(
        'secret-envs',
        `${pair === undefined ? 'an item' : show(pair.id)} is no id=VARIABLE`,
        'Example: secret-envs: token=NPM_TOKEN',
      );
      continue;
    }
    ids.push(pair.id);
    const value = reader.env[pair.value];
    if (value) mask(value);
    else if (!context.fork) {
      missingValue(
        reader,
        'secret-envs',
        `${show(pair.id)} names the variable ${pair.value}, which is not set`,
      );
    }
  }
  for (const item of secretFiles) {
    const pair = idAndValue(item);
    if (pair === undefined || pair.value === '') {
      reader.problem(
        'secret-files',
        `${show(item)} is no id=path`,
        'Example: secret-files: netrc=./.netrc',
      );
      continue;
    }
    ids.push(pair.id);
    if (kind(resolve(context.workspace, pair.value)) === 'file') continue;
    reader.problem(
      'secret-files',
      `the file ${show(pair.value)} of ${show(pair.id)} is not there`,
      `It is looked for in ${context.workspace}. Example: secret-files: ${pair.id}=./secrets/${pair.id}`,
    );
  }
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) {
    reader.problem(
      'secrets',
      `the id ${show(id)} is given twice (secrets, secret-envs and secret-files count together)`,
    );
  }
  return { secrets, secretEnvs, secretFiles, ssh: readSsh(reader, context) };
}

/** Split at the first `=`; undefined when there is none, or no usable id before it. */
export function idAndValue(item: string): { id: string; value: string } | undefined {
  const at = item.indexOf('=');
  const id = item.slice(0, Math.max(at, 0)).trim();
  return /^[\w.-]+$/.test(id) ? { id, value: item.slice(at + 1) } : undefined;
}

function missingValue(reader: Reader, name: InputName, what: string): void {
  reader.problem(
    name,
    what,
    'Is the secret defined for this repository (and environment)? An undefined one reads as empty text.',
  );
}

/** `default` (the agent) or `id=path` of a key or of an agent's socket. */
function readSsh(reader: Reader, context: RunContext): readonly string[] {
  const items = reader.commas('ssh');
  for (const item of items) {
    const [, id, , path] = /^([\w.-]+)(=(.+))?$/.exec(item) ?? [];
    if (id === undefined) {
      reader.problem(
        'ssh',
        `${show(item)} is neither default nor id=path`,
        'Example: ssh: default',
      );
    } else if (path !== undefined) {
      if (kind(resolve(context.workspace, path)) === 'file') continue;
      reader.problem(
        'ssh',
        `the key or socket ${show(path)} of ${show(id)} is not there`,
        `Example: ssh: ${id}=/home/runner/.ssh/id_ed25519`,
      );
    } else if (!reader.env['SSH_AUTH_SOCK'] && !context.fork) {
      reader.problem(
        'ssh',
        `${show(item)} means the SSH agent, but none is running (SSH_AUTH_SOCK is not set)`,
        'Start one in an earlier step (webfactory/ssh-agent), or give a key: ssh: default=/path/to/key',
      );
    }
  }
  return items;
}
