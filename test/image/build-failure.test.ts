import { describe, expect, it } from 'vitest';
import {
  classifyFailure,
  failedLine,
  failureBlock,
  type FailedBuild,
} from '../../src/image/build-failure.ts';
import { kindOf, type Vertex } from '../../src/image/progress.ts';

const vertex = (name: string, error = '', output: readonly string[] = []): Vertex => ({
  digest: name,
  number: 1,
  name,
  kind: kindOf(name),
  cached: false,
  ms: 1,
  error,
  begun: true,
  completed: true,
  output,
});
const failed = (
  vertexes: readonly Vertex[],
  last: string,
  before: readonly string[] = [],
): FailedBuild => ({
  code: 1,
  stdout: '',
  vertexes,
  plain: [...before, `ERROR: failed to build: failed to solve: ${last}`],
});
const ok = vertex('[internal] load build definition from Dockerfile');

/** Errors as Docker 28.5 and BuildKit 0.32 printed them; ECR's texts by its documentation. */
const pushErrors: readonly [string, string][] = [
  [
    'failed to do request: Head "https://127.0.0.1:1/v2/a/blobs/sha256:1": dial tcp 127.0.0.1:1: connect: connection refused',
    'interrupted',
  ],
  [
    'unexpected status from POST request to https://h/v2/a/blobs/uploads/: 503 Service Unavailable',
    'interrupted',
  ],
  [
    'failed to copy: failed to do request: Put "https://h/v2/a/blobs/uploads/1": EOF',
    'interrupted',
  ],
  ['failed to copy: write tcp 10.0.0.1:4: write: connection reset by peer', 'interrupted'],
  ['unexpected EOF', 'interrupted'],
  [
    'unexpected status from PUT request to https://h/v2/a/manifests/1: 429 Too Many Requests',
    'interrupted',
  ],
  ['unexpected status from HEAD request to https://h/v2/a/blobs/sha256:1: 403 Forbidden', 'denied'],
  ['unknown: Your authorization token has expired. Reauthenticate and try again.', 'denied'],
  ['denied: Your authorization token has expired. Reauthenticate and try again.', 'denied'],
  ['failed to authorize: no basic auth credentials', 'denied'],
  [
    'unknown: unexpected status from HEAD request to https://h/v2/a/manifests/1: 400 Bad Request',
    'denied',
  ],
  [
    "unknown: The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.",
    'immutable',
  ],
  [
    "name unknown: The repository with name 'app' does not exist in the registry with id '123456789012'",
    'no-repository',
  ],
  ['manifest invalid: something else', 'refused'],
];

describe('classifyFailure', () => {
  it.each(pushErrors)('a push with "%s" is %s', (words, reason) => {
    const text = `failed to push h/a:1: ${words}`;
    const build = failed([ok, vertex('[2/2] RUN x'), vertex('exporting to image', text)], text);
    expect(classifyFailure(build)).toEqual({ kind: 'push', reason, text });
  });

  it('a failed command is the step and its exit code, whatever its output says', () => {
    const text =
      'process "/bin/sh -c curl 503 denied connection reset" did not complete successfully: exit code: 22';
    const build = failed(
      [
        ok,
        vertex('[2/3] RUN curl', text),
        vertex('[other 2/2] RUN x', 'context canceled: context canceled'),
      ],
      text,
    );
    expect(classifyFailure(build)).toEqual({
      kind: 'step',
      name: '[2/3] RUN curl',
      exitCode: 22,
      text,
    });
  });

  it.each([
    ['exporting cache to registry', 'export', 'registry'],
    ['exporting to GitHub Actions Cache', 'export', 'gha'],
    ['importing cache manifest from s3:1', 'import', 's3'],
  ])('%s that ends the build is the cache', (name, direction, type) => {
    const text = 'error writing layer blob: 503';
    expect(classifyFailure(failed([ok, vertex(name, text)], text))).toEqual({
      kind: 'cache',
      direction,
      type,
      text,
    });
  });

  it('a cache error that was ignored is not what ended the build', () => {
    const text = 'process "/bin/sh -c false" did not complete successfully: exit code: 1';
    const missing = 'failed to configure registry cache importer: h/a:cache: not found';
    const build = failed(
      [
        ok,
        vertex('importing cache manifest from h/a:cache', missing),
        vertex('[2/2] RUN false', text),
      ],
      text,
    );
    expect(classifyFailure(build)).toMatchObject({ kind: 'step', exitCode: 1 });
    const push = 'failed to push h/a:1: unexpected EOF';
    const exported = failed(
      [ok, vertex('exporting cache to registry', 'refused'), vertex('exporting to image', push)],
      push,
    );
    expect(classifyFailure(exported)).toMatchObject({ kind: 'push', reason: 'interrupted' });
  });

  it('a blob of an imported cache that is gone is the cache, not the step', () => {
    const text =
      'failed to copy: httpReadSeeker: failed open: could not fetch content descriptor sha256:1 from remote: not found';
    expect(classifyFailure(failed([ok, vertex('[2/3] RUN make', text)], text))).toMatchObject({
      kind: 'cache',
      direction: 'import',
      type: undefined,
    });
  });

  it('a blob of an imported cache that is cut short is the cache, in whatever words', () => {
    const text = 'failed to compute cache key: short read: expected 138 bytes but got 19';
    const step = vertex('[2/3] RUN make', text);
    const read = vertex('importing cache manifest from gha:1', '');
    expect(classifyFailure(failed([read, step], text))).toMatchObject({ kind: 'cache' });
    // Without a cache, or with one that was not there, it is the step's.
    expect(classifyFailure(failed([ok, step], text))).toMatchObject({ kind: 'step' });
    const missing = vertex('importing cache manifest from gha:1', 'not found');
    expect(classifyFailure(failed([missing, step], text))).toMatchObject({ kind: 'step' });
    const command = 'process "/bin/sh -c false" did not complete successfully: exit code: 1';
    const failing = vertex('[2/3] RUN false', command);
    expect(classifyFailure(failed([read, failing], command))).toMatchObject({ kind: 'step' });
  });

  it('a file that is not in the context is the step', () => {
    const text = 'failed to calculate checksum of ref a::b: "/nope": not found';
    const read = vertex('importing cache manifest from gha:1', '');
    const build = failed([ok, read, vertex('[2/2] COPY nope /', text)], text);
    expect(classifyFailure(build)).toMatchObject({ kind: 'step', exitCode: undefined });
  });

  it.each([
    [
      'failed to do request: Head "https://h/v2/a/manifests/1": dial tcp 1.1.1.1:443: i/o timeout',
      true,
    ],
    ['unexpected status code 429 Too Many Requests - Server message: toomanyrequests', true],
    ['h/nope:1: not found', false],
    ['pull access denied, repository does not exist or may require authorization', false],
  ])('a base image with "%s" is passing: %s', (text, transient) => {
    const name = '[internal] load metadata for h/a:1';
    expect(classifyFailure(failed([ok, vertex(name, text)], text))).toEqual({
      kind: 'base',
      transient,
      name,
      text,
    });
  });

  it('tells buildx that never started from a failed Dockerfile', () => {
    expect(
      classifyFailure({
        code: 1,
        stdout: '',
        vertexes: [],
        plain: ['ERROR: no builder "nope" found'],
      }),
    ).toEqual({
      kind: 'not-started',
      text: 'no builder "nope" found',
    });
    const parse = 'dockerfile parse error on line 2: unknown instruction: RUNN';
    expect(classifyFailure(failed([ok], parse))).toEqual({ kind: 'other', text: parse });
  });

  it('knows a cache backend that this BuildKit does not have', () => {
    const build = {
      code: 1,
      stdout: '',
      vertexes: [],
      plain: ['ERROR: failed to build: failed to solve: unknown cache exporter: "s3"'],
    };
    expect(classifyFailure(build)).toMatchObject({
      kind: 'cache',
      direction: 'export',
      type: 's3',
    });
  });

  it('knows a BuildKit that went away', () => {
    const text =
      'failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF';
    expect(classifyFailure(failed([ok], text))).toMatchObject({ kind: 'builder-lost' });
  });
});

describe('failureBlock', () => {
  const excerpt = [
    'Dockerfile:2',
    '--------------------',
    '   1 |     FROM alpine',
    '   2 | >>> RUN exit 3',
    '--------------------',
  ];
  const text = 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3';
  const build = failed(
    [ok, vertex('[2/2] RUN exit 3', text, ['first', 'second', 'third'])],
    text,
    excerpt,
  );

  it('is the step with its last output, the Dockerfile with a marker, and the error', () => {
    expect(failureBlock(build, 2)).toBe(
      [
        '------',
        ' > [2/2] RUN exit 3:',
        'second',
        'third',
        '------',
        ...excerpt,
        `ERROR: failed to build: failed to solve: ${text}`,
      ].join('\n'),
    );
  });

  it('names the line in the Dockerfile', () => {
    expect(failedLine(build.plain)).toEqual({ file: 'Dockerfile', line: 2 });
    expect(failedLine(['ERROR: x'])).toBeUndefined();
  });
});
