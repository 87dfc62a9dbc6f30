import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { debianMirror } from '../engine/debian.ts';
import { must } from '../engine/execute.ts';
import { cacheFolder, type Say } from '../engine/places.ts';
import { pack } from './busybox.ts';

const packages = 'python3,python3-pip,python3-venv,ca-certificates';
/** What an image of a service needs nothing of: package lists, manuals, translations. */
const waste = ['var/lib/apt/lists', 'var/cache/apt', 'usr/share/doc', 'usr/share/locale'];

/** The file tree of Debian 12 with Python, made once a machine (about a minute). */
export async function makePythonTree(say: Say): Promise<string> {
  const tar = join(cacheFolder, 'images', 'python-3.11-1.tar');
  if (existsSync(tar)) return tar;
  say('Making the Python base image with debootstrap (about a minute, once a machine)');
  const work = join(cacheFolder, 'images', 'part-python');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const root = join(work, 'root');
    const mirror = await debianMirror();
    await must('debootstrap', [
      '--variant=minbase',
      `--include=${packages}`,
      'bookworm',
      root,
      mirror,
    ]);
    for (const folder of waste) rmSync(join(root, folder), { recursive: true, force: true });
    mkdirSync(join(root, 'var/lib/apt/lists/partial'), { recursive: true });
    // debootstrap leaves this machine's own settings in the tree.
    for (const file of ['etc/apt/sources.list', 'etc/resolv.conf', 'etc/hostname']) {
      rmSync(join(root, file), { force: true });
    }
    // As in the public python images, pip may install into the system.
    rmSync(join(root, 'usr/lib/python3.11/EXTERNALLY-MANAGED'), { force: true });
    symlinkSync('python3', join(root, 'usr/bin/python'));
    await pack(root, join(work, 'tree.tar'));
    renameSync(join(work, 'tree.tar'), tar);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return tar;
}
