import { Undecidable } from './undecidable.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Empty: none (`v8` of arm64 and `v1` of amd64 are left out, being the default). */
  readonly variant: string;
}

const architectures: Readonly<Record<string, readonly [string, string]>> = {
  x86_64: ['amd64', ''],
  'x86-64': ['amd64', ''],
  aarch64: ['arm64', ''],
  i386: ['386', ''],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

/**
 * Reads `linux/arm64/v8`, `arm64` or `linux` in its shortest form, as containerd's platforms do.
 *
 * @throws Undecidable when it isn't of that form.
 */
export function readPlatform(text: string): Platform {
  const parts = text.trim().toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new Undecidable(`the platform ${text} is not understood`);
  }
  const [first = ''] = parts;
  const bare = parts.length === 1 && !['linux', 'windows', 'darwin', 'freebsd'].includes(first);
  const os = bare ? 'linux' : first;
  const named = bare ? first : parts[1];
  if (named === undefined) throw new Undecidable(`the platform ${text} names no architecture`);
  const [architecture, implied] = architectures[named] ?? [named, ''];
  return shortest(os, architecture, (bare ? undefined : parts[2]) ?? implied);
}

/** A platform as an image's index states it. */
export function shortest(os: string, architecture: string, variant: string): Platform {
  if (architecture === 'arm64' && (variant === 'v8' || variant === '8')) {
    return { os, architecture, variant: '' };
  }
  if (architecture === 'amd64' && variant === 'v1') return { os, architecture, variant: '' };
  if (architecture === 'arm') return { os, architecture, variant: armVariant(variant) };
  return { os, architecture, variant };
}

function armVariant(variant: string): string {
  if (variant === '') return 'v7';
  return variant.startsWith('v') ? variant : `v${variant}`;
}

/** `linux/arm64`, `linux/arm/v7`. */
export function platformText(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant === '' ? [] : [variant])].join('/');
}
