import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeDockerConfig } from '../../src/systems/docker-config.ts';
import type { RegistryLogin } from '../../src/systems/ecr.ts';

const host = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
const login: RegistryLogin = {
  host,
  endpoint: `https://${host}`,
  username: 'AWS',
  password: 'token:with:colons',
  expiresAt: undefined,
};
const auth = Buffer.from('AWS:token:with:colons').toString('base64');

let root = '';
let folder = '';
let userFolder = '';
let notices: string[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'docker-config-'));
  folder = join(root, 'ours');
  userFolder = join(root, 'theirs');
  await mkdir(userFolder);
  notices = [];
});
afterEach(() => rm(root, { recursive: true }));

const write = async (logins = [login], env: NodeJS.ProcessEnv = {}) => {
  const notice = (message: string) => notices.push(message);
  await writeDockerConfig({ folder, userFolder, logins, env, notice });
  return JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as unknown;
};
const theirs = (config: unknown) =>
  writeFile(
    join(userFolder, 'config.json'),
    typeof config === 'string' ? config : JSON.stringify(config),
  );

test('without a configuration of the user’s: our login, private', async () => {
  expect(await write()).toEqual({ auths: { [host]: { auth } } });
  expect((await stat(join(folder, 'config.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(await readdir(folder)).toEqual(['config.json']);
  expect(notices).toEqual([]);
});

test('no user folder, no login', async () => {
  userFolder = join(root, 'nowhere');
  expect(await write([])).toEqual({ auths: {} });
});

test('what the user has stays, ours is added, theirs is not written', async () => {
  const config = {
    auths: { 'https://index.docker.io/v1/': { auth: 'dXNlcjpwYXNz' } },
    credHelpers: { 'ghcr.io': 'gh' },
    proxies: { default: { httpProxy: 'http://proxy:3128' } },
    HttpHeaders: { 'X-Meta': 'a' },
    cliPluginsExtraDirs: ['/opt/plugins'],
    currentContext: 'rootless',
  };
  await theirs(config);
  expect(await write()).toEqual({ ...config, auths: { ...config.auths, [host]: { auth } } });
  expect(JSON.parse(await readFile(join(userFolder, 'config.json'), 'utf8'))).toEqual(config);
});

test('an older login of our registry gives way, however it was written', async () => {
  await theirs({
    auths: { [`https://${host}`]: { auth: 'b2xk' }, [`https://${host}/v2/`]: {}, [host]: {} },
  });
  expect(await write()).toEqual({ auths: { [host]: { auth } } });
});

test('no helper is asked for our registry', async () => {
  await theirs({ credHelpers: { [host]: 'ecr-login' } });
  expect(await write()).toEqual({ auths: { [host]: { auth } } });
  await theirs({ credHelpers: { [host]: 'ecr-login', 'ghcr.io': 'gh' }, credsStore: 'desktop' });
  expect(await write()).toEqual({
    auths: { [host]: { auth } },
    credsStore: 'desktop',
    credHelpers: { 'ghcr.io': 'gh', [host]: '' },
  });
});

test('auths of the environment', async () => {
  await theirs({ auths: { 'ghcr.io': { auth: 'ZmlsZQ==' } } });
  const env = { DOCKER_AUTH_CONFIG: '{"auths":{"ghcr.io":{"auth":"ZW52"}}}' };
  expect(await write([], env)).toEqual({ auths: { 'ghcr.io': { auth: 'ZW52' } } });
  await rm(folder, { recursive: true });
  await write([], { DOCKER_AUTH_CONFIG: '{"secret' });
  expect(notices.join()).toContain('DOCKER_AUTH_CONFIG');
  expect(notices.join()).not.toContain('secret');
});

test.for(['{"auths": {"secret', '[]', '"x"', '{"auths": []}', '{"credHelpers": "x"}', 'null'])(
  'a user configuration that is none (%s): one notice without its text, and on',
  async (text) => {
    await theirs(text);
    expect(await write()).toEqual({ auths: { [host]: { auth } } });
    expect(await write()).toEqual({ auths: { [host]: { auth } } });
    expect(notices.length).toBe(1);
    expect(notices[0]).toContain(join(userFolder, 'config.json'));
    expect(notices[0]).not.toContain('secret');
  },
);

test.for(['', ' \n', '{"auths": null}'])(
  'an empty user configuration (%j) is fine',
  async (text) => {
    await theirs(text);
    expect(await write()).toEqual({ auths: { [host]: { auth } } });
    expect(notices).toEqual([]);
  },
);

test('plugins and contexts are linked, and stay when a login is renewed', async () => {
  await mkdir(join(userFolder, 'cli-plugins'));
  await mkdir(join(userFolder, 'contexts'));
  await write();
  expect(await readlink(join(folder, 'cli-plugins'))).toBe(join(userFolder, 'cli-plugins'));
  expect(await readlink(join(folder, 'contexts'))).toBe(join(userFolder, 'contexts'));
  await rm(join(folder, 'cli-plugins'));
  await mkdir(join(folder, 'cli-plugins'));
  const renewed = await write([{ ...login, password: 'new' }]);
  expect(renewed).toEqual({
    auths: { [host]: { auth: Buffer.from('AWS:new').toString('base64') } },
  });
  expect((await stat(join(folder, 'cli-plugins'))).isDirectory()).toBe(true);
  expect((await readdir(folder)).toSorted()).toEqual(['cli-plugins', 'config.json', 'contexts']);
});
