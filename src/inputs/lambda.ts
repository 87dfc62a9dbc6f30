import type { FunctionTarget, LambdaInputs } from './inputs.ts';
import { parseDuration, show, type Reader } from './reader.ts';

const example = 'Example: lambda-functions: my-function:live';

/**
 * @param region the action's Region: Lambda takes images of its own Region only.
 */
export function readLambda(reader: Reader, region: string): LambdaInputs {
  const publish = reader.flag('lambda-publish');
  const functions = reader
    .lines('lambda-functions')
    .map((line) => readTarget(reader, line, region))
    .filter((target) => target !== undefined);
  const seen = new Set<string>();
  for (const { name, alias } of functions) {
    const written = alias === undefined ? name : `${name}:${alias}`;
    if (seen.has(written))
      reader.problem('lambda-functions', `${show(written)} is there twice`, 'Keep one.');
    seen.add(written);
    if (alias !== undefined && !publish) {
      reader.problem(
        'lambda-functions',
        `${show(written)} has an alias, but lambda-publish is false: an alias points at a published version`,
        `Leave lambda-publish out, or the alias: lambda-functions: ${name}`,
      );
    }
  }
  return {
    functions,
    publish,
    invoke: readPayload(reader),
    rollback: reader.flag('lambda-rollback'),
    timeout: reader.duration('lambda-timeout', { min: '10s', max: '1h' }),
  };
}

/** One line: `name[:alias] [canary=10%,5m]`; the name is a name, an ARN, or `account:function:name`. */
function readTarget(reader: Reader, line: string, region: string): FunctionTarget | undefined {
  const [written = '', ...options] = line.split(/\s+/);
  const pattern =
    /^((?:arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:|\d{12}:function:|function:)?([\w-]+))(?::([\w$-]+))?$/;
  const [, name, arnRegion, own, alias] = pattern.exec(written) ?? [];
  if (name === undefined || own === undefined || own.length > 64) {
    reader.problem(
      'lambda-functions',
      `${show(written)} is no function (name[:alias], its ARN, or ACCOUNT:function:name)`,
      written.includes(',') ? `One function a line. ${example}` : example,
    );
    return undefined;
  }
  if (alias !== undefined && (/^\d+$/.test(alias) || alias.includes('$') || alias.length > 128)) {
    reader.problem(
      'lambda-functions',
      `${show(written)} names the version ${show(alias)}: a version never changes, an alias moves`,
      example,
    );
  }
  if (arnRegion !== undefined && region !== '' && arnRegion !== region) {
    reader.problem(
      'lambda-functions',
      `${show(written)} lies in ${arnRegion}, the image in ${region}`,
      'Lambda takes images of its own Region only: ship to a repository there in a step of its own.',
    );
  }
  const canary = readCanary(reader, written, options);
  if (canary !== undefined && alias === undefined) {
    reader.problem(
      'lambda-functions',
      `${show(line)} has a canary but no alias: traffic is shifted by an alias`,
      `Example: lambda-functions: ${name}:live canary=10%,5m`,
    );
  }
  return { name, alias, canary };
}

function readCanary(
  reader: Reader,
  written: string,
  options: readonly string[],
): FunctionTarget['canary'] {
  if (options.length === 0) return undefined;
  const [, percent = '', span = ''] = /^canary=(\d{1,2})%,(\S+)$/.exec(options.join('')) ?? [];
  const stepMs = parseDuration(span);
  if (Number(percent) >= 1 && stepMs !== undefined && stepMs >= 1000 && stepMs <= 3_600_000) {
    return { percent: Number(percent), stepMs };
  }
  reader.problem(
    'lambda-functions',
    `${show(options.join(' '))} is no canary (1 to 99 %, then a step of 1s to 1h)`,
    `Example: lambda-functions: ${written} canary=10%,5m`,
  );
  return undefined;
}

function readPayload(reader: Reader): string | undefined {
  const found = reader.text('lambda-invoke');
  if (found === '') return undefined;
  try {
    JSON.parse(found);
  } catch {
    // Not shown: a payload may hold a token.
    reader.problem(
      'lambda-invoke',
      `is no JSON (${found.length} characters)`,
      `Example: lambda-invoke: '{"path": "/health"}'`,
    );
  }
  return found;
}
