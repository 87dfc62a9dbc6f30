/**
 * Every input with its default, as action.yml has them (a test compares the two). The runner fills
 * defaults in, and hands an unset input of an expression over as empty text: both mean the default.
 */
export const inputDefaults = {
  'aws-region': '',
  'role-to-assume': '',
  'role-session-name': '',
  'role-duration-seconds': '3600',
  audience: 'sts.amazonaws.com',
  'allowed-account-ids': '',

  repository: '',
  'create-repository': 'false',
  tags: '',
  'moving-tags': 'latest',
  labels: '',
  annotations: '',

  context: '.',
  file: '',
  target: '',
  platforms: '',
  'build-args': '',
  'build-contexts': '',
  secrets: '',
  'secret-envs': '',
  'secret-files': '',
  ssh: '',
  network: '',
  'shm-size': '',
  ulimit: '',
  'add-hosts': '',
  allow: '',
  'cgroup-parent': '',
  pull: 'false',
  'no-cache': 'false',
  'no-cache-filters': '',
  load: 'false',
  outputs: '',
  provenance: '',
  sbom: '',
  attests: '',
  call: 'build',
  'github-token': '',
  'skip-unchanged': 'true',

  driver: 'auto',
  builder: '',
  'buildx-version': '',
  'driver-opts': '',
  'buildkitd-flags': '',
  'buildkitd-config': '',
  'buildkitd-config-inline': '',
  endpoint: '',
  cacert: '',
  cert: '',
  key: '',
  'keep-state': 'false',
  cleanup: 'true',

  cache: 'gha',
  'cache-scope': '',
  'cache-mode': 'max',
  'cache-bucket': '',
  'cache-prefix': 'buildkit-cache/',
  'cache-region': '',
  'cache-repository': '',
  'cache-write': 'auto',
  'cache-from': '',
  'cache-to': '',
  'cache-mounts': 'auto',

  'pip-requirements': '',
  'pip-install': 'true',
  'pip-installer': 'auto',
  'pip-cache-prefix': 'pip',
  verify: '',

  order: 'in-turn',
  'order-state': '',
  'order-job': '',
  'order-lane': '',
  'order-bucket': '',
  'order-timeout': '30m',
  'order-interval': '5s',

  'lambda-functions': '',
  'lambda-publish': 'true',
  'lambda-invoke': '',
  'lambda-rollback': 'true',
  'lambda-timeout': '5m',

  'dry-run': 'false',
  summary: 'true',
  'build-record': 'false',
} as const satisfies Record<string, string>;

export type InputName = keyof typeof inputDefaults;

/** Inputs of the actions that people come from, and what stands in their place here. */
const renamed: Readonly<Record<string, string>> = {
  push: 'nothing: the image is always pushed, except by pull requests from forks',
  version: 'buildx-version',
  install: 'nothing: buildx is called by its own name',
  use: 'nothing: the builder is used for this build only',
  append: 'endpoint, for one BuildKit service',
  name: 'builder, for a builder that exists',
  'cache-binary': 'nothing: a downloaded buildx is kept by its version',
  registries: 'repository, as a full URI',
  'registry-type': 'nothing: private Amazon ECR only',
  'mask-password': 'nothing: the password is always masked',
  'skip-logout': 'nothing: the login lives in a folder of its own that is removed',
  'ecr-repository': 'repository',
  'image-uri': 'nothing: the image that was built is deployed',
  'function-name': 'lambda-functions',
  publish: 'lambda-publish',
  architectures: 'platforms',
  cmd: 'nothing: a function keeps its configuration',
  'web-identity-token-file': 'nothing: an OIDC token is asked of GitHub',
};

/**
 * Inputs that were set but don't exist (GitHub only prints "Unexpected input(s)" in passing).
 *
 * @returns one sentence for each, with the nearest name.
 */
export function unknownInputs(env: NodeJS.ProcessEnv): readonly string[] {
  const known = new Map(Object.keys(inputDefaults).map((name) => [variable(name), name]));
  const sentences: string[] = [];
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith('INPUT_') || known.has(key) || value === undefined || value === '')
      continue;
    const name = key.slice('INPUT_'.length).toLowerCase();
    const instead = renamed[name];
    const near = closest(name, Object.keys(inputDefaults));
    const advice =
      instead !== undefined
        ? `here it is ${instead}`
        : near !== undefined
          ? `did you mean ${near}?`
          : 'it has no effect';
    sentences.push(`There is no input ${name}: ${advice}${advice.endsWith('?') ? '' : '.'}`);
  }
  return sentences;
}

/** The variable the runner puts an input into: upper case, spaces to `_`, hyphens kept. */
export function variable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`;
}

/** The candidate that a mistyped word is nearest to, or undefined when none is near. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const normal = word.toLowerCase().replaceAll('_', '-');
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(normal, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  if (best === undefined) return undefined;
  return best.distance <= Math.max(1, Math.floor(normal.length / 3)) ? best.candidate : undefined;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
