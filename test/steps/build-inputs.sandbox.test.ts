import { readFile } from 'node:fs/promises';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planSecrets } from '../../src/image/secrets.ts';
import { writeSecrets } from '../../src/systems/secret-files.ts';
import { openBench, succeeded, unique, type Bench } from './build-kit.ts';

// The scenarios of docker/build-push-action's own CI that are about what a RUN finds around it: one
// build, each step writes what it found into a file of the result.

const values: Readonly<Record<string, string>> = {
  lines: 'first\nsecond\n\n  indented\n',
  json: '{"key": "va=lue", "list": [1, "2,3"], "quote": "\\""}',
  equals: '=a==b=',
  quotes: `"double" 'single' \`back\` "`,
  umlaut: 'pässwörd ☃',
};

let bench: Bench;
let log = '';
const found = (name: string) => readFile(join(bench.workspace, 'out', name), 'utf8');

beforeAll(async () => {
  const keep = (id: string) =>
    `RUN --mount=type=secret,id=${id},required=true cat /run/secrets/${id} > /out/secret-${id}`;
  bench = await openBench({
    'app/Dockerfile': [
      'FROM sandbox/busybox:1 AS found',
      'ARG COMMA EMPTY',
      `RUN mkdir /out && echo ${unique()} && printf "%s|%s" "$COMMA" "$EMPTY" > /out/build-args`,
      'RUN ls /sys/class/net > /out/network',
      'RUN df -k /dev/shm | tail -n 1 > /out/shm-size',
      'RUN ulimit -n > /out/ulimit; ulimit -u >> /out/ulimit',
      'RUN cat /etc/hosts > /out/add-hosts',
      'RUN cat /proc/self/cgroup > /out/cgroup-parent',
      'RUN env > /out/proxy',
      ...Object.keys(values).map(keep),
      ...['file', 'env'].map(keep),
      'RUN --mount=from=extra,target=/extra cp /extra/named /out/build-contexts',
      'RUN --mount=from=base,target=/base ls /base/bin/busybox > /out/image-context',
      'FROM scratch',
      'COPY --from=found /out /',
    ].join('\n'),
    'extra, folder/named': 'from the named context',
    'secret, file': 'of a file\n',
  });
  // The user's own configuration with what BuildKit takes from it.
  const proxies = { default: { httpProxy: 'http://proxy.example:3128', noProxy: '127.0.0.1' } };
  await writeFile(join(bench.dockerConfig, 'config.json'), JSON.stringify({ proxies }));
  const secrets = await writeSecrets(
    join(bench.dockerConfig, 'secrets'),
    planSecrets(
      {
        secrets: Object.entries(values).map(([id, value]) => `${id}=${value}`),
        secretFiles: [`file=${join(bench.workspace, 'secret, file')}`],
        secretEnvs: ['env=SECRET_OF_THE_TEST'],
        githubToken: '',
        context: 'app',
        buildContexts: [],
      },
      { serverUrl: 'https://github.com' },
    ),
  );
  const built = await bench.build(
    {
      context: 'app',
      buildArgs: ['COMMA=a,b="c" d', 'EMPTY='],
      network: 'none',
      shmSize: '128m',
      ulimit: ['nofile=1024:2048', 'nproc=4096'],
      addHosts: ['db.example:10.1.2.3', 'cache.example:10.1.2.4'],
      cgroupParent: 'ship-to-ecr-test',
      secrets,
      buildContexts: ['extra=extra, folder', 'base=docker-image://sandbox/busybox:1'],
      outputs: ['type=local,dest=out'],
    },
    { env: { ...bench.env, SECRET_OF_THE_TEST: 'of the\nenvironment=' } },
  );
  succeeded(built);
  log = built.log;
});
afterAll(() => bench[Symbol.asyncDispose]());

describe('what a RUN finds', () => {
  it.each(Object.entries(values))('secret: %s arrives byte for byte', async (id, value) => {
    expect(await found(`secret-${id}`)).toBe(value);
  });

  it('secret-files', async () => {
    expect(await found('secret-file')).toBe('of a file\n');
  });

  it('secret-envs', async () => {
    expect(await found('secret-env')).toBe('of the\nenvironment=');
  });

  it('no secret is in the log', () => {
    for (const value of [...Object.values(values), 'of the\nenvironment=']) {
      for (const line of value.split('\n').filter((text) => text.length > 3)) {
        expect(log).not.toContain(line);
      }
    }
  });

  it('build-args, with commas and quotes, and empty', async () => {
    expect(await found('build-args')).toBe('a,b="c" d|');
  });

  it('network', async () => {
    expect((await found('network')).trim()).toBe('lo');
  });

  it('shm-size', async () => {
    expect((await found('shm-size')).split(/\s+/)[1]).toBe(String(128 * 1024));
  });

  it('ulimit', async () => {
    expect((await found('ulimit')).trim().split('\n')).toEqual(['1024', '4096']);
  });

  it('add-hosts', async () => {
    const hosts = await found('add-hosts');
    expect(hosts).toMatch(/^10\.1\.2\.3\s+db\.example$/m);
    expect(hosts).toMatch(/^10\.1\.2\.4\s+cache\.example$/m);
  });

  it('cgroup-parent', async () => {
    expect(await found('cgroup-parent')).toContain('ship-to-ecr-test');
  });

  it('proxy of the docker configuration', async () => {
    const env = await found('proxy');
    expect(env).toContain('HTTP_PROXY=http://proxy.example:3128');
    expect(env).toContain('no_proxy=127.0.0.1');
  });

  it('named contexts: a folder and an image', async () => {
    expect(await found('build-contexts')).toBe('from the named context');
    expect(await found('image-context')).toBe('/base/bin/busybox\n');
  });
});
