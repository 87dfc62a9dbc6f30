import { Undecidable } from './undecidable.ts';

/** A reference of an image, fully qualified. */
export interface ImageName {
  /** `docker.io/library/python`: host and name. */
  readonly image: string;
  /** Tag or digest, the digest winning: what a registry is asked for. */
  readonly reference: string;
  /** Whether the reference is a digest, and so can never change. */
  readonly pinned: boolean;
  /** As people write it, without host and `library/` of Docker Hub: `python:3.13`. */
  readonly familiar: string;
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const grammar = new RegExp(
  `^((?:${component}/)*${component})(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][\\w+.-]*:[0-9a-fA-F]{32,}))?$`,
);

/**
 * Reads an image reference by Docker's rules: Docker Hub and `latest` are implied.
 *
 * @throws Undecidable when it is not a reference.
 */
export function readImageName(text: string): ImageName {
  const slash = text.indexOf('/');
  const first = slash === -1 ? '' : text.slice(0, slash);
  const hosted = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const host = hosted && first !== 'index.docker.io' ? first : 'docker.io';
  const path = hosted ? text.slice(slash + 1) : text;
  const found = grammar.exec(path);
  if (found === null) throw new Undecidable(`${text} is not an image reference`);
  const [, name = '', tag, digest] = found;
  const hub = host === 'docker.io';
  const full = hub && !name.includes('/') ? `library/${name}` : name;
  const short = hub ? full.replace(/^library\//, '') : `${host}/${full}`;
  const ending = (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
  return {
    image: `${host}/${full}`,
    reference: digest ?? tag ?? 'latest',
    pinned: digest !== undefined,
    familiar: `${short}${ending}`,
  };
}

/** The name under which a named context (`build-contexts`) replaces this image or stage. */
export function contextName(text: string): string | undefined {
  try {
    return readImageName(text).familiar.replace(/:latest$/, '');
  } catch (error) {
    // No image reference, so no named context can have this name.
    if (error instanceof Undecidable) return undefined;
    throw error;
  }
}
