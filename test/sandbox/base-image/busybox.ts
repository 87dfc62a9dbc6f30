import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { linkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../engine/execute.ts';
import { cacheFolder, type Say } from '../engine/places.ts';

/** The file tree of a small image: busybox under all its names, users, empty folders. */
export async function makeBusyboxTree(_say: Say): Promise<string> {
  const tar = join(cacheFolder, 'images', 'busybox-1.tar');
  if (existsSync(tar)) return tar;
  const work = join(cacheFolder, 'images', 'part-busybox');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const root = join(work, 'root');
    for (const folder of ['bin', 'etc', 'root', 'tmp', 'var/tmp']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'));
    const applets = (await must('/bin/busybox', ['--list'])).split('\n').filter(Boolean);
    for (const applet of applets) {
      if (applet !== 'busybox') linkSync(join(root, 'bin', 'busybox'), join(root, 'bin', applet));
    }
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
    await must('chmod', ['1777', join(root, 'tmp'), join(root, 'var/tmp')]);
    await pack(root, join(work, 'tree.tar'));
    renameSync(join(work, 'tree.tar'), tar);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return tar;
}

/** A tar of everything under `root`, owned by root, with one time for all files. */
export async function pack(root: string, tar: string): Promise<void> {
  const same = ['--numeric-owner', '--sort=name', '--mtime=2025-01-01 00:00Z'];
  await must('tar', ['-C', root, ...same, '-cf', tar, '.']);
}
