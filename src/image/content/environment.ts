import { expandWord, type Lookup } from '../dockerfile/shell.ts';
import type { Arg } from '../dockerfile/instructions.ts';
import { platformText, type Platform } from '../dockerfile/platform.ts';
import { Undecidable } from '../dockerfile/undecidable.ts';

// Set by BuildKit where an image states no PATH.
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Predefined: they reach `RUN` without `ARG`, and BuildKit leaves them out of its cache keys. */
const proxies = new Set(
  ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ]),
);

/** Declared for the SBOM only: never part of a step's environment. */
const scanArgs = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

/** What one build, for one platform, was given. */
export interface BuildSettings {
  readonly platform: Platform;
  /** Undefined: not known before the builder is asked. */
  readonly builderPlatform: Platform | undefined;
  readonly target: string;
  readonly buildArgs: ReadonlyMap<string, string>;
}

/**
 * Global arguments: BuildKit's own (`TARGETARCH`, …) and those before the first `FROM`.
 * Dockerfile reference, "Automatic platform ARGs in the global scope".
 */
export function globalArguments(
  settings: BuildSettings,
  declared: readonly Arg[],
  defaultTarget: string,
  escape: string,
): Lookup {
  const { platform, builderPlatform, buildArgs } = settings;
  const values = new Map<string, string>();
  const own = (name: string, value: string) => values.set(name, buildArgs.get(name) ?? value);
  own('TARGETPLATFORM', platformText(platform));
  own('TARGETOS', platform.os);
  own('TARGETOSVERSION', '');
  own('TARGETARCH', platform.architecture);
  own('TARGETVARIANT', platform.variant);
  own('TARGETSTAGE', settings.target || defaultTarget || 'default');
  if (builderPlatform !== undefined) {
    own('BUILDPLATFORM', platformText(builderPlatform));
    own('BUILDOS', builderPlatform.os);
    own('BUILDOSVERSION', '');
    own('BUILDARCH', builderPlatform.architecture);
    own('BUILDVARIANT', builderPlatform.variant);
  }
  const lookup: Lookup = (name) => {
    const value = values.get(name);
    if (value === undefined && /^BUILD(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)$/.test(name)) {
      throw new Undecidable(`${name} is used, and the builder's platform is not known yet`);
    }
    return value;
  };
  for (const { key, value } of declared.flatMap(({ args }) => args)) {
    const given = buildArgs.get(key);
    if (given !== undefined) values.set(key, given);
    else if (value !== undefined) values.set(key, expandWord(value, lookup, { escape }));
  }
  return lookup;
}

/** Variables in a stage, as its instructions set them one after the other. */
export class StageEnvironment {
  // ENV of image and instructions: handed on to stages FROM this one, where it wins over ARG.
  private readonly image: Map<string, string>;
  private readonly values: Map<string, string>;

  private constructor(image: Map<string, string>, values: Map<string, string>) {
    this.image = image;
    this.values = values;
  }

  static ofImage(env: readonly string[]): StageEnvironment {
    const image = new Map(
      env.map((each) => {
        const at = each.indexOf('=');
        return at === -1 ? [each, ''] : [each.slice(0, at), each.slice(at + 1)];
      }),
    );
    if (!image.has('PATH')) image.set('PATH', defaultPath);
    return new StageEnvironment(image, new Map(image));
  }

  /** For a stage `FROM` this one. */
  inherit(): StageEnvironment {
    return new StageEnvironment(
      new Map(this.image),
      new Map([...this.values, ...this.image.entries()]),
    );
  }

  readonly lookup: Lookup = (name) => this.values.get(name);

  expand(word: string, escape: string): string {
    return expandWord(word, this.lookup, { escape });
  }

  setEnv(key: string, value: string): void {
    this.image.set(key, value);
    this.values.set(key, value);
  }

  /**
   * Declares one argument: a build argument wins over the default, that over the global one.
   *
   * @returns its value; undefined: it has none.
   */
  declare(
    { key, value }: Arg['args'][number],
    buildArgs: ReadonlyMap<string, string>,
    global: Lookup,
    escape: string,
  ): string | undefined {
    const given =
      buildArgs.get(key) ?? (value === undefined ? global(key) : this.expand(value, escape));
    if (proxies.has(key) && !buildArgs.has(key)) {
      throw new Undecidable(`ARG ${key} may get its value from Docker's proxy settings`);
    }
    if (given !== undefined && !scanArgs.has(key)) this.values.set(key, given);
    return given;
  }
}
