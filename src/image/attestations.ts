import { runUrl, type RunContext } from '../context.ts';
import { ActionError } from '../errors.ts';
import type { BuildInputs } from '../inputs/inputs.ts';
import { attributes } from './csv.ts';
import type { Builder, BuildPlan } from './plan.ts';

type Attestations = Pick<BuildPlan, 'provenance' | 'sbom' | 'attests'>;

/**
 * What goes into `--provenance`, `--sbom` and `--attest`, by docker/build-push-action's rules: unset,
 * a private repository gets `mode=min` (build arguments stay out of it), a public one `mode=max`;
 * every provenance names this run as its builder.
 *
 * @throws ActionError when attestations were asked for where BuildKit can't store any.
 */
export function planAttestations(
  build: Pick<BuildInputs, 'provenance' | 'sbom' | 'attests' | 'load' | 'outputs'>,
  context: RunContext,
  builder: Pick<Builder, 'driver' | 'cacheExport'>,
): Attestations {
  const obstacle = whyNot(build, builder);
  const asked = askedFor(build);
  if (asked !== undefined && obstacle !== undefined) {
    throw new ActionError(`${asked} was asked for, but ${obstacle.what}.`, { hint: obstacle.hint });
  }
  const id = `builder-id=${runUrl(context)}`;
  return {
    provenance: planProvenance(build, context, id, obstacle !== undefined),
    sbom: build.sbom,
    attests: build.attests.map((item) => {
      const found = attributes(item);
      return found.get('type') === 'provenance' && !found.has('builder-id')
        ? `${item},${id}`
        : item;
    }),
  };
}

function planProvenance(
  build: Pick<BuildInputs, 'provenance' | 'attests'>,
  context: RunContext,
  id: string,
  impossible: boolean,
): string | undefined {
  const { provenance } = build;
  if (provenance === undefined) {
    if (build.attests.some((item) => attributes(item).get('type') === 'provenance'))
      return undefined;
    if (impossible) return 'false';
    return context.privateRepository ? `mode=min,inline-only=true,${id}` : `mode=max,${id}`;
  }
  if (provenance === 'false') return 'false';
  if (provenance === 'true') return `mode=${context.privateRepository ? 'min' : 'max'},${id}`;
  return attributes(provenance).has('builder-id') ? provenance : `${provenance},${id}`;
}

/** The first attestation that the user asked for; false and `disabled=true` ask for none. */
function askedFor(build: Pick<BuildInputs, 'provenance' | 'sbom' | 'attests'>): string | undefined {
  const wanted = (value: string | undefined) =>
    value !== undefined && value !== 'false' && attributes(value).get('disabled') !== 'true';
  if (wanted(build.provenance)) return `provenance: ${build.provenance}`;
  if (wanted(build.sbom)) return `sbom: ${build.sbom}`;
  const attest = build.attests.find(wanted);
  return attest === undefined ? undefined : `attests: ${attest}`;
}

function whyNot(
  build: Pick<BuildInputs, 'load' | 'outputs'>,
  builder: Pick<Builder, 'driver' | 'cacheExport'>,
): { what: string; hint: string } | undefined {
  if (builder.driver === 'docker') {
    // An attestation makes the image an index; only the containerd image store can hold one.
    return builder.cacheExport
      ? undefined
      : {
          what: "the docker driver can't store attestations without the containerd image store",
          hint: 'Leave driver out (auto), or: driver: docker-container',
        };
  }
  const docker = build.outputs.some((item) => attributes(item).get('type') === 'docker');
  if (!build.load && !docker) return undefined;
  return {
    what: `${build.load ? 'load' : 'an output type=docker'} goes through BuildKit's docker exporter, which can't hold an index with attestations`,
    hint: 'Leave one of the two out, or use the docker driver with the containerd image store.',
  };
}
