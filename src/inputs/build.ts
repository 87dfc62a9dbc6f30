import type { RunContext } from '../context.ts';
import type { BuildInputs } from './inputs.ts';
import { checkContext, checkDockerfile, checkNamedContexts, expandContext } from './build-files.ts';
import { readSecrets } from './build-secrets.ts';
import { splitCommas, attributes } from '../image/csv.ts';
import type { InputName } from './names.ts';
import { show, type Reader } from './reader.ts';

/** docker/build-push-action's inputs, with the same names and meanings. */
export function readBuild(
  reader: Reader,
  context: RunContext,
  mask: (secret: string) => void,
): BuildInputs {
  const build: BuildInputs = {
    context: expandContext(reader.text('context'), context),
    file: reader.text('file'),
    target: word(reader, 'target', 'release'),
    platforms: platforms(reader),
    buildArgs: each(reader, 'build-args', reader.lines('build-args'), {
      right: /^[^=\s]+(=|$)/,
      what: 'no KEY=value',
      example: 'VERSION=1.2.3',
    }),
    buildContexts: each(reader, 'build-contexts', reader.lines('build-contexts'), {
      right: /^[^=\s]+=\S/,
      what: 'no name=path, name=docker-image://… or name=https://…',
      example: 'base=docker-image://alpine:3.22',
    }).map((item) => expandContext(item, context)),
    ...readSecrets(reader, context, mask),
    network: network(reader),
    shmSize: each(reader, 'shm-size', [reader.text('shm-size')].filter(Boolean), {
      right: /^\d+(\.\d+)?\s*([kmgtp]i?b?|b)?$/i,
      what: 'no size',
      example: '128m',
    }).join(''),
    ulimit: ulimits(reader),
    addHosts: each(reader, 'add-hosts', reader.commas('add-hosts'), {
      right: /^[^\s:=]+[:=](host-gateway|\d{1,3}(\.\d{1,3}){3}|\[?[0-9a-f:.]*:[0-9a-f:.]*\]?)$/i,
      what: 'no host:address',
      example: 'db.test:10.180.0.1',
    }),
    allow: entitlements(reader),
    cgroupParent: word(reader, 'cgroup-parent', 'ci.slice'),
    pull: reader.flag('pull'),
    noCache: reader.flag('no-cache'),
    noCacheFilters: reader.commas('no-cache-filters'),
    load: reader.flag('load'),
    outputs: outputs(reader),
    provenance: attestation(reader, 'provenance', 'mode=max'),
    sbom: attestation(reader, 'sbom', 'true'),
    attests: each(reader, 'attests', reader.lines('attests'), {
      right: /(^|,)type=(sbom|provenance)(,|$)/,
      what: 'no attestation (type=sbom or type=provenance, then attributes)',
      example: 'type=provenance,mode=max',
    }),
    call: call(reader),
    githubToken: reader.text('github-token'),
    skipUnchanged: reader.flag('skip-unchanged'),
  };
  checkContext(reader, context, build.context);
  checkDockerfile(reader, context, build);
  checkNamedContexts(reader, context, build.buildContexts);
  return build;
}

function each(
  reader: Reader,
  name: InputName,
  items: readonly string[],
  rule: { right: RegExp; what: string; example: string },
): readonly string[] {
  for (const item of items) {
    if (rule.right.test(item)) continue;
    reader.problem(name, `${show(item)} is ${rule.what}`, `Example: ${name}: ${rule.example}`);
  }
  return items;
}

function word(reader: Reader, name: InputName, example: string): string {
  const found = reader.text(name);
  if (/\s/.test(found)) {
    reader.problem(name, `${show(found)} has a space`, `Example: ${name}: ${example}`);
  }
  return found;
}

function platforms(reader: Reader): readonly string[] {
  const found = each(reader, 'platforms', reader.commas('platforms'), {
    right: /^[a-z0-9_]+(\/[a-z0-9_]+){0,2}$/,
    what: 'no platform (os/architecture, with /variant where there is one)',
    example: 'linux/amd64,linux/arm64',
  });
  return [...new Set(found)];
}

function network(reader: Reader): string {
  const found = reader.text('network');
  if (!['', 'default', 'none', 'host'].includes(found)) {
    reader.problem(
      'network',
      `${show(found)} is none of default, none, host: BuildKit knows no networks by name`,
      'A network for all of a builder: driver: docker-container with driver-opts: network=NAME',
    );
  }
  return found;
}

/** `network: host` is an entitlement too: named once, both the build and a new builder grant it. */
function entitlements(reader: Reader): readonly string[] {
  const found = each(reader, 'allow', reader.commas('allow'), {
    right: /^(network\.host|security\.insecure|device(=.+)?)$/,
    what: 'no entitlement of BuildKit (network.host, security.insecure, device)',
    example: 'network.host',
  });
  const host = reader.text('network') === 'host' ? ['network.host'] : [];
  return [...new Set([...found, ...host])];
}

const limits =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack';

function ulimits(reader: Reader): readonly string[] {
  const items = reader.lines('ulimit');
  for (const item of items) {
    const [, name = '', soft, hard] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(item) ?? [];
    const example = 'Example: ulimit: nofile=1024:2048';
    if (soft === undefined || !limits.split(' ').includes(name)) {
      reader.problem(
        'ulimit',
        `${show(item)} is no limit=soft[:hard] (limits: ${limits})`,
        example,
      );
    } else if (hard !== undefined && hard !== '-1' && Number(soft) > Number(hard)) {
      reader.problem('ulimit', `${show(item)} has a soft limit above the hard one`, example);
    }
  }
  return items;
}

/**
 * Raw `--output` values. Their quotes are part of buildx's own CSV (`type=image,"name=a,b"`), so they
 * are not taken off; a line is an item.
 */
function outputs(reader: Reader): readonly string[] {
  const items = (reader.raw('outputs') ?? '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return each(reader, 'outputs', items, {
    // A bare path is buildx's short form of type=local, `-` would write a tar file into our log.
    right: /^[^-\s=][^=]*$|(^|,)"?type=\w+/,
    what: 'no output of buildx',
    example: 'type=local,dest=out',
  });
}

function attestation(
  reader: Reader,
  name: 'provenance' | 'sbom',
  example: string,
): string | undefined {
  const found = reader.text(name);
  if (found === '') return undefined;
  if (/^(true|yes)$/i.test(found)) return 'true';
  if (/^(false|no)$/i.test(found)) return 'false';
  const attribute = [...attributes(found)].every(([key, value]) => key !== '' && value !== '');
  const mode = name === 'provenance' ? attributes(found).get('mode') : undefined;
  if (!attribute || (mode !== undefined && mode !== 'min' && mode !== 'max')) {
    reader.problem(
      name,
      `${show(found)} is neither true, false nor attributes${mode === undefined ? '' : ' (mode is min or max)'}`,
      `Example: ${name}: ${example}`,
    );
  }
  return found;
}

function call(reader: Reader): string {
  const found = reader.text('call');
  const [method = '', ...rest] = splitCommas(found);
  const known = /^(build|check|lint|outline|targets|(subrequest=)?[\w.]+\.[\w.]+|subrequest=.+)$/;
  if (!known.test(method) || rest.some((field) => !/^(format|ignorestatus)\b/.test(field))) {
    reader.problem(
      'call',
      `${show(found)} is none of build, check, outline, targets`,
      'Example: call: check',
    );
  }
  return found;
}
