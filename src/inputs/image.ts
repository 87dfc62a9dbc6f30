import type { RunContext } from '../context.ts';
import { isRepositoryName, isTag, parseEcrHost } from '../image/reference.ts';
import { defaultTags, isMachineTag } from '../image/tags.ts';
import type { ImageInputs } from './inputs.ts';
import { inputDefaults, type InputName } from './names.ts';
import { show, type Reader } from './reader.ts';

export function readImage(
  reader: Reader,
  context: RunContext,
): ImageInputs & { readonly region: string | undefined } {
  const repository = readRepository(reader, context);
  const given = reader.commas('tags');
  const tags =
    given.length > 0 ? readTags(reader, 'tags', given, repository) : defaultTags(context);
  // Set, but empty: no moving tag. Not set: the default.
  const moving = reader.raw('moving-tags')?.trim() === '' ? [] : reader.commas('moving-tags');
  const movingTags = readTags(reader, 'moving-tags', moving, repository);
  for (const tag of movingTags.filter((tag) => tags.includes(tag))) {
    reader.problem(
      'tags',
      `${show(tag)} is in moving-tags too: tags are set by every push, moving tags in the runs' order`,
      moving.join() === inputDefaults['moving-tags']
        ? `Leave ${tag} out of tags: it is moved by itself (moving-tags, default ${tag}).`
        : `Name ${tag} in one of the two.`,
    );
  }
  return {
    repository: repository.name,
    registryId: repository.accountId,
    registryHost: repository.host,
    region: repository.region,
    createRepository: reader.flag('create-repository'),
    tags: [...new Set(tags)],
    movingTags: [...new Set(movingTags)],
    labels: readPairs(reader, 'labels', 'org.opencontainers.image.title=app'),
    annotations: readAnnotations(reader),
  };
}

interface Found {
  readonly name: string;
  readonly host: string | undefined;
  readonly accountId: string | undefined;
  readonly region: string | undefined;
}

function readRepository(reader: Reader, context: RunContext): Found {
  const asked = reader.text('repository').replace(/^https?:\/\//, '');
  const none = { host: undefined, accountId: undefined, region: undefined };
  if (asked === '') {
    // A fork's pull request sees no variables: any name serves for a build that isn't pushed.
    const name = (context.repository.split('/')[1] ?? 'image').toLowerCase();
    if (context.fork) return { name, ...none };
    reader.problem(
      'repository',
      'is missing',
      'Example: repository: team/app, or 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app',
    );
    return { name: '', ...none };
  }
  const { path, host } = splitHost(asked);
  const ecr = host === undefined ? undefined : parseEcrHost(host);
  const name = path.replace(/[:@].*$/, '');
  if (host !== undefined && ecr === undefined) {
    reader.problem(
      'repository',
      `${show(host)} is not the host of a private Amazon ECR registry`,
      'Example: repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app',
    );
  } else if (name !== path) {
    reader.problem(
      'repository',
      `${show(asked)} has a ${path.includes('@') ? 'digest' : 'tag'} at its end`,
      `Tags go into tags and moving-tags. Example: repository: ${name || 'team/app'}`,
    );
  } else if (!isRepositoryName(name)) {
    const lower = name.toLowerCase();
    reader.problem(
      'repository',
      `${show(name)} is no repository name (lower-case letters and digits, with . _ - / between them)`,
      `Example: repository: ${isRepositoryName(lower) ? lower : 'team/app'}`,
    );
  }
  return { name, host, accountId: ecr?.accountId, region: ecr?.region };
}

/** A first part with a dot or a port, and more after it, is a host. ECR's names may have dots too. */
function splitHost(text: string): { host: string | undefined; path: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  if (/:\d+$/.test(first) || /\.[a-z]{2,}$/i.test(first) || first === 'localhost') {
    return { host: first, path: text.slice(slash + 1) };
  }
  return { host: undefined, path: text };
}

function readTags(
  reader: Reader,
  name: InputName,
  given: readonly string[],
  repository: Found,
): readonly string[] {
  return given.map((item) => {
    const tag = ownTag(item, repository.name);
    if (/[/:@]/.test(tag)) {
      reader.problem(
        name,
        `${show(item)} names another repository than ${show(repository.name)}`,
        `Only the tag is needed. Example: ${name}: ${/:([\w.-]+)$/.exec(item)?.[1] ?? 'v1.2.3'}`,
      );
    } else if (!isTag(tag)) {
      reader.problem(
        name,
        `${show(tag)} is no tag (up to 128 of letters, digits and _.-, not starting with . or -)`,
        `Example: ${name}: ${
          tag
            .replaceAll(/[^\w.-]+/g, '-')
            .replace(/^[.-]+/, '')
            .slice(0, 128) || 'v1.2.3'
        }`,
      );
    } else if (isMachineTag(tag)) {
      reader.problem(
        name,
        `${show(tag)} begins as the tags that this action writes for itself (content-, lane-, live-)`,
        `Example: ${name}: v1.2.3`,
      );
    }
    return tag;
  });
}

/** docker/build-push-action takes full references: the tag of one of ours is meant. */
function ownTag(item: string, repository: string): string {
  const colon = item.lastIndexOf(':');
  const before = item.slice(0, Math.max(colon, 0));
  return before === repository || before.endsWith(`/${repository}`) ? item.slice(colon + 1) : item;
}

function readPairs(reader: Reader, name: InputName, example: string): readonly string[] {
  const items = reader.lines(name);
  for (const item of items) {
    if (/^[^=\s][^=]*=/.test(item)) continue;
    reader.problem(name, `${show(item)} is no key=value`, `Example: ${name}: ${example}`);
  }
  return items;
}

/** buildx's levels: an annotation lands on each level named before its key; none: the manifest. */
function readAnnotations(reader: Reader): readonly string[] {
  const example = 'index:org.opencontainers.image.title=app';
  const items = readPairs(reader, 'annotations', example);
  const level = /^(?:(?:manifest|index)(?:-descriptor)?(?:\[[\w/.,-]+\])?)$/;
  for (const item of items) {
    const key = item.slice(0, Math.max(item.indexOf('='), 0));
    const colon = key.lastIndexOf(':');
    if (colon < 0) continue;
    const bad = key
      .slice(0, colon)
      .split(/,(?![^[]*\])/)
      .find((name) => !level.test(name.trim()));
    if (bad === undefined) continue;
    reader.problem(
      'annotations',
      `${show(bad)} is no level (manifest, index, manifest-descriptor, index-descriptor)`,
      `Example: annotations: ${example}`,
    );
  }
  return items;
}
