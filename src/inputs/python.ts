import { resolve } from 'node:path';
import type { RunContext } from '../context.ts';
import { kind } from './build-files.ts';
import type { PythonInputs } from './inputs.ts';
import { show, type Reader } from './reader.ts';

export function readPython(reader: Reader, context: RunContext): PythonInputs {
  const requirements = reader.lines('pip-requirements');
  for (const item of requirements) {
    // Globs are expanded where they are used.
    if (/[*?[{]/.test(item) || kind(resolve(context.workspace, item)) === 'file') continue;
    reader.problem(
      'pip-requirements',
      `the file ${show(item)} is not there`,
      /\s/.test(item)
        ? 'One file a line. Example: pip-requirements: requirements.txt'
        : `It is looked for in ${context.workspace}. Example: pip-requirements: requirements.txt`,
    );
  }
  const cachePrefix = reader.text('pip-cache-prefix');
  // GitHub's cache keys take no comma, and 512 characters in all.
  if (!/^[\w.-]{1,100}$/.test(cachePrefix)) {
    reader.problem(
      'pip-cache-prefix',
      `${show(cachePrefix)} is no prefix (up to 100 of letters, digits and _.-)`,
      'Example: pip-cache-prefix: pip-v2',
    );
  }
  return {
    requirements,
    install: reader.flag('pip-install'),
    installer: reader.choice('pip-installer', ['auto', 'pip', 'uv']),
    cachePrefix,
  };
}
