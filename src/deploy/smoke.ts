import { ActionError } from '../errors.ts';
import type { Invocation } from '../systems/lambda.ts';
import { retry } from '../wait.ts';
import { situationOf } from './code.ts';
import type { Deployment } from './context.ts';
import { explainLambda, isConflict, isThrottled } from './errors.ts';
import type { Goal } from './plan.ts';

/**
 * Invokes the new code once and judges by `FunctionError`: the HTTP status of a failed function is 200.
 * Only calls that never reached the code (throttled, not ready yet) are tried again.
 *
 * @param qualifier a version, or `$LATEST`.
 * @throws ActionError with the function's own error and the last 4 kB of its log.
 */
export async function smoke(
  d: Deployment,
  goal: Goal,
  qualifier: string,
  payload: string,
): Promise<void> {
  const { label, name } = goal.plan;
  const started = d.clock.now();
  let result: Invocation;
  try {
    result = await retry(async () => d.lambda.invoke(name, qualifier, payload), {
      tries: 6,
      firstDelay: 1000,
      retryable: (error) => isThrottled(error) || isConflict(error),
      signal: d.signal,
      clock: d.clock,
    });
  } catch (error) {
    throw explainLambda(error, situationOf(goal, 'Invoke'));
  }
  if (result.functionError !== undefined) throw failed(label, qualifier, goal, result);
  d.log.info(
    `${label}: smoke invocation of ${qualifier} answered in ${Math.round(d.clock.now() - started)} ms: ${cut(result.payload, 200)}`,
  );
}

function failed(label: string, qualifier: string, goal: Goal, result: Invocation): ActionError {
  const type = errorType(result.payload) ?? result.functionError ?? 'an error';
  return new ActionError(
    `${label}: the smoke invocation of ${qualifier} failed (${type}): ${cut(result.payload, 1000)} Found: image ${goal.imageUri}, image architecture ${goal.child.architecture}, function architecture ${goal.plan.view.architecture}.`,
    {
      hint: hints.find(({ fits }) => fits.test(result.payload))?.hint ?? otherwise,
      block: result.logTail === '' ? undefined : `Last lines of the log:\n${result.logTail}`,
    },
  );
}

const hints: readonly { fits: RegExp; hint: string }[] = [
  {
    fits: /exec format error/,
    hint: "A program in the image is of another architecture than the function, though the image's config says otherwise: look at the base image (`--platform`) and at binaries that are copied in. A script needs a #! line.",
  },
  {
    fits: /Runtime\.InvalidEntrypoint/,
    hint: 'ENTRYPOINT must be an absolute path of a program that is executable and no dangling link.',
  },
  {
    fits: /Runtime\.ExitError/,
    hint: 'The process ended before it answered: an error at start (see the log), or too little memory. Run the image locally with the same command.',
  },
  {
    fits: /Sandbox\.Timedout|timed out after/i,
    hint: "The function didn't answer within its own timeout: look for calls to what it can't reach (VPC, security groups), or give it more time.",
  },
  {
    fits: /ImportModuleError|HandlerNotFound|ModuleNotFoundError|UserCodeSyntaxError/,
    hint: 'The handler could not be imported: check CMD, the working directory, and that all requirements are in the image.',
  },
];
const otherwise =
  'The code answered with an error: see its log, and whether `lambda-invoke` is an event it understands.';

function errorType(payload: string): string | undefined {
  return /"errorType"\s*:\s*"([^"]+)"/.exec(payload)?.[1];
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
