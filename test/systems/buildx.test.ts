import { describe, expect, it } from 'vitest';
import {
  connectBuildx,
  createArguments,
  readDetails,
  type BuilderSpec,
} from '../../src/systems/buildx.ts';
import type { Ended, Run } from '../../src/systems/process.ts';

const spec = (change: Partial<BuilderSpec> = {}): BuilderSpec => ({
  name: 'b',
  driver: 'docker-container',
  driverOpts: [],
  buildkitdFlags: '',
  buildkitdConfig: '',
  endpoint: '',
  tls: { cacert: '', cert: '', key: '' },
  ...change,
});

describe('createArguments', () => {
  it.each<[string, Partial<BuilderSpec>, string[]]>([
    ['default', {}, ['create', '--name', 'b', '--driver', 'docker-container']],
    [
      'docker-container, full',
      {
        driverOpts: [
          'image=mirror.example/moby/buildkit:v0.25.0',
          'network=host',
          '"env.no_proxy=a,b"',
        ],
        buildkitdFlags: '--debug --allow-insecure-entitlement=network.host',
        buildkitdConfig: '/tmp/buildkitd.toml',
        endpoint: 'my-context',
      },
      [
        'create',
        '--name',
        'b',
        '--driver',
        'docker-container',
        '--driver-opt',
        'image=mirror.example/moby/buildkit:v0.25.0',
        '--driver-opt',
        'network=host',
        '--driver-opt',
        '"env.no_proxy=a,b"',
        '--buildkitd-flags',
        '--debug --allow-insecure-entitlement=network.host',
        '--buildkitd-config',
        '/tmp/buildkitd.toml',
        'my-context',
      ],
    ],
    [
      'remote with TLS',
      {
        driver: 'remote',
        endpoint: 'tcp://buildkit.example:1234',
        driverOpts: ['servername=other.example'],
        tls: { cacert: '/tls/a,b/ca.pem', cert: '/tls/cert.pem', key: '/tls/key.pem' },
      },
      [
        'create',
        '--name',
        'b',
        '--driver',
        'remote',
        '--driver-opt',
        'servername=other.example',
        '--driver-opt',
        '"cacert=/tls/a,b/ca.pem"',
        '--driver-opt',
        'cert=/tls/cert.pem',
        '--driver-opt',
        'key=/tls/key.pem',
        'tcp://buildkit.example:1234',
      ],
    ],
    [
      'kubernetes',
      { driver: 'kubernetes', driverOpts: ['namespace=ci', 'replicas=2', 'rootless=true'] },
      [
        'create',
        '--name',
        'b',
        '--driver',
        'kubernetes',
        '--driver-opt',
        'namespace=ci',
        '--driver-opt',
        'replicas=2',
        '--driver-opt',
        'rootless=true',
      ],
    ],
  ])('%s', (_name, change, args) => {
    expect(createArguments(spec(change))).toEqual(args);
  });
});

describe('readDetails', () => {
  it('reads what buildx inspect prints', () => {
    const text = `Name:          b
Driver:        docker-container
Last Activity: 2026-11-21 22:00:00 +0000 UTC

Nodes:
Name:                  b0
Endpoint:              unix:///var/run/docker.sock
Driver Options:        network="host"
Status:                running
BuildKit daemon flags: --allow-insecure-entitlement=network.host
BuildKit version:      v0.25.1
Platforms:             linux/amd64*, linux/amd64/v2, linux/386
Labels:
 org.mobyproject.buildkit.worker.executor: oci
`;
    expect(readDetails(text)).toEqual({
      driver: 'docker-container',
      buildkitVersion: '0.25.1',
      platforms: ['linux/amd64', 'linux/amd64/v2', 'linux/386'],
      error: undefined,
    });
  });

  it('reads the error of a node', () => {
    expect(
      readDetails('Name: b\nDriver: remote\n\nNodes:\nName: b0\nError: no route\n').error,
    ).toBe('no route');
  });
});

describe('connectBuildx', () => {
  const answering =
    (ended: Partial<Ended>): Run =>
    () =>
      Promise.resolve({ code: 1, signal: null, stdout: '', stderr: '', ...ended });

  it.each([
    [{ stderr: "docker: 'buildx' is not a docker command.\n" }, 'no buildx plugin'],
    [
      { stderr: 'ERROR: existing instance for "b" but no append mode' },
      'could not create the builder "b"',
    ],
    [{ code: null, signal: 'SIGKILL' as const }, 'ended by SIGKILL'],
  ])('%j', async (ended, words) => {
    const buildx = connectBuildx({ run: answering(ended), env: {} });
    await expect(buildx.create(spec())).rejects.toThrow(words);
  });

  it('a node that does not answer is an error', async () => {
    const buildx = connectBuildx({
      run: answering({ code: 0, stdout: 'Driver: remote\nError: no route\n' }),
      env: {},
    });
    await expect(buildx.boot('b')).rejects.toThrow("doesn't answer: no route");
  });

  it('docker that could not be started', async () => {
    const buildx = connectBuildx({ run: () => Promise.reject(new Error('not found')), env: {} });
    await expect(buildx.names()).rejects.toThrow(
      'docker could not be started to list the builders',
    );
  });
});
