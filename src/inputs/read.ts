import type { RunContext } from '../context.ts';
import { Problems } from '../errors.ts';
import { checkAccounts, readAws } from './aws.ts';
import { readBuild } from './build.ts';
import { readBuilder } from './builder.ts';
import { readCache } from './cache.ts';
import { checkCombinations } from './combinations.ts';
import { readImage } from './image.ts';
import type { Inputs } from './inputs.ts';
import { readLambda } from './lambda.ts';
import { unknownInputs } from './names.ts';
import { readOrder } from './order.ts';
import { readPython } from './python.ts';
import { createReader } from './reader.ts';

/** Inputs, and what is odd about them without being wrong (a name that doesn't exist, no effect). */
export type ReadInputs = Inputs & { readonly warnings: readonly string[] };

/**
 * Reads and checks every input, the files they name included, before anything is done.
 *
 * @param env the process's environment: `INPUT_*`, AWS's Region variables, and the variables that
 *   `secret-envs` and `ssh` name.
 * @param options.mask told of each secret value found, before any message could show it.
 * @throws Problems with every problem, each naming its input, what was found, and a right example.
 */
export function readInputs(
  env: NodeJS.ProcessEnv,
  context: RunContext,
  options: { readonly mask?: (secret: string) => void } = {},
): ReadInputs {
  const reader = createReader(env);
  const mask = options.mask ?? (() => {});
  const { region: repositoryRegion, ...image } = readImage(reader, context);
  const aws = readAws(reader, context, repositoryRegion);
  const inputs: Inputs = {
    aws,
    image,
    build: readBuild(reader, context, mask),
    builder: readBuilder(reader, context, mask),
    cache: readCache(reader),
    python: readPython(reader, context),
    verify: reader.text('verify'),
    order: readOrder(reader),
    lambda: readLambda(reader, aws.region),
    dryRun: reader.flag('dry-run'),
    summary: reader.flag('summary'),
    buildRecord: reader.flag('build-record'),
  };
  checkAccounts(reader, aws, image);
  checkCombinations(reader, inputs);
  const unknown = unknownInputs(env);
  const { problems } = reader;
  if (problems.length > 0) {
    const counted = problems.length === 1 ? 'An input needs' : `${problems.length} inputs need`;
    // A mistyped name explains a missing input: it belongs to the same message.
    const tail = unknown.length === 0 ? '' : ` (${unknown.join(' ')})`;
    throw new Problems(`${counted} your attention; nothing has been done yet.${tail}`, problems);
  }
  return { ...inputs, warnings: [...unknown, ...reader.warnings] };
}
