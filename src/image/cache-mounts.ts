import { attributes } from './csv.ts';
import { globalArguments, StageEnvironment, type BuildSettings } from './content/environment.ts';
import { readDockerfile, type Dockerfile, type Stage } from './dockerfile/dockerfile.ts';
import { readPlatform } from './dockerfile/platform.ts';
import { expandWord, type Lookup } from './dockerfile/shell.ts';
import { cleanPath } from './dockerfile/text.ts';
import { Undecidable } from './dockerfile/undecidable.ts';

/**
 * A cache mount as BuildKit knows it: by its id, and by owner and mode where they are given (they
 * make the folder it starts from). Dockerfile reference, "RUN --mount=type=cache".
 */
export interface CacheMount {
  readonly id: string;
  /** As written, for people. */
  readonly target: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly uid: string | undefined;
  readonly gid: string | undefined;
  readonly mode: string | undefined;
}

export interface MountsPlan {
  readonly mounts: readonly CacheMount[];
  /** What can't be kept, and why. */
  readonly notices: readonly string[];
}

export interface MountsRequest {
  /** Undefined: not on this machine (a remote context). */
  readonly dockerfile: string | undefined;
  readonly wanted: 'auto' | 'off' | readonly string[];
  readonly target: string;
  /** `KEY=value`, or `KEY` alone: from the environment. */
  readonly buildArgs: readonly string[];
  /** Empty: the builder's own. */
  readonly platforms: readonly string[];
  readonly builderPlatform: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Finds the cache mounts of the stages that a build of `target` needs. What can't be known without
 * BuildKit (a variable that the base image may set, a mount that starts from an image) is left out
 * and said.
 */
export function planMounts(request: MountsRequest): MountsPlan {
  const { wanted, dockerfile: text } = request;
  if (wanted === 'off') return { mounts: [], notices: [] };
  const found = new Map<string, CacheMount>();
  const notices = new Set<string>();
  if (text !== undefined) {
    try {
      const dockerfile = readDockerfile(text);
      const { platforms, builderPlatform } = request;
      for (const platform of platforms.length === 0 ? [builderPlatform] : platforms) {
        const buildArgs = readArguments(request.buildArgs, request.env);
        const settings: BuildSettings = {
          platform: readPlatform(platform),
          builderPlatform: readPlatform(builderPlatform),
          target: request.target,
          buildArgs,
        };
        for (const mount of findMounts(dockerfile, settings, notices)) {
          found.set(identity(mount), mount);
        }
      }
    } catch (error) {
      if (!(error instanceof Undecidable)) throw error;
      notices.add(`Cache mounts are not looked for: ${error.message}.`);
    }
  }
  if (wanted === 'auto') return { mounts: [...found.values()], notices: [...notices] };
  const chosen = [...found.values()].filter((mount) => wanted.includes(mount.target));
  for (const target of wanted.filter((one) => !chosen.some((mount) => mount.target === one))) {
    if (text !== undefined && notices.size === 0) {
      notices.add(
        `cache-mounts: no \`RUN --mount=type=cache\` of the build has the target ${target}.`,
      );
    } else {
      // The file can't be read here, and the user says that there is one: BuildKit's defaults then.
      chosen.push({ ...defaults, id: cleanPath(target), target });
    }
  }
  return { mounts: chosen, notices: [...notices] };
}

/** What BuildKit tells cache mounts apart by. */
export function identity({ id, uid, gid, mode }: CacheMount): string {
  return JSON.stringify([id, uid ?? '', gid ?? '', mode ?? '']);
}

/** `--mount=…` of the same cache at another place. */
export function mountFlag(mount: CacheMount, target: string): string {
  const fields = [
    'type=cache',
    `target=${target}`,
    `id=${mount.id}`,
    `sharing=${mount.sharing}`,
    ...(mount.uid === undefined ? [] : [`uid=${mount.uid}`]),
    ...(mount.gid === undefined ? [] : [`gid=${mount.gid}`]),
    ...(mount.mode === undefined ? [] : [`mode=${mount.mode}`]),
  ];
  return `--mount=${fields.join(',')}`;
}

const defaults = { sharing: 'shared', uid: undefined, gid: undefined, mode: undefined } as const;

function readArguments(
  given: readonly string[],
  env: NodeJS.ProcessEnv,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const argument of given) {
    const at = argument.indexOf('=');
    const name = at === -1 ? argument : argument.slice(0, at);
    const value = at === -1 ? env[name] : argument.slice(at + 1);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

function findMounts(
  dockerfile: Dockerfile,
  settings: BuildSettings,
  notices: Set<string>,
): readonly CacheMount[] {
  const { escape, stages, globals } = dockerfile;
  const global = globalArguments(settings, globals, stages.at(-1)?.from.stage ?? '', escape);
  const needed = neededStages(dockerfile, settings.target, global);
  const known = new Map<string, Variables>();
  const found: CacheMount[] = [];
  for (const [index, stage] of stages.entries()) {
    const from = expandWord(stage.from.image, global, { escape });
    const variables = inherit(known.get(from.toLowerCase()));
    const expand = (word: string) => expandWord(word, lookupOf(variables), { escape });
    for (const instruction of stage.instructions) {
      if (instruction.name === 'arg') {
        for (const arg of instruction.args) declare(arg, variables, settings, global, escape);
      } else if (instruction.name === 'env') {
        // All names of one ENV see the values from before it.
        for (const [key, value] of instruction.pairs.map(
          ({ key, value }) => [key, valueOf(value, expand)] as const,
        )) {
          if (value === undefined) variables.unknown.add(key);
          else {
            variables.unknown.delete(key);
            variables.environment.setEnv(key, value);
          }
        }
      } else if (instruction.name === 'run' && needed.has(index)) {
        for (const text of instruction.mounts) {
          try {
            const mount = readCacheMount(text, expand);
            if (mount !== undefined) found.push(mount);
          } catch (error) {
            if (!(error instanceof Undecidable)) throw error;
            notices.add(`The cache mount \`${text}\` is not kept: ${error.message}.`);
          }
        }
      }
    }
    if (stage.from.stage !== undefined) known.set(stage.from.stage, variables);
  }
  return found;
}

/** A stage's variables, and those whose value only BuildKit will know. */
interface Variables {
  readonly environment: StageEnvironment;
  readonly unknown: Set<string>;
}

function inherit(parent: Variables | undefined): Variables {
  return {
    environment: parent?.environment.inherit() ?? StageEnvironment.ofImage([]),
    unknown: new Set(parent?.unknown),
  };
}

function lookupOf({ environment, unknown }: Variables): Lookup {
  return (name) => {
    const value = unknown.has(name) ? undefined : environment.lookup(name);
    if (value === undefined) throw new Undecidable(`$${name} may come from the base image`);
    return value;
  };
}

function valueOf(word: string, expand: (word: string) => string): string | undefined {
  try {
    return expand(word);
  } catch (error) {
    // Only a mount that uses it is left out.
    if (!(error instanceof Undecidable)) throw error;
    return undefined;
  }
}

function declare(
  arg: { readonly key: string; readonly value: string | undefined },
  variables: Variables,
  settings: BuildSettings,
  global: Lookup,
  escape: string,
): void {
  const { environment, unknown } = variables;
  const given = valueOf(arg.value ?? '', (word) => {
    if (!settings.buildArgs.has(arg.key)) expandWord(word, lookupOf(variables), { escape });
    return environment.declare(arg, settings.buildArgs, global, escape) ?? '';
  });
  if (given === undefined) unknown.add(arg.key);
  else unknown.delete(arg.key);
}

/** What needs no quotes in a Dockerfile's flags, whose rules for them differ between versions. */
const usual = /^[\w./@:+=~%-]+$/;

/** One `--mount` value; undefined: not a cache. @throws Undecidable when it can't be kept. */
function readCacheMount(text: string, expand: (word: string) => string): CacheMount | undefined {
  const fields = new Map([...attributes(text)].map(([key, value]) => [key.toLowerCase(), value]));
  if (expand(fields.get('type') ?? 'bind').toLowerCase() !== 'cache') return undefined;
  if ((fields.get('from') ?? '') !== '') {
    throw new Undecidable('it starts from another stage or image (from=)');
  }
  const value = (name: string) => {
    const written = fields.get(name);
    return written === undefined ? undefined : expand(written);
  };
  const target = value('target') ?? value('dst') ?? value('destination') ?? '';
  const id = value('id') ?? '';
  const sharing = (value('sharing') ?? 'shared').toLowerCase();
  const mount = { id: id === '' ? cleanPath(target) : id, target };
  if (!usual.test(mount.id) || !usual.test(mount.target)) {
    throw new Undecidable('its id or target has unusual characters');
  }
  return {
    ...mount,
    sharing: sharing === 'private' || sharing === 'locked' ? sharing : 'shared',
    uid: value('uid'),
    gid: value('gid'),
    mode: value('mode'),
  };
}

/** Indexes of the stages that are built for the target: BuildKit leaves the others out. */
function neededStages(dockerfile: Dockerfile, target: string, global: Lookup): Set<number> {
  const { stages, escape } = dockerfile;
  const named = (name: string, before: number) => {
    const byName = stages
      .slice(0, before)
      .findLastIndex(({ from }) => from.stage === name.toLowerCase());
    if (byName !== -1) return byName;
    return /^\d+$/.test(name) && Number(name) < before ? Number(name) : -1;
  };
  const last = target === '' ? stages.length - 1 : named(target, stages.length);
  const needed = new Set<number>();
  const visit = (index: number) => {
    const stage = stages[index];
    if (stage === undefined || needed.has(index)) return;
    needed.add(index);
    for (const name of usedBy(stage)) visit(named(expandWord(name, global, { escape }), index));
  };
  visit(last);
  return needed;
}

function usedBy(stage: Stage): readonly string[] {
  return [
    stage.from.image,
    ...stage.instructions.flatMap((instruction) => {
      if (instruction.name === 'copy' || instruction.name === 'add') {
        return instruction.from === undefined ? [] : [instruction.from];
      }
      if (instruction.name !== 'run') return [];
      return instruction.mounts.flatMap((text) => attributes(text).get('from') ?? []);
    }),
  ];
}
