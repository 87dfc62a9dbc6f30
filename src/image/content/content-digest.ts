import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setImmediate as soon } from 'node:timers/promises';
import { readDockerfile, type Dockerfile } from '../dockerfile/dockerfile.ts';
import { contextName, readImageName } from '../dockerfile/image-name.ts';
import { platformText, readPlatform, type Platform } from '../dockerfile/platform.ts';
import { Undecidable } from '../dockerfile/undecidable.ts';
import type { BaseImage } from './base-images.ts';
import { evaluate, type NamedContext } from './evaluate.ts';
import { hashFiles, selectionDigest } from './hash.ts';
import { Patterns, readIgnoreFile } from './patterns.ts';
import type { ContentQuestion } from './question.ts';
import { isRemoteContext } from './remote.ts';
import { select, type Selected } from './select.ts';
import { fileRequests, requestKey, type StagePlan } from './stage-plan.ts';
import { ContextTree } from './tree.ts';

// Part of every digest: a change of our rules must not find images tagged by other rules.
const rules = 'ship-to-ecr content 1';

export type ContentDigest =
  | {
      readonly kind: 'known';
      /** `sha256:…` over all that decides what the image is. */
      readonly digest: string;
      /** Files read, and their bytes. */
      readonly files: number;
      readonly bytes: number;
      /** Base images and what their tags are at now. */
      readonly bases: readonly { readonly reference: string; readonly digest: string }[];
    }
  | {
      readonly kind: 'unknown';
      /** In plain words, to follow "because". */
      readonly why: string;
    };

/** Tag under which the image of a content digest is found again: `content-` and 40 hex digits. */
export function contentTag(digest: string): string {
  return `content-${digest.replace(/^sha256:/, '').slice(0, 40)}`;
}

/**
 * A digest of everything that decides what a build's image is: the same digest means that BuildKit,
 * with its cache, would run no step and make the same image. The rules are those of BuildKit's
 * Dockerfile frontend and of its content hash (moby/buildkit, cache/contenthash).
 *
 * Extended attributes of files are not seen (a Git checkout has none).
 *
 * @returns unknown where it can't be decided; reading never fails a build.
 * @throws only the signal's reason, when it aborts.
 */
export async function contentDigest(
  question: ContentQuestion,
  signal?: AbortSignal,
): Promise<ContentDigest> {
  try {
    return await decide(question, signal);
  } catch (error) {
    if (error instanceof Undecidable) return { kind: 'unknown', why: error.message };
    throw error;
  }
}

async function decide(question: ContentQuestion, signal?: AbortSignal): Promise<ContentDigest> {
  const { workspace, settings } = question;
  if (isRemoteContext(settings.context)) {
    throw new Undecidable(`the context ${settings.context} is not a folder of this machine`);
  }
  const folder = resolve(workspace, settings.context);
  const file =
    settings.file === '' ? join(folder, 'Dockerfile') : resolve(workspace, settings.file);
  const text = await readBuildFile(file, settings.file);
  if (/BUILDKIT_SBOM_SCAN_(?:CONTEXT|STAGE)/.test(text)) {
    throw new Undecidable('BUILDKIT_SBOM_SCAN_… lets the SBOM tell of more than the image');
  }
  const dockerfile = readDockerfile(text);
  const frontend = await frontendOf(question, dockerfile);
  const context = new ContextTree(folder, await ignorePatterns(folder, file, frontend !== null));
  const contexts = await namedContexts(question);
  const bases = new Map<string, string>();
  const image = async (reference: string, platform: Platform): Promise<BaseImage> => {
    signal?.throwIfAborted();
    const found = await question.image(reference, platform);
    bases.set(reference, found.digest);
    return found;
  };
  const plans: [string, StagePlan][] = [];
  for (const platform of platformsOf(question)) {
    const builderPlatform = optionalPlatform(question.builderPlatform);
    const { target, buildArgs } = settings;
    const build = { platform, builderPlatform, target, buildArgs };
    const plan = await evaluate(dockerfile, build, { context, contexts, image });
    plans.push([platformText(platform), plan]);
  }
  const hashed = await hashRequests(plans, signal);
  const digest = sha256([
    rules,
    frontend,
    settings.counted,
    plans.map(([platform, plan]) => [platform, planDigest(plan, hashed.selections, new Map())]),
  ]);
  return {
    kind: 'known',
    digest: `sha256:${digest}`,
    files: hashed.files,
    bytes: hashed.bytes,
    bases: [...bases].map(([reference, value]) => ({ reference, digest: value })),
  };
}

async function readBuildFile(file: string, given: string): Promise<string> {
  if (given === '-' || isRemoteContext(given)) {
    throw new Undecidable(`the Dockerfile ${given} is not a file of this machine`);
  }
  const candidates = [file];
  // BuildKit takes `dockerfile` too, where `Dockerfile` is not there.
  if (basename(file) === 'Dockerfile') candidates.push(join(dirname(file), 'dockerfile'));
  for (const candidate of candidates) {
    const text = await readOptional(candidate);
    if (text !== undefined) return text;
  }
  throw new Undecidable(`there is no Dockerfile at ${file}`);
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new Undecidable(`${file} can't be read (${code})`, { cause: error });
  }
}

// `<Dockerfile>.dockerignore` wins, an empty one too. A frontend from an image is told of an empty
// file and of none in the same way, so there it isn't known which of the two rules holds.
async function ignorePatterns(
  folder: string,
  file: string,
  external: boolean,
): Promise<Patterns | undefined> {
  const own = await readOptional(`${file}.dockerignore`);
  if (own === '' && external) throw new Undecidable(`${file}.dockerignore is empty`);
  return toPatterns(own ?? (await readOptional(join(folder, '.dockerignore'))));
}

function toPatterns(text: string | undefined): Patterns | undefined {
  const lines = readIgnoreFile(text ?? '');
  return lines.length === 0 ? undefined : new Patterns(lines);
}

// Null: the frontend built into BuildKit reads the file.
async function frontendOf(
  question: ContentQuestion,
  { syntax }: Dockerfile,
): Promise<string | null> {
  const reference = question.settings.buildArgs.get('BUILDKIT_SYNTAX')?.split(' ')[0] ?? syntax;
  if (reference === undefined) return null;
  const { image, familiar, pinned, reference: tag } = readImageName(reference);
  if (!/^docker\.io\/docker\/dockerfile(?:-upstream)?$/.test(image)) {
    throw new Undecidable(`the frontend ${reference} may read the Dockerfile in its own way`);
  }
  return `${familiar} ${pinned ? tag : await question.frontend(reference)}`;
}

async function namedContexts(
  question: ContentQuestion,
): Promise<ReadonlyMap<string, NamedContext>> {
  const found = new Map<string, NamedContext>();
  for (const [name, value] of question.settings.buildContexts) {
    const key = contextName(name);
    if (key === undefined) throw new Undecidable(`build-contexts: ${name} is not a name`);
    if (value.startsWith('docker-image://')) {
      found.set(key, { kind: 'image', reference: value.slice('docker-image://'.length) });
      continue;
    }
    if (/^[a-z-]+:/i.test(value) || isRemoteContext(value)) {
      throw new Undecidable(`the named context ${name} is ${value}, not a folder or an image`);
    }
    const folder = resolve(question.workspace, value);
    const patterns = toPatterns(await readOptional(join(folder, '.dockerignore')));
    found.set(key, { kind: 'folder', tree: new ContextTree(folder, patterns) });
  }
  return found;
}

function platformsOf(question: ContentQuestion): readonly Platform[] {
  const { platforms } = question.settings;
  if (platforms.length > 0) return platforms.map((platform) => readPlatform(platform));
  const platform = optionalPlatform(question.builderPlatform);
  if (platform !== undefined) return [platform];
  throw new Undecidable("the builder's platform is not known yet; name it in `platforms`");
}

function optionalPlatform(text: string | undefined): Platform | undefined {
  return text === undefined ? undefined : readPlatform(text);
}

async function hashRequests(
  plans: readonly (readonly [string, StagePlan])[],
  signal: AbortSignal | undefined,
) {
  const breathe = breather(signal);
  const selected = new Map<string, readonly Selected[]>();
  for (const [, plan] of plans) {
    for (const [key, { tree, source }] of fileRequests(plan)) {
      if (!selected.has(key)) selected.set(key, await select(tree, source, breathe));
    }
  }
  const entries = [...selected.values()].flat().map(({ entry }) => entry);
  const { digests, bytes } = await hashFiles(
    entries.filter(({ kind }) => kind === 'file'),
    signal,
  );
  const selections = new Map<string, string>();
  for (const [key, selection] of selected) {
    selections.set(key, selectionDigest(selection, digests));
    await breathe();
  }
  return { selections, files: digests.size, bytes };
}

function breather(signal: AbortSignal | undefined): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < 10) return;
    await soon();
    signal?.throwIfAborted();
    since = performance.now();
  };
}

function planDigest(
  plan: StagePlan,
  selections: ReadonlyMap<string, string>,
  known: Map<StagePlan, string>,
): string {
  const before = known.get(plan);
  if (before !== undefined) return before;
  const digest = sha256(
    plan.records.map(({ pieces }) =>
      pieces.map((piece) => {
        if ('text' in piece) return piece.text;
        if ('stage' in piece) return ['stage', planDigest(piece.stage, selections, known)];
        return ['files', piece.files.source, selections.get(requestKey(piece.files))];
      }),
    ),
  );
  known.set(plan, digest);
  return digest;
}

function sha256(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
