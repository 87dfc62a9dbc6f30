import { execute } from '../engine/execute.ts';
import type { Engine } from '../engine/engine.ts';
import { withLock } from '../engine/lock.ts';
import { sayToStderr, type Say } from '../engine/places.ts';
import { makeBusyboxTree } from './busybox.ts';
import { makePythonTree } from './python.ts';

/**
 * Base images for tests and examples, because no public image can be pulled everywhere. In the
 * daemon under these names, and in the registry (`<registryHost>/<name>`) for builders of their own.
 */
export const busyboxImage = 'sandbox/busybox:1';
export const pythonImage = 'sandbox/python:3.11';

/** Makes both base images unless they are there. Safe to call from many processes at once. */
export async function ensureBaseImages(
  engine: Engine,
  options: { say?: Say } = {},
): Promise<{ busybox: string; python: string }> {
  await ensureBusybox(engine, options);
  await ensurePython(engine, options);
  return { busybox: busyboxImage, python: pythonImage };
}

/** busybox, statically linked, with its links: about 1 MB. */
export function ensureBusybox(engine: Engine, options: { say?: Say } = {}): Promise<void> {
  return ensureImage(engine, {
    name: busyboxImage,
    tree: makeBusyboxTree,
    changes: ['ENV PATH=/bin', 'CMD ["sh"]'],
    say: options.say ?? sayToStderr,
  });
}

/** Debian 12 with Python 3.11, pip and venv: what `python:3.11-slim` would be. */
export function ensurePython(engine: Engine, options: { say?: Say } = {}): Promise<void> {
  return ensureImage(engine, {
    name: pythonImage,
    tree: makePythonTree,
    changes: [
      'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin LANG=C.UTF-8',
      'CMD ["python3"]',
    ],
    say: options.say ?? sayToStderr,
  });
}

interface Wanted {
  readonly name: string;
  /** Makes (or finds) the tar of the image's file tree; its path. */
  readonly tree: (say: Say) => Promise<string>;
  /** Dockerfile lines for `docker import --change`. */
  readonly changes: readonly string[];
  readonly say: Say;
}

async function ensureImage(engine: Engine, wanted: Wanted): Promise<void> {
  if (await isThere(engine, wanted.name)) return;
  const lock = `image-${wanted.name.replaceAll(/\W/g, '-')}`;
  await withLock(lock, async () => {
    const pushed = `${engine.registryHost}/${wanted.name}`;
    if ((await engine.docker(['image', 'inspect', wanted.name])).code !== 0) {
      const tar = await wanted.tree(wanted.say);
      wanted.say(`Importing ${wanted.name}`);
      const changes = wanted.changes.flatMap((line) => ['--change', line]);
      await engine.must(['import', ...changes, tar, wanted.name]);
    }
    if (!(await isThere(engine, wanted.name))) {
      await engine.must(['tag', wanted.name, pushed]);
      await engine.must(['push', '--quiet', pushed]);
      // The registry's port is new in each life of the engine: its names would pile up.
      await engine.must(['rmi', '--no-prune', pushed]);
    }
  });
}

/** Whether the image is in the daemon and in the registry. */
async function isThere(engine: Engine, name: string): Promise<boolean> {
  const [repository = '', tag = ''] = name.split(':');
  const accept = 'application/vnd.docker.distribution.manifest.v2+json';
  const [local, remote] = await Promise.all([
    execute('docker', ['image', 'inspect', name], { env: engine.env }),
    fetch(`http://${engine.registryHost}/v2/${repository}/manifests/${tag}`, {
      method: 'HEAD',
      headers: { accept: `${accept}, application/vnd.oci.image.manifest.v1+json` },
    }),
  ]);
  return local.code === 0 && remote.ok;
}
