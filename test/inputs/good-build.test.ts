import { expect, test } from 'vitest';
import type { Inputs } from '../../src/inputs/inputs.ts';
import { type Given, read } from './kit.ts';

const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

/** Build and builder: input, value, where it lands, what is there. */
const cases: readonly [string, string, (inputs: Inputs) => unknown, unknown, Given?][] = [
  ['context', 'app', ({ build }) => build.context, 'app'],
  [
    'context',
    'https://github.com/octo/shop.git#main:app',
    ({ build }) => build.context,
    'https://github.com/octo/shop.git#main:app',
  ],
  [
    'context',
    'https://example.com/context.tar.gz',
    ({ build }) => build.context,
    'https://example.com/context.tar.gz',
  ],
  [
    'context',
    '{{defaultContext}}:app',
    ({ build }) => build.context,
    'https://github.com/octo/Shop.git#0123456789abcdef0123456789abcdef01234567:app',
  ],
  [
    'context',
    '{{ defaultContext }}',
    ({ build }) => build.context,
    'https://github.com/octo/Shop.git#refs/pull/5/merge',
    { context: { ref: 'refs/pull/5/merge' } },
  ],
  ['file', 'app/Dockerfile', ({ build }) => build.file, 'app/Dockerfile'],
  ['target', 'release', ({ build }) => build.target, 'release'],
  [
    'platforms',
    'linux/amd64,linux/arm/v7\nlinux/amd64',
    ({ build }) => build.platforms,
    ['linux/amd64', 'linux/arm/v7'],
  ],
  [
    'build-args',
    'A=1\nB=x,y=z\nC\nD=#not a comment',
    ({ build }) => build.buildArgs,
    ['A=1', 'B=x,y=z', 'C', 'D=#not a comment'],
  ],
  [
    'build-contexts',
    'base=docker-image://alpine:3.22\nsrc=app\nout=target:build',
    ({ build }) => build.buildContexts,
    ['base=docker-image://alpine:3.22', 'src=app', 'out=target:build'],
  ],
  [
    'secret-envs',
    'a=ONE,b=TWO',
    ({ build }) => build.secretEnvs,
    ['a=ONE', 'b=TWO'],
    { env: { ONE: '1', TWO: '2' } },
  ],
  ['secret-files', 'token=conf/token', ({ build }) => build.secretFiles, ['token=conf/token']],
  [
    'ssh',
    'default',
    ({ build }) => build.ssh,
    ['default'],
    { env: { SSH_AUTH_SOCK: '/tmp/agent' } },
  ],
  ['ssh', 'deploy=conf/token', ({ build }) => build.ssh, ['deploy=conf/token']],
  ['network', 'none', ({ build }) => build.network, 'none'],
  ['network', 'host', ({ build }) => build.allow, ['network.host']],
  ['shm-size', '1.5 GiB', ({ build }) => build.shmSize, '1.5 GiB'],
  [
    'ulimit',
    'nofile=1024:2048\nnproc=3\ncore=10:-1',
    ({ build }) => build.ulimit,
    ['nofile=1024:2048', 'nproc=3', 'core=10:-1'],
  ],
  [
    'add-hosts',
    'db:10.0.0.1,web=::1\nup:host-gateway',
    ({ build }) => build.addHosts,
    ['db:10.0.0.1', 'web=::1', 'up:host-gateway'],
  ],
  [
    'allow',
    'network.host,security.insecure',
    ({ build }) => build.allow,
    ['network.host', 'security.insecure'],
  ],
  ['cgroup-parent', 'ci.slice', ({ build }) => build.cgroupParent, 'ci.slice'],
  ['pull', 'true', ({ build }) => build.pull, true],
  ['no-cache', 'true', ({ build }) => build.noCache, true],
  ['no-cache', '', ({ build }) => build.noCache, false],
  ['no-cache', 'Yes', ({ build }) => build.noCache, true],
  ['no-cache', 'FALSE', ({ build }) => build.noCache, false],
  ['no-cache-filters', 'deps,build', ({ build }) => build.noCacheFilters, ['deps', 'build']],
  ['load', 'true', ({ build }) => build.load, true],
  [
    'outputs',
    'type=image,"name=a,b",push=true\n\n  out',
    ({ build }) => build.outputs,
    ['type=image,"name=a,b",push=true', 'out'],
  ],
  ['provenance', '', ({ build }) => build.provenance, undefined],
  ['provenance', 'True', ({ build }) => build.provenance, 'true'],
  ['provenance', 'false', ({ build }) => build.provenance, 'false'],
  ['provenance', 'mode=min,version=v1', ({ build }) => build.provenance, 'mode=min,version=v1'],
  ['sbom', 'generator=scanner:1', ({ build }) => build.sbom, 'generator=scanner:1'],
  [
    'attests',
    'type=sbom,generator=a\ntype=provenance,mode=max',
    ({ build }) => build.attests,
    ['type=sbom,generator=a', 'type=provenance,mode=max'],
  ],
  ['call', 'check', ({ build }) => build.call, 'check'],
  ['call', 'outline,format=json', ({ build }) => build.call, 'outline,format=json'],
  ['github-token', 'ghs_x', ({ build }) => build.githubToken, 'ghs_x'],
  ['skip-unchanged', 'false', ({ build }) => build.skipUnchanged, false],
  ['driver', 'docker-container', ({ builder }) => builder.driver, 'docker-container'],
  ['builder', 'mine', ({ builder }) => builder.builder, 'mine'],
  ['buildx-version', 'v0.29.1', ({ builder }) => builder.buildxVersion, 'v0.29.1'],
  ['buildx-version', 'latest', ({ builder }) => builder.buildxVersion, 'latest'],
  [
    'driver-opts',
    'network=host\n"env.no_proxy=a,b"',
    ({ builder }) => builder.driverOpts,
    ['network=host', 'env.no_proxy=a,b'],
  ],
  ['buildkitd-flags', '--debug', ({ builder }) => builder.buildkitdFlags, '--debug'],
  [
    'buildkitd-config',
    'conf/buildkitd.toml',
    ({ builder }) => builder.buildkitdConfig,
    'conf/buildkitd.toml',
  ],
  [
    'buildkitd-config-inline',
    'debug = true\n',
    ({ builder }) => builder.buildkitdConfigInline,
    'debug = true',
  ],
  ['endpoint', 'tcp://buildkitd:1234', ({ builder }) => builder.endpoint, 'tcp://buildkitd:1234'],
  ['keep-state', 'true', ({ builder }) => builder.keepState, true],
  ['cleanup', 'false', ({ builder }) => builder.cleanup, false],
];

test.each(cases)('%s: %j', (name, value, pick, wanted, given = {}) => {
  expect(pick(read({ [name]: value }, given))).toEqual(wanted);
});

test('TLS for an endpoint: a path or the text, and the key is masked', () => {
  const masked: string[] = [];
  const key = pem.replaceAll('CERTIFICATE', 'PRIVATE KEY');
  const { builder } = read(
    { endpoint: 'tcp://b:1', cacert: 'conf/ca.pem', cert: pem, key },
    { mask: (secret) => masked.push(secret) },
  );
  expect(builder).toMatchObject({ cacert: 'conf/ca.pem', cert: pem, key });
  expect(masked).toEqual([key]);
});

test('a lower-case dockerfile is enough, as for BuildKit', () => {
  expect(read({}, { files: { dockerfile: 'FROM scratch' } }).build.file).toBe('');
});
