import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BaseImage } from '../../../src/image/content/base-images.ts';
import { contentDigest, type ContentDigest } from '../../../src/image/content/content-digest.ts';
import type { ContentSettings } from '../../../src/image/content/question.ts';
import { Undecidable } from '../../../src/image/dockerfile/undecidable.ts';

/** A build whose content is asked for; everything has a default. */
export interface Case {
  readonly dockerfile?: string;
  /** Content by path; `-> target` makes a link, a path with `/` at its end a folder. */
  readonly files?: Readonly<Record<string, string>>;
  readonly modes?: Readonly<Record<string, number>>;
  readonly settings?: Partial<ContentSettings>;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** By reference, or by reference and platform (`a:1 linux/arm64`). */
  readonly images?: Readonly<Record<string, Partial<BaseImage>>>;
  readonly builderPlatform?: string | undefined;
}

/** The content digest of a case, made in a fresh folder. */
export async function ask(given: Case): Promise<ContentDigest> {
  const workspace = mkdtempSync(join(tmpdir(), 'content-'));
  onTestFinished(() => rmSync(workspace, { recursive: true, force: true }));
  const files = { Dockerfile: given.dockerfile ?? 'FROM scratch\nCOPY . /\n', ...given.files };
  for (const [path, content] of Object.entries(files)) place(join(workspace, path), content);
  for (const [path, mode] of Object.entries(given.modes ?? {})) {
    chmodSync(join(workspace, path), mode);
  }
  return contentDigest({
    workspace,
    settings: {
      context: '.',
      file: '',
      target: '',
      platforms: [],
      buildArgs: new Map(Object.entries(given.buildArgs ?? {})),
      buildContexts: [],
      counted: null,
      ...given.settings,
    },
    builderPlatform: 'builderPlatform' in given ? given.builderPlatform : 'linux/amd64',
    image: (reference, { os, architecture }) => {
      const { images = {} } = given;
      const found = images[`${reference} ${os}/${architecture}`] ?? images[reference];
      if (found === undefined) return Promise.reject(new Undecidable(`no image ${reference}`));
      return Promise.resolve({ digest: `sha256:${reference}`, env: [], onbuild: [], ...found });
    },
    frontend: (reference) => Promise.resolve(`digest of ${reference}`),
  });
}

function place(path: string, content: string): void {
  if (path.endsWith('/')) {
    mkdirSync(path, { recursive: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  if (content.startsWith('-> ')) symlinkSync(content.slice(3), path);
  else writeFileSync(path, content);
}

/** The digest, where it must be known. */
export async function digestOf(given: Case): Promise<string> {
  const content = await ask(given);
  if (content.kind === 'unknown') throw new Error(content.why);
  return content.digest;
}
