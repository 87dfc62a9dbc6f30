import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { must } from '../engine/execute.ts';
import { cacheFolder } from '../engine/places.ts';
import { pack } from './busybox.ts';

/** The name under which buildx's docker-container driver wants its image. */
export const buildkitImage = 'moby/buildkit:buildx-stable-1';

/** The image's tree: BuildKit's programs, the machine's runc with its libraries, busybox. */
export async function makeBuildkitTree(programs: {
  buildkitd: string;
  buildctl: string;
}): Promise<string> {
  const tar = join(cacheFolder, 'images', `buildkit-${basename(dirname(programs.buildkitd))}.tar`);
  if (existsSync(tar)) return tar;
  const work = join(cacheFolder, 'images', 'part-buildkit');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const root = join(work, 'root');
    for (const folder of ['bin', 'usr/bin', 'etc', 'tmp', 'run', 'var/lib/buildkit']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const applet of ['sh', 'cat', 'ls', 'mount', 'umount', 'ps', 'true']) {
      linkSync(join(root, 'bin/busybox'), join(root, 'bin', applet));
    }
    copyFileSync(programs.buildkitd, join(root, 'usr/bin/buildkitd'));
    copyFileSync(programs.buildctl, join(root, 'usr/bin/buildctl'));
    copyFileSync('/usr/sbin/runc', join(root, 'usr/bin/buildkit-runc'));
    // `libseccomp.so.2 => /lib/…/libseccomp.so.2 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`
    const libraries = (await must('ldd', ['/usr/sbin/runc'])).matchAll(/(\/\S+) \(0x/g);
    for (const [, library = ''] of libraries) {
      mkdirSync(dirname(join(root, library)), { recursive: true });
      copyFileSync(library, join(root, library));
    }
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
    await pack(root, join(work, 'tree.tar'));
    renameSync(join(work, 'tree.tar'), tar);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return tar;
}
