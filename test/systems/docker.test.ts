import { describe, expect, it } from 'vitest';
import { inspectDocker, readInfo } from '../../src/systems/docker.ts';
import type { Run } from '../../src/systems/process.ts';

const info = {
  ServerVersion: '28.5.2+dfsg4',
  OSType: 'linux',
  Architecture: 'aarch64',
  DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']],
  ClientInfo: { Context: 'rootless', Plugins: [{ Name: 'buildx', Version: 'v0.29.1+ds1' }] },
};

describe('readInfo', () => {
  it('knows the containerd image store, buildx, the platform and the context', () => {
    expect(readInfo(JSON.stringify(info), '')).toEqual({
      serverVersion: '28.5.2+dfsg4',
      containerdStore: true,
      buildxVersion: '0.29.1',
      platform: 'linux/arm64',
      problem: undefined,
      context: 'rootless',
    });
  });

  it('knows the classic store, and a missing buildx', () => {
    const classic = {
      ...info,
      DriverStatus: [['Backing Filesystem', 'extfs']],
      ClientInfo: { Context: 'default', Plugins: null },
    };
    expect(readInfo(JSON.stringify(classic), '')).toMatchObject({
      containerdStore: false,
      buildxVersion: undefined,
    });
  });

  it('keeps what is known without a daemon, and says why there is none', () => {
    const down = {
      ClientInfo: info.ClientInfo,
      ServerVersion: '',
      ServerErrors: [
        'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?',
      ],
    };
    expect(readInfo(JSON.stringify(down), '')).toMatchObject({
      serverVersion: undefined,
      buildxVersion: '0.29.1',
      problem: 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?',
    });
  });

  it('an old docker answers no JSON', () => {
    expect(readInfo('json\n', '').problem).toContain('no JSON');
  });
});

describe('inspectDocker', () => {
  it('without docker is a fact, not an error', async () => {
    const run: Run = () => Promise.reject(new Error('docker could not be started: not found'));
    const facts = await inspectDocker(run, {});
    expect(facts).toMatchObject({
      serverVersion: undefined,
      problem: 'docker could not be started: not found',
    });
  });

  it('asks once', async () => {
    const calls: string[] = [];
    const run: Run = (command, args) => {
      calls.push([command, ...args].join(' '));
      return Promise.resolve({ code: 0, signal: null, stdout: JSON.stringify(info), stderr: '' });
    };
    await inspectDocker(run, {});
    expect(calls).toEqual(['docker info --format json']);
  });

  it('a cancelled run is not a missing docker', async () => {
    const run: Run = () => Promise.reject(new DOMException('stop', 'AbortError'));
    await expect(inspectDocker(run, {}, AbortSignal.abort())).rejects.toThrow('stop');
  });
});
