import { resolve } from 'node:path';
import type { RunContext } from '../context.ts';
import { kind } from './build-files.ts';
import type { BuilderInputs, Driver } from './inputs.ts';
import { show, type Reader } from './reader.ts';

const drivers: readonly Driver[] = ['auto', 'docker', 'docker-container', 'remote', 'kubernetes'];

/** docker/setup-buildx-action's options, with the same names and meanings. */
export function readBuilder(
  reader: Reader,
  context: RunContext,
  mask: (secret: string) => void,
): BuilderInputs {
  const driverOpts = reader.lines('driver-opts');
  for (const option of driverOpts.filter((option) => !/^"?[\w.-]+=/.test(option))) {
    reader.problem(
      'driver-opts',
      `${show(option)} is no option=value`,
      'Example: driver-opts: image=public.ecr.aws/docker/library/buildkit:buildx-stable-1',
    );
  }
  const tls = {
    cacert: readPem(reader, context, 'cacert', mask),
    cert: readPem(reader, context, 'cert', mask),
    key: readPem(reader, context, 'key', mask),
  };
  const builder: BuilderInputs = {
    driver: reader.choice('driver', drivers),
    builder: readName(reader),
    buildxVersion: readVersion(reader),
    driverOpts,
    buildkitdFlags: reader.text('buildkitd-flags'),
    buildkitdConfig: readConfig(reader, context),
    buildkitdConfigInline: reader.text('buildkitd-config-inline'),
    endpoint: readEndpoint(reader),
    ...tls,
    keepState: reader.flag('keep-state'),
    cleanup: reader.flag('cleanup'),
  };
  return builder;
}

function readName(reader: Reader): string {
  const found = reader.text('builder');
  if (found !== '' && !/^[\w.-]+$/.test(found)) {
    reader.problem(
      'builder',
      `${show(found)} is no builder's name`,
      'Example: builder: my-builder',
    );
  }
  return found;
}

function readVersion(reader: Reader): string {
  const found = reader.text('buildx-version');
  if (found === '' || found === 'latest' || /^v?\d+\.\d+\.\d+(-[\w.-]+)?$/.test(found))
    return found;
  reader.problem(
    'buildx-version',
    `${show(found)} is neither latest nor a version`,
    'Example: buildx-version: v0.29.1',
  );
  return found;
}

function readConfig(reader: Reader, context: RunContext): string {
  const found = reader.text('buildkitd-config');
  if (found !== '' && kind(resolve(context.workspace, found)) !== 'file') {
    reader.problem(
      'buildkitd-config',
      `the file ${show(found)} is not there`,
      `It is looked for in ${context.workspace}. Example: buildkitd-config: .github/buildkitd.toml`,
    );
  }
  if (found !== '' && reader.text('buildkitd-config-inline') !== '') {
    reader.problem(
      'buildkitd-config',
      'is given together with buildkitd-config-inline',
      'Keep one of the two.',
    );
  }
  return found;
}

function readEndpoint(reader: Reader): string {
  const found = reader.text('endpoint');
  const driver = reader.text('driver').toLowerCase();
  // For the container drivers an endpoint is a context's name; for a remote one BuildKit's address.
  const remote = driver === 'auto' || driver === 'remote';
  if (found === '' || !remote || /^[a-z][a-z0-9+.-]*:\/\/\S+$/.test(found)) return found;
  reader.problem(
    'endpoint',
    `${show(found)} is no address of a BuildKit service`,
    'Example: endpoint: tcp://buildkitd.internal:1234',
  );
  return found;
}

/** A PEM text, or a file's path. */
function readPem(
  reader: Reader,
  context: RunContext,
  name: 'cacert' | 'cert' | 'key',
  mask: (secret: string) => void,
): string {
  const found = reader.text(name);
  if (found === '') return '';
  if (found.includes('-----BEGIN ')) {
    if (name === 'key') mask(found);
  } else if (kind(resolve(context.workspace, found)) !== 'file') {
    // What was found isn't shown: it may be a key whose frame was lost.
    reader.problem(
      name,
      'is neither a PEM text (-----BEGIN …) nor the path of a file that is there',
      `Example: ${name}: \${{ secrets.BUILDKIT_${name.toUpperCase()} }}`,
    );
  }
  return found;
}
