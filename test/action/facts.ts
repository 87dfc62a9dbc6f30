import { createHash } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { unique, type World, type WorldResult } from './kit.ts';

/** The least that can be built, quick and never cached: one file on nothing. */
export function tiny(version = unique()): Record<string, string> {
  return { Dockerfile: 'FROM scratch\nCOPY version /version\n', version };
}

/** Without the look for an image with the same content, where a test isn't about that. */
export const justBuild = { 'skip-unchanged': 'false' };

/** Texts of a phase's annotations, both phases' without `phase`. */
export function said(
  result: WorldResult,
  level: 'notice' | 'warning' | 'error',
  phase?: 'main' | 'post',
): readonly string[] {
  const phases = phase === undefined ? [result.main, result.post] : [result[phase]];
  return phases
    .flatMap(({ annotations }) => annotations)
    .filter((shown) => shown.level === level)
    .map(({ message }) => message);
}

/** The digest that `function:alias` (or `function`'s $LATEST) runs; undefined: no such alias. */
export function running(world: World, target: string): string | undefined {
  const [name = '', alias] = target.split(':');
  const stored = world.lambda.functions.get(name);
  const version = alias === undefined ? '$LATEST' : stored?.aliases.get(alias)?.version;
  const found =
    version === '$LATEST'
      ? stored?.latest
      : stored?.versions.find((each) => each.version === version);
  return found?.code?.resolvedImageUri.split('@')[1];
}

/** Invokes a function through AWS's API, which starts its image. */
export async function invoke(world: World, name: string, qualifier: string, payload: string) {
  const { accessKeyId, secretAccessKey } = world.aws.credentials;
  const client = new LambdaClient({
    region: world.aws.region,
    endpoint: world.aws.url,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    const command = { FunctionName: name, Qualifier: qualifier, Payload: Buffer.from(payload) };
    const answer = await client.send(new InvokeCommand(command));
    return {
      functionError: answer.FunctionError,
      payload: Buffer.from(answer.Payload ?? []).toString(),
    };
  } finally {
    client.destroy();
  }
}

/** What was written to ECR since request number `since`: images, tags and layers. */
export function writes(world: World, since = 0): readonly string[] {
  return world.aws.requests
    .slice(since)
    .map(({ action }) => action)
    .filter((action) =>
      /PutImage|LayerUpload|UploadLayerPart|BatchDelete|CreateRepo|PutLifecycle/.test(action),
    );
}

/** Calls to AWS by IAM action since request number `since`, the registry's left out. */
export function calls(world: World, since = 0): readonly string[] {
  return world.aws.requests
    .slice(since)
    .map(({ action }) => action)
    .filter((action) => !action.startsWith('registry:'));
}

/** Every file of a folder with the hash of its bytes, links with their target. */
export async function snapshot(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: Record<string, string> = {};
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    if (entry.isSymbolicLink()) found[name] = `→ ${await readlink(path)}`;
    else if (entry.isFile()) {
      found[name] = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
    }
  }
  return found;
}
