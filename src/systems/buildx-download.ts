import { createHash, randomUUID } from 'node:crypto';
import {
  chmod,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ActionError, asError } from '../errors.ts';
import { retry, type Clock } from '../wait.ts';

export interface BuildxRequest {
  /** `latest`, `v0.29.1` or `0.29.1`. */
  readonly version: string;
  /** `process.platform` and `process.arch`, so that a test can ask for others. */
  readonly os: NodeJS.Platform;
  readonly arch: string;
  /** The runner's tool cache or a temporary folder; a version found there is not downloaded again. */
  readonly cacheFolder: string;
}

/** Where buildx's releases are, each with a `checksums.txt` beside the programs. */
const releases = 'https://github.com/docker/buildx/releases';

/**
 * Gets buildx from its releases and verifies its SHA-256 against the release's own list.
 *
 * @returns the program's path and version (without `v`).
 * @throws ActionError when the version or platform isn't there, or the checksum differs.
 */
export async function downloadBuildx(
  request: BuildxRequest,
  systems: {
    readonly fetch?: typeof fetch;
    readonly baseUrl?: string;
    readonly clock?: Clock | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<{ readonly path: string; readonly version: string }> {
  const { baseUrl = releases, signal } = systems;
  const get = async (url: string): Promise<Buffer> =>
    retry(() => getOnce(url, systems.fetch ?? fetch, signal), {
      tries: 4,
      retryable: (error) => !(error instanceof ActionError),
      clock: systems.clock,
      signal,
    }).catch((error: unknown) => {
      if (error instanceof ActionError || signal?.aborted === true) throw error;
      throw new ActionError(`buildx could not be downloaded from ${url}.`, {
        cause: asError(error),
      });
    });

  const asked = request.version.replace(/^v(?=\d)/, '');
  if (asked !== 'latest' && !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(asked)) {
    throw new ActionError(`buildx-version "${request.version}" is not a version of a release.`, {
      hint: 'Write a release of docker/buildx such as `v0.29.1`, or `latest`.',
    });
  }
  if (asked !== 'latest') {
    const found = await findCached(folderOf(request, asked));
    if (found !== undefined) return { path: found, version: asked };
  }
  const folder =
    asked === 'latest' ? `${baseUrl}/latest/download` : `${baseUrl}/download/v${asked}`;
  const list = (await get(`${folder}/checksums.txt`)).toString('utf8');
  const { name, version, sha256 } = pick(list, request, asked);
  const target = folderOf(request, version);
  const cached = await findCached(target);
  if (cached !== undefined) return { path: cached, version };
  // `latest` may move between two requests: the program is taken from the version that the list named.
  const program = await get(`${baseUrl}/download/v${version}/${name}`);
  const actual = createHash('sha256').update(program).digest('hex');
  if (actual !== sha256) {
    throw new ActionError(`buildx ${version} was refused: its checksum is not the release's.`, {
      hint: 'Try again; when it stays, something between the runner and GitHub changes downloads.',
      block: `expected sha256:${sha256}\nfound    sha256:${actual} (${program.length} bytes)`,
    });
  }
  return { path: await store(target, program, sha256), version };
}

/**
 * Makes `docker buildx` mean the program at `path`, in a DOCKER_CONFIG folder of ours. Other plugins
 * that are linked there stay; the folder they come from is never written.
 */
export async function placePlugin(dockerConfig: string, path: string): Promise<void> {
  const folder = join(dockerConfig, 'cli-plugins');
  const status = await lstat(folder).catch(ignoreMissing);
  if (status?.isSymbolicLink() === true) {
    const origin = resolve(dockerConfig, await readlink(folder));
    await rm(folder);
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(origin)) await symlink(join(origin, name), join(folder, name));
  }
  await mkdir(folder, { recursive: true });
  await rm(join(folder, 'docker-buildx'), { force: true });
  await symlink(path, join(folder, 'docker-buildx'));
}

async function getOnce(url: string, get: typeof fetch, signal?: AbortSignal): Promise<Buffer> {
  const answer = await get(url, {
    redirect: 'follow',
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.status === 404) {
    throw new ActionError(`buildx is not there: ${url} answered 404.`, {
      hint: 'buildx-version must name a release of docker/buildx that has a checksums.txt, such as `v0.29.1`.',
    });
  }
  if (!answer.ok) throw new Error(`${url} answered ${answer.status} ${answer.statusText}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** Finds this platform's line in `<sha256> *buildx-v0.29.1.linux-amd64`. */
function pick(list: string, request: BuildxRequest, asked: string) {
  const suffix = `${osName(request.os)}-${archName(request.arch)}${request.os === 'win32' ? '.exe' : ''}`;
  for (const line of list.split('\n')) {
    const match = /^([0-9a-f]{64}) [ *](buildx-v([^\s]+?)\.([a-z]+-[a-z0-9-]+(?:\.exe)?))$/.exec(
      line.trim(),
    );
    const [, sha256, name, version, platform] = match ?? [];
    if (sha256 === undefined || name === undefined || version === undefined) continue;
    if (platform !== suffix || (asked !== 'latest' && version !== asked)) continue;
    return { sha256, name, version };
  }
  throw new ActionError(`buildx ${request.version} has no program for ${suffix}.`, {
    hint: 'Install buildx on the runner and leave buildx-version empty.',
  });
}

function osName(os: NodeJS.Platform): string {
  return os === 'win32' ? 'windows' : os;
}

/** Node's names of architectures as Go's. 32-bit ARM runners of GitHub's are v7. */
function archName(arch: string): string {
  const known: Record<string, string> = {
    x64: 'amd64',
    arm: 'arm-v7',
    ia32: '386',
    loong64: 'loong64',
  };
  return known[arch] ?? arch;
}

function folderOf(request: BuildxRequest, version: string): string {
  return join(
    request.cacheFolder,
    'buildx',
    version,
    `${osName(request.os)}-${archName(request.arch)}`,
  );
}

/** A program that was stored before, its bytes checked again: a runner's disk lives long. */
async function findCached(folder: string): Promise<string | undefined> {
  const path = join(folder, 'docker-buildx');
  const program = await readFile(path).catch(ignoreMissing);
  const sum = await readFile(`${path}.sha256`, 'utf8').catch(ignoreMissing);
  if (program === undefined || sum === undefined) return undefined;
  return createHash('sha256').update(program).digest('hex') === sum.trim() ? path : undefined;
}

/** Jobs on one machine may store the same version at the same time: written aside, then renamed. */
async function store(folder: string, program: Buffer, sha256: string): Promise<string> {
  const path = join(folder, 'docker-buildx');
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${randomUUID()}`;
  await writeFile(aside, program);
  await chmod(aside, 0o755);
  await rename(aside, path);
  await writeFile(`${path}.sha256`, `${sha256}\n`);
  return path;
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
