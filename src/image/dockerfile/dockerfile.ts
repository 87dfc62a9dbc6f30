import { readInstruction, type Arg, type From, type Instruction } from './instructions.ts';
import { readLines } from './lines.ts';
import { Undecidable } from './undecidable.ts';

export interface Stage {
  readonly from: From;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly escape: string;
  /** Image of the frontend that `# syntax=` names. */
  readonly syntax: string | undefined;
  /** `ARG`s before the first `FROM`. */
  readonly globals: readonly Arg[];
  readonly stages: readonly Stage[];
}

/**
 * Reads a Dockerfile as BuildKit's own frontend does.
 *
 * @throws Undecidable where BuildKit would refuse it; it says why far better than we could.
 */
export function readDockerfile(text: string): Dockerfile {
  const { escape, syntax, lines } = readLines(text);
  const globals: Arg[] = [];
  const stages: { from: From; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const instruction = readInstruction(line, escape);
    const stage = stages.at(-1);
    if (instruction.name === 'from') stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.name === 'arg') globals.push(instruction);
    else throw new Undecidable(`${line.name.toUpperCase()} stands before the first FROM`);
  }
  if (stages.length === 0) throw new Undecidable('the Dockerfile has no FROM');
  return { escape, syntax, globals, stages };
}
