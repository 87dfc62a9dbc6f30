import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import {
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  downloadBuildx,
  placePlugin,
  type BuildxRequest,
} from '../../src/systems/buildx-download.ts';
import { fakeClock } from '../fake-clock.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const files = new Map<string, string>();
let requests: string[] = [];
let failures = 0;
let baseUrl = '';
let folder = '';

const server = createServer((request, response) => {
  const url = request.url ?? '';
  requests.push(url);
  if (failures > 0) {
    failures -= 1;
    response.writeHead(503).end();
  } else if (url.startsWith('/latest/')) {
    // GitHub redirects to the newest release.
    response
      .writeHead(302, { location: url.replace('/latest/download', '/download/v0.30.0') })
      .end();
  } else {
    const body = files.get(url);
    response.writeHead(body === undefined ? 404 : 200).end(body);
  }
});

function release(version: string, sum = (text: string) => sha256(text)): void {
  const platforms = [
    'darwin-arm64',
    'linux-amd64',
    'linux-arm-v7',
    'linux-arm64',
    'windows-amd64.exe',
  ];
  const lines = platforms.map((platform) => {
    const name = `buildx-v${version}.${platform}`;
    files.set(`/download/v${version}/${name}`, `program ${name}`);
    return `${sum(`program ${name}`)} *${name}`;
  });
  const other = `${sha256('x')} *buildx-v${version}.linux-amd64.sbom.json`;
  files.set(`/download/v${version}/checksums.txt`, [other, ...lines, ''].join('\n'));
}

const request = (change: Partial<BuildxRequest> = {}): BuildxRequest => ({
  version: 'v0.29.1',
  os: 'linux',
  arch: 'x64',
  cacheFolder: join(folder, 'cache'),
  ...change,
});
const download = (change?: Partial<BuildxRequest>) =>
  downloadBuildx(request(change), { baseUrl, clock: fakeClock() });

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  baseUrl = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '';
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'buildx-'));
  files.clear();
  requests = [];
  failures = 0;
  release('0.29.1');
  release('0.30.0');
  return () => rm(folder, { recursive: true });
});

describe('downloadBuildx', () => {
  it('gets the version for the platform, executable, and keeps it', async () => {
    const { path, version } = await download();
    expect(version).toBe('0.29.1');
    expect(await readFile(path, 'utf8')).toBe('program buildx-v0.29.1.linux-amd64');
    expect((await stat(path)).mode & 0o777).toBe(0o755);
    requests = [];
    expect(await download({ version: '0.29.1' })).toEqual({ path, version });
    expect(requests).toEqual([]);
  });

  it('downloads again what has changed on the disk', async () => {
    const { path } = await download();
    await writeFile(path, 'something else');
    await download();
    expect(await readFile(path, 'utf8')).toBe('program buildx-v0.29.1.linux-amd64');
  });

  it('latest is the version that the newest release names', async () => {
    expect((await download({ version: 'latest' })).version).toBe('0.30.0');
  });

  it.each<[NodeJS.Platform, string, string]>([
    ['linux', 'arm64', 'linux-arm64'],
    ['linux', 'arm', 'linux-arm-v7'],
    ['darwin', 'arm64', 'darwin-arm64'],
    ['win32', 'x64', 'windows-amd64.exe'],
  ])('%s %s is %s', async (os, arch, platform) => {
    const { path } = await download({ os, arch });
    expect(await readFile(path, 'utf8')).toBe(`program buildx-v0.29.1.${platform}`);
  });

  it('refuses a program whose checksum differs, and keeps nothing of it', async () => {
    release('0.29.1', () => sha256('other'));
    await expect(download()).rejects.toThrow("its checksum is not the release's");
    await expect(readdir(join(folder, 'cache'))).rejects.toThrow('ENOENT');
  });

  it('tries passing failures again', async () => {
    failures = 2;
    expect((await download()).version).toBe('0.29.1');
  });

  it.each([
    [{ version: 'v9.9.9' }, 'answered 404'],
    [{ version: '../evil' }, 'is not a version'],
    [{ arch: 's390x' }, 'no program for linux-s390x'],
  ])('%j is refused', async (change, words) => {
    await expect(download(change)).rejects.toThrow(words);
  });

  it('a server that stays down names the address', async () => {
    failures = 100;
    await expect(download()).rejects.toThrow(
      `could not be downloaded from ${baseUrl}/download/v0.29.1/checksums.txt`,
    );
  });
});

describe('placePlugin', () => {
  it("leaves the user's plugin folder alone when ours is a link to it", async () => {
    const theirs = join(folder, 'theirs');
    await mkdir(theirs);
    await writeFile(join(theirs, 'docker-buildx'), 'old');
    await writeFile(join(theirs, 'docker-compose'), 'compose');
    const config = join(folder, 'config');
    await mkdir(config);
    await symlink(theirs, join(config, 'cli-plugins'));
    await placePlugin(config, '/tools/docker-buildx');
    const ours = join(config, 'cli-plugins');
    expect((await lstat(ours)).isDirectory()).toBe(true);
    expect(await readlink(join(ours, 'docker-buildx'))).toBe('/tools/docker-buildx');
    expect(await readFile(join(ours, 'docker-compose'), 'utf8')).toBe('compose');
    expect(await readFile(join(theirs, 'docker-buildx'), 'utf8')).toBe('old');
  });

  it('makes the folder where there is none', async () => {
    await placePlugin(join(folder, 'new'), '/tools/docker-buildx');
    expect(await readlink(join(folder, 'new/cli-plugins/docker-buildx'))).toBe(
      '/tools/docker-buildx',
    );
  });
});
