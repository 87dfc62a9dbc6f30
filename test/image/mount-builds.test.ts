import { expect, test } from 'vitest';
import type { CacheMount } from '../../src/image/cache-mounts.ts';
import {
  contentKey,
  fillDockerfile,
  keyPrefix,
  listDockerfile,
  mountsOf,
  packDockerfile,
  readListing,
} from '../../src/image/mount-builds.ts';

const pip: CacheMount = {
  id: '/root/.cache/pip',
  target: '/root/.cache/pip',
  sharing: 'shared',
  uid: undefined,
  gid: undefined,
  mode: undefined,
};
const apt: CacheMount = { ...pip, id: 'apt', sharing: 'locked', uid: '1000', mode: '0700' };

test('the three small Dockerfiles', () => {
  expect(fillDockerfile([pip, apt])).toBe(`FROM scratch AS tools
COPY tools/ /
FROM tools AS m0
ARG NONCE
RUN --mount=type=cache,target=/mount,id=/root/.cache/pip,sharing=shared --mount=type=bind,source=mount-0.tar,target=/archive.tar : 0 && tar -xpf /archive.tar -C /mount && : > /done
FROM tools AS m1
ARG NONCE
RUN --mount=type=cache,target=/mount,id=apt,sharing=locked,uid=1000,mode=0700 --mount=type=bind,source=mount-1.tar,target=/archive.tar : 1 && tar -xpf /archive.tar -C /mount && : > /done
FROM scratch
COPY --from=m0 /done /done-0
COPY --from=m1 /done /done-1
`);
  expect(listDockerfile([apt])).toContain(' : 0 && cd /mount && LC_ALL=C ls -lAnR . > /list\n');
  expect(packDockerfile([apt])).toContain(' tar -C /mount -cf /archive . || [ $? -eq 1 ]\n');
});

const gnu = `.:
total 12
-rw------- 1 1000  50    4 Jan  1  2020 b
drwxr-xr-x 3    0   0 4096 Nov 21 21:53 wheels of fortune
lrwxrwxrwx 1    0   0    1 Nov 21 21:53 l -> b

./wheels of fortune:
total 4
-rw-r--r-- 1 0 0 123456 Nov 21 21:53 x.whl
`;

test('a listing: files and bytes, and a hash that times and folders’ sizes leave alone', () => {
  const found = readListing(gnu);
  expect(found).toMatchObject({ files: 2, bytes: 123_460 });
  const later = gnu
    .replaceAll('Nov 21 21:53', 'Dec  3  2026')
    .replace('4096', '512')
    .replace('total 12', 'total 0');
  expect(readListing(later)).toEqual(found);
  for (const other of [
    gnu.replace('123456', '123457'),
    gnu.replace('x.whl', 'y.whl'),
    gnu.replace('-rw------- 1 1000', '-rw------- 1 1001'),
    gnu.replace('-rw-------', '-rw-r-----'),
    gnu.replace('wheels of fortune:', 'wheels:'),
  ]) {
    expect(readListing(other).hash).not.toBe(found.hash);
  }
});

test("busybox's listing", () => {
  const text = `.:
total 4
-rw-r--r--    1 0        0                6 Nov 21 22:24 a
drwxr-xr-x    2 0        0             4096 Nov 21 22:24 d

./d:
total 0
`;
  expect(readListing(text)).toMatchObject({ files: 1, bytes: 6 });
});

test('an empty mount has no files', () => {
  expect(readListing('.:\ntotal 0\n')).toMatchObject({ files: 0, bytes: 0 });
});

test('keys: by scope and mount, then by content', () => {
  const prefix = keyPrefix('shop', pip);
  expect(prefix).toMatch(/^ship-to-ecr-mount-1-[0-9a-f]{24}-$/);
  expect(keyPrefix('shop', { ...pip, target: '/other', sharing: 'locked' })).toBe(prefix);
  expect(keyPrefix('other', pip)).not.toBe(prefix);
  expect(keyPrefix('shop', { ...pip, uid: '1' })).not.toBe(prefix);
  expect(contentKey(prefix, readListing(gnu))).toMatch(new RegExp(`^${prefix}[0-9a-f]{24}$`));
});

test('the mounts a builder holds, steps of several lines and namespaces included', () => {
  const usage = `ID:           a
Description:  cached mount /root/.cache/pip from exec /bin/sh -c pip install with id "//root/.cache/pip"
Type:         exec.cachemount

ID:           b
Description:  cached mount /x from exec /bin/sh -c <<SH (echo one...)
second line with id "/apt"
Type:         exec.cachemount

ID:           c
Description:  cached mount /x from exec true with id "ns/other"
`;
  expect([...mountsOf(usage, '')]).toEqual(['/root/.cache/pip', 'apt']);
  expect([...mountsOf(usage, 'ns')]).toEqual(['other']);
  expect([...mountsOf('', '')]).toEqual([]);
});
