import type { Platform } from '../dockerfile/platform.ts';
import type { BaseImage } from './base-images.ts';

/** Which build a content digest is asked for. */
export interface ContentQuestion {
  /** Folder that relative paths start from. */
  readonly workspace: string;
  readonly settings: ContentSettings;
  /** `linux/amd64`: what is built where no platform is named. Undefined: not known yet. */
  readonly builderPlatform: string | undefined;
  readonly image: (reference: string, platform: Platform) => Promise<BaseImage>;
  /** Digest of a frontend's image. */
  readonly frontend: (reference: string) => Promise<string>;
}

export interface ContentSettings {
  readonly context: string;
  /** Empty: `<context>/Dockerfile`. */
  readonly file: string;
  readonly target: string;
  readonly platforms: readonly string[];
  readonly buildArgs: ReadonlyMap<string, string>;
  /** Name and value. */
  readonly buildContexts: readonly (readonly [string, string])[];
  /** Everything else that changes what is pushed. */
  readonly counted: unknown;
}
