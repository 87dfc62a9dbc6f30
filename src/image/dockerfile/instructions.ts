import { jsonWords, readHeredoc, type Heredoc, type Line } from './lines.ts';
import { trimSpace } from './text.ts';
import { pairs, quotedWords, type Pair } from './words.ts';
import { Undecidable } from './undecidable.ts';

/** What every instruction has: its own words in a form in which white space doesn't matter. */
interface Common {
  /** All that is written there, for the digest. */
  readonly written: readonly unknown[];
}

export interface From extends Common {
  readonly name: 'from';
  readonly image: string;
  /** As written: may hold `$BUILDPLATFORM`. */
  readonly platform: string | undefined;
  readonly stage: string | undefined;
}

export interface Arg extends Common {
  readonly name: 'arg';
  readonly args: readonly { readonly key: string; readonly value: string | undefined }[];
}

export interface Env extends Common {
  readonly name: 'env';
  readonly pairs: readonly Pair[];
}

export interface Copy extends Common {
  readonly name: 'copy' | 'add';
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly excludes: readonly string[];
  readonly parents: boolean;
  readonly checksum: string | undefined;
}

export interface Run extends Common {
  readonly name: 'run';
  /** Values of `--mount`. */
  readonly mounts: readonly string[];
}

export interface Onbuild extends Common {
  readonly name: 'onbuild';
  /** The inner instruction with its heredocs, as a file of its own. */
  readonly expression: string;
}

/** `WORKDIR`, `USER`, `SHELL` change what later steps do; the rest is the image's own metadata. */
export interface Other extends Common {
  readonly name: 'workdir' | 'user' | 'shell' | 'metadata';
}

export type Instruction = From | Arg | Env | Copy | Run | Onbuild | Other;

const metadata = new Set([
  'cmd',
  'entrypoint',
  'expose',
  'healthcheck',
  'label',
  'maintainer',
  'stopsignal',
  'volume',
]);

/**
 * One line as an instruction, with what decides about stages and files; everything else is kept
 * only as it is written.
 *
 * @throws Undecidable where BuildKit refuses the line.
 */
export function readInstruction(line: Line, escape: string): Instruction {
  const { name, rest } = line;
  const written = [name, line.flags, rest, line.heredocs];
  switch (name) {
    case 'from':
      return readFrom(line);
    case 'arg':
      return { name, args: readArgs(rest, escape), written: [name, quotedWords(rest, escape)] };
    case 'env': {
      const read = pairs('ENV', rest, escape);
      return { name, pairs: read, written: [name, read] };
    }
    case 'copy':
    case 'add':
      return readCopy(name, line);
    case 'run':
      return { name, mounts: flagValues(line.flags, 'mount'), written };
    case 'onbuild':
      return { name, expression: innerText(line), written };
    case 'workdir':
    case 'user':
    case 'shell':
      return { name, written };
    default:
      if (metadata.has(name)) return { name: 'metadata', written };
      throw new Undecidable(`the instruction ${name.toUpperCase()} is not known`);
  }
}

/** `ONBUILD`'s expression, from an image or a stage, as an instruction. */
export function readTrigger(line: Line, escape: string): Instruction {
  if (['from', 'maintainer', 'onbuild'].includes(line.name)) {
    throw new Undecidable(`ONBUILD ${line.name.toUpperCase()} is not allowed`);
  }
  return readInstruction(line, escape);
}

function readFrom(line: Line): From {
  const words = line.rest.split(/[\t\v\f\r ]+/);
  const [image = '', as, stage] = words;
  const named = words.length === 3 && as?.toLowerCase() === 'as';
  if (image === '' || (words.length !== 1 && !named)) {
    throw new Undecidable(`FROM ${line.rest} is not understood`);
  }
  return {
    name: 'from',
    image,
    platform: flagValues(line.flags, 'platform')[0],
    stage: stage?.toLowerCase(),
    written: [],
  };
}

function readArgs(rest: string, escape: string): Arg['args'] {
  const words = quotedWords(rest, escape);
  if (words.length === 0) throw new Undecidable('ARG has no arguments');
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at === 0) throw new Undecidable('ARG has no name');
    if (at === -1) return { key: word, value: undefined };
    return { key: word.slice(0, at), value: word.slice(at + 1) };
  });
}

function readCopy(name: 'copy' | 'add', line: Line): Copy {
  const words = jsonWords(line.rest) ?? line.rest.split(/[\t\v\f\r ]+/);
  if (words.length < 2) throw new Undecidable(`${name.toUpperCase()} has no destination`);
  return {
    name,
    from: flagValues(line.flags, 'from')[0],
    sources: words.slice(0, -1).filter((word) => readHeredoc(word) === undefined),
    excludes: flagValues(line.flags, 'exclude'),
    parents: isOn(line.flags, 'parents'),
    checksum: flagValues(line.flags, 'checksum')[0],
    // Not the name of the stage that is copied from: what it is made of is what counts.
    written: [name, line.flags.filter((flag) => !flag.startsWith('--from=')), words, line.heredocs],
  };
}

function innerText(line: Line): string {
  const inner = trimSpace(line.original).replace(/^onbuild\s*/i, '');
  return [inner, ...line.heredocs.map(asText)].join('\n');
}

function asText(heredoc: Heredoc): string {
  return `${heredoc.content}${heredoc.name}`;
}

/** Values of `--name=value` among an instruction's flags. */
function flagValues(flags: readonly string[], name: string): readonly string[] {
  const start = `--${name}=`;
  return flags.filter((flag) => flag.startsWith(start)).map((flag) => flag.slice(start.length));
}

function isOn(flags: readonly string[], name: string): boolean {
  return flags.some((flag) => {
    const [key, value = 'true'] = flag.split('=', 2);
    return key === `--${name}` && value.toLowerCase() === 'true';
  });
}
