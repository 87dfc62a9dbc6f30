import { contextName } from '../dockerfile/image-name.ts';
import { readTrigger, type Copy, type Instruction, type Run } from '../dockerfile/instructions.ts';
import { readLines } from '../dockerfile/lines.ts';
import { readMount } from '../dockerfile/mounts.ts';
import { readPlatform, type Platform } from '../dockerfile/platform.ts';
import { expandWord, type Lookup } from '../dockerfile/shell.ts';
import type { Dockerfile, Stage } from '../dockerfile/dockerfile.ts';
import { Undecidable } from '../dockerfile/undecidable.ts';
import type { BaseImage } from './base-images.ts';
import { globalArguments, StageEnvironment, type BuildSettings } from './environment.ts';
import { isRemoteSource } from './remote.ts';
import { filesOnly, type Piece, type StagePlan, type StageRecord } from './stage-plan.ts';
import type { ContextTree } from './tree.ts';

/** What a named context (`build-contexts`) stands for. */
export type NamedContext =
  | { readonly kind: 'folder'; readonly tree: ContextTree }
  | { readonly kind: 'image'; readonly reference: string };

export interface World {
  readonly context: ContextTree;
  /** By the name that `contextName` gives. */
  readonly contexts: ReadonlyMap<string, NamedContext>;
  readonly image: (reference: string, platform: Platform) => Promise<BaseImage>;
}

/**
 * What the target stage is made from, for one platform: its instructions, the stages they need, the
 * base images' digests, the files they read. Stages that the target doesn't need don't count.
 *
 * @throws Undecidable when it can't be known.
 */
export async function evaluate(
  dockerfile: Dockerfile,
  settings: BuildSettings,
  world: World,
): Promise<StagePlan> {
  return new Evaluation(dockerfile, settings, world).target();
}

interface Built {
  readonly plan: StagePlan;
  readonly environment: StageEnvironment;
  readonly triggers: readonly Instruction[];
  readonly platform: Platform;
}

class Evaluation {
  private readonly dockerfile: Dockerfile;
  private readonly settings: BuildSettings;
  private readonly world: World;
  private readonly global: Lookup;
  private readonly built = new Map<number, Promise<Built>>();
  private readonly open = new Set<number>();

  constructor(dockerfile: Dockerfile, settings: BuildSettings, world: World) {
    this.dockerfile = dockerfile;
    this.settings = settings;
    this.world = world;
    const { globals, stages, escape } = dockerfile;
    this.global = globalArguments(settings, globals, stages.at(-1)?.from.stage ?? '', escape);
  }

  async target(): Promise<StagePlan> {
    const { target } = this.settings;
    const { length } = this.dockerfile.stages;
    const index = target === '' ? length - 1 : this.stageNamed(target, length);
    if (index === undefined) throw new Undecidable(`the Dockerfile has no stage ${target}`);
    return (await this.stage(index)).plan;
  }

  // The last one of that name among the first `before` stages.
  private stageNamed(name: string, before: number): number | undefined {
    const wanted = name.toLowerCase();
    const index = this.dockerfile.stages
      .slice(0, before)
      .findLastIndex(({ from }) => from.stage === wanted);
    return index === -1 ? undefined : index;
  }

  private stage(index: number): Promise<Built> {
    // Stages are read one after the other, so one that is still open is being needed by itself.
    if (this.open.has(index)) throw new Undecidable('the stages need each other in a circle');
    const before = this.built.get(index);
    if (before !== undefined) return before;
    const stage = this.dockerfile.stages[index];
    if (stage === undefined) throw new Undecidable(`the Dockerfile has no stage number ${index}`);
    this.open.add(index);
    const building = this.build(stage, index).finally(() => this.open.delete(index));
    this.built.set(index, building);
    return building;
  }

  private async build(stage: Stage, index: number): Promise<Built> {
    const replaced = this.namedContext(stage.from.stage ?? '');
    if (replaced !== undefined) return this.fromContext(replaced, this.platformOf(stage));
    const base = await this.base(stage, index);
    const { environment } = base;
    const records = [...base.plan.records];
    const triggers: Instruction[] = [];
    for (const instruction of [...base.triggers, ...stage.instructions]) {
      records.push(await this.record(instruction, environment));
      if (instruction.name === 'onbuild') triggers.push(...readTriggers(instruction.expression));
    }
    return { plan: { records }, environment, triggers, platform: base.platform };
  }

  private async base(stage: Stage, index: number): Promise<Built> {
    const { escape } = this.dockerfile;
    const name = expandWord(stage.from.image, this.global, { escape });
    if (name === '') throw new Undecidable(`FROM ${stage.from.image} names no image`);
    const earlier = name === name.toLowerCase() ? this.stageNamed(name, index) : undefined;
    if (earlier !== undefined) {
      const { plan, environment, triggers, platform } = await this.stage(earlier);
      return { plan, environment: environment.inherit(), triggers, platform };
    }
    return this.outside(name, this.platformOf(stage));
  }

  private platformOf(stage: Stage): Platform {
    if (stage.from.platform === undefined) return this.settings.platform;
    const { escape } = this.dockerfile;
    return readPlatform(expandWord(stage.from.platform, this.global, { escape }));
  }

  // An image, `scratch`, or a named context that stands for it.
  private async outside(name: string, platform: Platform): Promise<Built> {
    if (name === 'scratch') return start({ text: 'scratch' }, [], [], platform);
    const named = this.namedContext(name);
    if (named !== undefined) return this.fromContext(named, platform);
    const { digest, env, onbuild } = await this.world.image(name, platform);
    return start({ text: ['image', digest] }, env, onbuild, platform);
  }

  private namedContext(name: string): NamedContext | undefined {
    if (name === '' || ['scratch', 'context'].includes(name.toLowerCase())) return undefined;
    const key = contextName(name);
    return key === undefined ? undefined : this.world.contexts.get(key);
  }

  private async fromContext(context: NamedContext, platform: Platform): Promise<Built> {
    if (context.kind === 'folder') {
      return start(files(context.tree, '/'), [], [], platform);
    }
    if (context.reference === 'scratch') return start({ text: 'scratch' }, [], [], platform);
    const { digest, env, onbuild } = await this.world.image(context.reference, platform);
    return start({ text: ['image', digest] }, env, onbuild, platform);
  }

  private async record(
    instruction: Instruction,
    environment: StageEnvironment,
  ): Promise<StageRecord> {
    const { escape } = this.dockerfile;
    const written: Piece = { text: instruction.written };
    switch (instruction.name) {
      case 'arg': {
        const values = instruction.args.map((arg) => [
          arg.key,
          environment.declare(arg, this.settings.buildArgs, this.global, escape) ?? null,
        ]);
        return { weight: 'state', pieces: [{ text: ['arg', values] }] };
      }
      case 'env': {
        // All values are read before any is set: `ENV A=1 B=$A` takes the A of before.
        const expanded = instruction.pairs.map(({ key, value }) => [
          environment.expand(key, escape),
          environment.expand(value, escape),
        ]);
        for (const [key = '', value = ''] of expanded) environment.setEnv(key, value);
        return { weight: 'state', pieces: [written] };
      }
      case 'copy':
      case 'add':
        return {
          weight: 'step',
          pieces: [written, ...(await this.copied(instruction, environment))],
        };
      case 'run':
        return {
          weight: 'step',
          pieces: [written, ...(await this.mounted(instruction, environment))],
        };
      case 'workdir':
        return { weight: 'step', pieces: [written] };
      case 'user':
      case 'shell':
        return { weight: 'state', pieces: [written] };
      case 'onbuild':
      case 'metadata':
        return { weight: 'metadata', pieces: [written] };
      default:
        throw new Undecidable('FROM stands inside of a stage');
    }
  }

  private async copied(copy: Copy, environment: StageEnvironment): Promise<readonly Piece[]> {
    const { escape } = this.dockerfile;
    const sources = copy.sources.map((source) => environment.expand(source, escape));
    const remote = copy.name === 'add' ? sources.filter(isRemoteSource) : [];
    if (remote.length > 0 && (copy.checksum ?? '') === '') {
      throw new Undecidable(
        `ADD ${remote.join(' ')} fetches what can change; with --checksum it could be skipped`,
      );
    }
    const tree = copy.from === undefined ? this.world.context : await this.elsewhere(copy.from);
    if (!('children' in tree)) return [tree];
    return sources
      .filter((source) => !remote.includes(source))
      .map((path) => ({
        files: {
          tree,
          source: { path, excludes: copy.excludes, parents: copy.parents, wildcards: true },
        },
      }));
  }

  private async mounted(run: Run, environment: StageEnvironment): Promise<readonly Piece[]> {
    const { escape } = this.dockerfile;
    const pieces: Piece[] = [];
    for (const text of run.mounts) {
      const mount = readMount(text, (word) => environment.expand(word, escape));
      if (mount.type === 'ssh') {
        throw new Undecidable('RUN --mount=type=ssh may fetch what has changed');
      }
      if (mount.from === undefined) {
        if (mount.type === 'bind') pieces.push(files(this.world.context, mount.source));
        continue;
      }
      const tree = await this.elsewhere(mount.from);
      pieces.push('children' in tree ? files(tree, mount.source) : tree);
    }
    return pieces;
  }

  // What `--from` and `from=` name: a stage by name or number, a named context, an image.
  private async elsewhere(name: string): Promise<ContextTree | Piece> {
    const { length } = this.dockerfile.stages;
    const index = /^\d+$/.test(name) ? Number(name) : this.stageNamed(name, length);
    if (index !== undefined) return { stage: filesOnly((await this.stage(index)).plan) };
    const named = this.namedContext(name);
    if (named?.kind === 'folder') return named.tree;
    // BuildKit takes such an image for the target platform, whatever the stage's own is.
    const { plan } = await this.outside(name, this.settings.platform);
    return { stage: filesOnly(plan) };
  }
}

function start(
  piece: Piece,
  env: readonly string[],
  onbuild: readonly string[],
  platform: Platform,
): Built {
  if (platform.os === 'windows') throw new Undecidable('Windows images follow other rules');
  return {
    plan: { records: [{ weight: 'step', pieces: [{ text: ['from', platform] }, piece] }] },
    environment: StageEnvironment.ofImage(env),
    triggers: onbuild.flatMap((expression) => readTriggers(expression)),
    platform,
  };
}

// Triggers are read as Dockerfiles of their own: `\` escapes, whatever the file itself says.
function readTriggers(expression: string): readonly Instruction[] {
  const { lines, escape } = readLines(expression);
  if (lines.length !== 1) throw new Undecidable(`ONBUILD ${expression} is not one instruction`);
  return lines.map((line) => readTrigger(line, escape));
}

function files(tree: ContextTree, path: string): Piece {
  const source = { path: path === '' ? '/' : path, excludes: [], parents: false, wildcards: false };
  return { files: { tree, source } };
}
