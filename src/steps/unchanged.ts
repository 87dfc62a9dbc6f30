import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { explain, isAbort } from '../errors.ts';
import { baseImages, type LocalImages, type ManifestSource } from '../image/content/base-images.ts';
import { contentDigest, contentTag } from '../image/content/content-digest.ts';
import { contentAsked } from '../image/content/from-inputs.ts';
import { readImageName } from '../image/dockerfile/image-name.ts';
import { Undecidable } from '../image/dockerfile/undecidable.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Ecr } from '../systems/ecr.ts';
import type { Registry } from '../systems/registry.ts';

export interface UnchangedRequest {
  readonly inputs: Inputs;
  /** Folder that relative paths start from: the checkout. */
  readonly workspace: string;
  readonly env: NodeJS.ProcessEnv;
  /** Name of the ECR repository. */
  readonly repository: string;
  /** `linux/amd64`; undefined: not known before the builder is asked (remote, kubernetes). */
  readonly builderPlatform: string | undefined;
}

export interface UnchangedSystems {
  readonly registry: Registry;
  readonly ecr: Pick<Ecr, 'tagDigests'>;
  /** Given for the docker driver without `pull`, which prefers images that are there locally. */
  readonly local?: LocalImages | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type UnchangedDecision =
  | {
      readonly kind: 'unchanged';
      /** Of the image or index with this content, in the repository. */
      readonly digest: string;
      readonly contentTag: string;
      /** One sentence for the log. */
      readonly why: string;
    }
  | {
      readonly kind: 'build';
      /** One sentence for the log. */
      readonly why: string;
      /** To be set on what is built, so that it is found next time; undefined: not known. */
      readonly contentTag?: string;
    };

/**
 * Whether an image with just this content is in the repository already: then nothing is built.
 *
 * BuildKit's own cache is the measure: skipped is only what it would build without running a step.
 * Whatever can't be known leads to a build, with the reason. Never fails a run.
 *
 * @throws only the signal's reason, when it aborts.
 */
export async function decideUnchanged(
  request: UnchangedRequest,
  systems: UnchangedSystems,
): Promise<UnchangedDecision> {
  const { inputs, workspace, env, builderPlatform } = request;
  if (!inputs.build.skipUnchanged) return build('skip-unchanged is off');
  const { settings, forced, needed } = contentAsked(inputs, env);
  const without = needed ?? (await mirrorOf(inputs, workspace));
  if (without !== undefined) return build(without);
  const content = await contentDigest(
    {
      workspace,
      settings,
      builderPlatform,
      image: baseImages(systems.registry, systems.local),
      frontend: frontends(systems.registry),
    },
    systems.signal,
  );
  if (content.kind === 'unknown') {
    return build(`whether anything has changed can't be known: ${content.why}`);
  }
  const tag = contentTag(content.digest);
  if (forced !== undefined) return build(forced, tag);
  try {
    const digest = (await systems.ecr.tagDigests(request.repository, [tag])).get(tag);
    if (digest === undefined) {
      return build(`${request.repository} has no image with this content yet`, tag);
    }
    return {
      kind: 'unchanged',
      digest,
      contentTag: tag,
      why: `Unchanged: ${request.repository} has an image with this content (${tag}).`,
    };
  } catch (error) {
    if (isAbort(error) || systems.signal?.aborted === true) throw error;
    return build(`the repository can't be asked for ${tag}: ${explain(error)}`, tag);
  }
}

function build(why: string, tag?: string): UnchangedDecision {
  const sentence = `Building, because ${why}.`;
  return { kind: 'build', why: sentence, ...(tag === undefined ? {} : { contentTag: tag }) };
}

// A mirror may be behind the registry: what it has at a tag is not what the registry says.
async function mirrorOf(
  { builder: { buildkitdConfig: file, buildkitdConfigInline: inline } }: Inputs,
  workspace: string,
): Promise<string | undefined> {
  // A file that can't be read is the builder's to complain of.
  const text =
    file === '' ? inline : await readFile(resolve(workspace, file), 'utf8').catch(() => '');
  return /^\s*mirrors\s*=/m.test(text)
    ? 'base images come through a mirror (buildkitd-config), which may be behind'
    : undefined;
}

// A frontend is looked up in its registry by every builder, also where images are there locally.
function frontends(registry: ManifestSource & Pick<Registry, 'digest'>) {
  return async (reference: string): Promise<string> => {
    const { image, reference: tag } = readImageName(reference);
    let digest: string | undefined;
    try {
      digest = await registry.digest(image, tag);
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new Undecidable(`the frontend ${reference} can't be looked up: ${explain(error)}`, {
        cause: error,
      });
    }
    if (digest === undefined) throw new Undecidable(`the frontend ${reference} is not there`);
    return digest;
  };
}
