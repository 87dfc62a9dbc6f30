import { isBuild } from '../image/build-arguments.ts';
import { attributes } from '../image/csv.ts';
import type { BuildInputs, Inputs } from './inputs.ts';
import type { Reader } from './reader.ts';

/** Refuses what can't work together, before anything has been done. */
export function checkCombinations(reader: Reader, inputs: Inputs): void {
  checkBuilder(reader, inputs);
  checkBuild(reader, inputs.build);
  if (inputs.order.mode !== 'off' && inputs.image.movingTags.length === 0) {
    if (inputs.order.state === 's3' && inputs.lambda.functions.length === 0) {
      reader.warn('order has nothing to order: there is neither a moving tag nor a function.');
    }
  }
  if (!inputs.python.install && inputs.python.requirements.length === 0) {
    reader.warn('pip-install has no effect without pip-requirements.');
  }
}

function checkBuilder(reader: Reader, { builder, cache }: Inputs): void {
  const own = (
    [
      ['driver-opts', builder.driverOpts.length > 0],
      ['buildkitd-flags', builder.buildkitdFlags !== ''],
      ['buildkitd-config', builder.buildkitdConfig !== ''],
      ['buildkitd-config-inline', builder.buildkitdConfigInline !== ''],
    ] as const
  )
    .filter(([, given]) => given)
    .map(([name]) => name);
  const endpoint = builder.endpoint !== '';

  if (builder.builder !== '') {
    if (builder.driver !== 'auto') {
      reader.problem(
        'builder',
        `names a builder that exists, but driver asks for a new one`,
        'Keep one of the two.',
      );
    }
    for (const name of [...own, ...(endpoint ? (['endpoint'] as const) : [])]) {
      reader.problem(
        name,
        'is for a new builder, but builder names one that exists',
        'Keep one of the two.',
      );
    }
  } else if (builder.driver === 'docker') {
    for (const name of own) {
      reader.problem(
        name,
        `can't be given to driver: docker, whose BuildKit is Docker's own`,
        'Example: driver: docker-container',
      );
    }
    if (endpoint) {
      reader.problem(
        'endpoint',
        'is a BuildKit service, but driver: docker was asked for',
        'Example: driver: remote',
      );
    }
    const raw = [...cache.from, ...cache.to].map((item) => attributes(item).get('type'));
    if (cache.backends.includes('s3') || raw.includes('s3') || raw.includes('azblob')) {
      reader.problem(
        'cache',
        "s3 and azblob are unknown to the docker driver's BuildKit",
        'Leave driver out (auto), or: driver: docker-container',
      );
    }
  } else if (builder.driver === 'remote' || (builder.driver === 'auto' && endpoint)) {
    if (!endpoint) {
      reader.problem(
        'endpoint',
        'is missing: driver: remote needs the address of a BuildKit service',
        'Example: endpoint: tcp://buildkitd.internal:1234',
      );
    }
    for (const name of own.filter((name) => name !== 'driver-opts')) {
      reader.problem(
        name,
        'configures a BuildKit of our own, but endpoint is one that runs already',
        'Keep one of the two.',
      );
    }
  }
  if ((builder.cert === '') !== (builder.key === '')) {
    const missing = builder.cert === '' ? 'cert' : 'key';
    reader.problem(
      missing,
      'is missing: cert and key belong together',
      `Example: ${missing}: \${{ secrets.BUILDKIT_${missing.toUpperCase()} }}`,
    );
  }
  const tls = builder.cacert !== '' || builder.cert !== '' || builder.key !== '';
  if (tls && !endpoint) {
    reader.problem(
      'endpoint',
      'is missing: cacert, cert and key are for a remote endpoint',
      'Example: endpoint: tcp://buildkitd.internal:1234',
    );
  }
}

function checkBuild(reader: Reader, build: BuildInputs): void {
  if (!isBuild(build.call)) {
    if (build.load)
      reader.problem(
        'load',
        `has nothing to load: call: ${build.call} builds no image`,
        'Leave one of the two out.',
      );
    if (build.outputs.length > 0) {
      reader.problem(
        'outputs',
        `has nothing to write: call: ${build.call} builds no image`,
        'Leave one of the two out.',
      );
    }
  }
  if (build.noCache && build.noCacheFilters.length > 0) {
    reader.warn('no-cache-filters has no effect beside no-cache: true.');
  }
  const attested = (type: string) =>
    build.attests.some((item) => attributes(item).get('type') === type);
  for (const name of ['provenance', 'sbom'] as const) {
    if (build[name] !== undefined && attested(name)) {
      reader.problem(name, `is given here and by attests (type=${name})`, 'Keep one of the two.');
    }
  }
}
