import { csvField } from './csv.ts';
import type { BuildPlan } from './plan.ts';

/**
 * Exact argv after `docker` for one build: `buildx build …`, the context last.
 *
 * No secret is among them: values travel in files and variables.
 */
export function buildArguments(plan: BuildPlan): readonly string[] {
  const builds = isBuild(plan.call);
  const each = (option: string, values: readonly string[]) =>
    values.flatMap((value) => [option, value]);
  const given = (option: string, value: string) => (value === '' ? [] : [option, value]);
  const when = (asked: boolean, args: readonly string[]) => (asked ? args : []);
  return [
    'buildx',
    'build',
    '--builder',
    plan.builder.name,
    '--progress',
    'rawjson',
    '--metadata-file',
    plan.metadataFile,
    ...when(!builds, ['--call', plan.call]),
    ...each('--add-host', plan.addHosts),
    ...each('--allow', plan.allow),
    ...each('--annotation', plan.annotations),
    ...each('--build-arg', plan.buildArgs),
    ...each('--build-context', plan.buildContexts),
    ...when(builds, each('--cache-from', plan.cacheFrom)),
    ...when(builds, each('--cache-to', plan.cacheTo)),
    ...given('--cgroup-parent', plan.cgroupParent),
    ...given('--file', plan.file),
    ...each('--label', plan.labels),
    ...given('--network', plan.network),
    ...when(plan.noCache, ['--no-cache']),
    ...each('--no-cache-filter', plan.noCacheFilters),
    ...when(builds, each('--output', imageOutputs(plan))),
    ...given('--platform', plan.platforms.join(',')),
    ...when(builds, attestations(plan)),
    ...when(plan.pull, ['--pull']),
    ...each('--secret', plan.secrets),
    ...given('--shm-size', plan.shmSize),
    ...each('--ssh', plan.ssh),
    ...given('--target', plan.target),
    ...each('--ulimit', plan.ulimit),
    plan.context,
  ];
}

/** Whether `call` builds at all (and doesn't only look at the Dockerfile). */
export function isBuild(call: string): boolean {
  return call === '' || /^build(,|$)/.test(call);
}

function attestations({ provenance, sbom, attests }: BuildPlan): readonly string[] {
  return [
    ...(provenance === undefined ? [] : [`--provenance=${provenance}`]),
    ...(sbom === undefined ? [] : [`--sbom=${sbom}`]),
    ...attests.flatMap((value) => ['--attest', value]),
  ];
}

/**
 * Where the result goes: pushed, loaded, and to the user's own `outputs`.
 *
 * The docker driver's images live in Docker's own store: there `store=false` pushes without naming and
 * unpacking the image, and a pushed image that is stored is loaded. Other builders load by a second
 * output. Without any, `cacheonly` says so (buildx would warn, or Docker keep an image without a name).
 */
export function imageOutputs(plan: BuildPlan): readonly string[] {
  const { builder, references, load } = plan;
  const named = (names: readonly string[]) =>
    names.length === 0 ? [] : [csvField(`name=${names.join(',')}`)];
  const outputs: string[] = [];
  const docker = builder.driver === 'docker';
  if (references.length > 0) {
    const store = docker && builder.cacheExport && !load ? ['store=false'] : [];
    outputs.push(['type=image', ...named(references), 'push=true', ...store].join(','));
  }
  if (load && (!docker || references.length === 0)) {
    const names = plan.localReferences ?? references;
    outputs.push([docker ? 'type=image' : 'type=docker', ...named(names)].join(','));
  }
  outputs.push(...plan.outputs);
  return outputs.length === 0 ? ['type=cacheonly'] : outputs;
}
