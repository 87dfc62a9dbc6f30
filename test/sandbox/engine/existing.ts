import process from 'node:process';
import { execute, onPath } from './execute.ts';
import { ActionError } from '../../../src/errors.ts';

/**
 * A Docker daemon that runs on this machine already, as DOCKER_HOST.
 *
 * @throws ActionError when there is one that can't do what the tests need. A second daemon beside
 *   it is no way out: both would own the bridge `docker0`.
 */
export async function findDocker(): Promise<string | undefined> {
  if (!(await onPath('docker'))) return undefined;
  const { code, stdout } = await execute(
    'docker',
    ['info', '--format', '{{.ServerVersion}} {{json .DriverStatus}}'],
    { timeout: 60_000 },
  );
  if (code !== 0) return undefined;
  if (!stdout.includes('io.containerd.snapshotter.v1')) {
    throw new ActionError(
      `The Docker that runs here (${stdout.split(' ')[0]}) has no containerd image store.`,
      {
        hint: 'Turn it on: {"features": {"containerd-snapshotter": true}} in /etc/docker/daemon.json, then restart Docker.',
      },
    );
  }
  const host = process.env['DOCKER_HOST'];
  if (host !== undefined && host !== '') return host;
  const context = await execute('docker', [
    'context',
    'inspect',
    '--format',
    '{{.Endpoints.docker.Host}}',
  ]);
  return context.stdout.trim() || 'unix:///var/run/docker.sock';
}
