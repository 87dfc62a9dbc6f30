import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { ActionError } from '../../../src/errors.ts';
import { must, onPath } from './execute.ts';
import { cacheFolder, isRoot, type Say } from './places.ts';

const quiet = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };

/** Program → the Debian package that brings it. */
const programs = {
  '/usr/sbin/iptables': 'iptables',
  '/usr/sbin/runc': 'runc',
  '/usr/bin/tini-static': 'tini',
  '/usr/share/doc/busybox-static': 'busybox-static',
  '/usr/sbin/debootstrap': 'debootstrap',
  // There on Debian; on Ubuntu it makes Debian's packages trusted.
  '/usr/share/keyrings/debian-archive-keyring.gpg': 'debian-archive-keyring',
} as const;

/** Installs what the sandbox needs of the machine's own Debian and is not there yet. */
export async function ensurePackages(say: Say): Promise<void> {
  const missing = Object.entries(programs).filter(([path]) => !existsSync(path));
  if (missing.length === 0) return;
  const names = missing.map(([, name]) => name);
  if (!isRoot || !(await onPath('apt-get'))) {
    throw new ActionError(`The sandbox needs the programs of ${names.join(', ')}.`, {
      hint: `On Debian: apt-get install ${names.join(' ')}`,
    });
  }
  say(`Installing Debian packages: ${names.join(' ')}`);
  const wait = ['-o', 'DPkg::Lock::Timeout=600'];
  await must('apt-get', ['update', ...wait], { env: quiet });
  await must('apt-get', ['install', '-y', '--no-install-recommends', ...wait, ...names], {
    env: quiet,
  });
}

/**
 * The Debian mirror this machine is set up with, as debootstrap and sources.list want it; on Ubuntu the
 * one that SANDBOX_DEBIAN_MIRROR names.
 */
export async function debianMirror(): Promise<string> {
  const named = process.env['SANDBOX_DEBIAN_MIRROR'] ?? '';
  if (named !== '') return named;
  const targets = await must('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
  ]);
  const mirror = targets.split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (mirror !== undefined) return mirror;
  throw new ActionError('No Debian mirror is configured in apt on this machine.', {
    hint: 'The sandbox unpacks Docker, a registry and its base images from Debian packages: set SANDBOX_DEBIAN_MIRROR to the address of a Debian mirror, or use a Debian machine.',
  });
}

/**
 * Unpacks packages of other Debian suites into `folder`, without installing them and without
 * touching the machine's apt: lists and downloads live in a state of our own.
 *
 * @param packages `name/suite`.
 */
export async function unpack(packages: readonly string[], folder: string): Promise<void> {
  const work = join(cacheFolder, 'apt');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(work, 'archives', 'partial'), { recursive: true });
  try {
    const suites = new Set(packages.map((name) => name.split('/')[1] ?? 'sid'));
    const mirror = await debianMirror();
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const trust = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
    const sources = join(work, 'sources.list');
    writeFileSync(
      sources,
      [...suites].map((suite) => `deb ${trust}${mirror} ${suite} main\n`).join(''),
    );
    const options = [
      `Dir::Etc::SourceList=${sources}`,
      'Dir::Etc::SourceParts=/dev/null',
      `Dir::State::Lists=${join(work, 'lists')}`,
      `Dir::Cache=${work}`,
      'APT::Sandbox::User=root',
      // Mirrors of sid can be some days old.
      'Acquire::Check-Valid-Until=false',
      'Acquire::Languages=none',
      'Acquire::Retries=3',
    ].flatMap((option) => ['-o', option]);
    await must('apt-get', [...options, 'update'], { env: quiet });
    await must('apt-get', [...options, 'download', ...packages], { env: quiet, cwd: work });
    const debs = readdirSync(work).filter((name) => name.endsWith('.deb'));
    for (const deb of debs) await must('dpkg', ['-x', join(work, deb), folder]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
