import { describe, expect, it } from 'vitest';
import {
  cacheTypeOf,
  countSteps,
  kindOf,
  readProgress,
  slowestOf,
} from '../../src/image/progress.ts';

const at = (seconds: number) =>
  new Date(Date.UTC(2026, 0, 1, 0, 0, 0, seconds * 1000)).toISOString();
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A status line as buildx writes it. */
const vertex = (digest: string, name: string, rest: Record<string, unknown> = {}) =>
  JSON.stringify({ vertexes: [{ digest, name, ...rest }] });
const log = (digest: string, data: Buffer | string) =>
  JSON.stringify({
    logs: [{ vertex: digest, stream: 1, data: Buffer.from(data).toString('base64') }],
  });

function readAll(lines: readonly string[]) {
  const reader = readProgress();
  return { reader, shown: lines.flatMap((line) => reader.read(line)) };
}

describe('kindOf', () => {
  it.each([
    ['[2/3] RUN pip install .', 'step'],
    ['[build 2/3] COPY . .', 'step'],
    ['[linux/amd64->arm64 build 12/13] ADD https://example.com/a /a', 'step'],
    ['[stage-1 1/2] COPY --from=Build /x /x', 'step'],
    ['[build 1/4] FROM docker.io/library/alpine:3@sha256:0', 'base'],
    ['[internal] load metadata for docker.io/library/alpine:3', 'base'],
    ['resolve image config for docker-image://docker.io/docker/dockerfile:1', 'base'],
    ['[internal] load build context', 'internal'],
    ['[auth] library/alpine:pull token for registry-1.docker.io', 'internal'],
    ['exporting to image', 'export'],
    ['exporting to docker image format', 'export'],
    ['exporting to GitHub Actions Cache', 'cache-export'],
    ['exporting cache to registry', 'cache-export'],
    ['importing cache manifest from gha:1234', 'cache-import'],
    ['resolving provenance for metadata file', 'internal'],
  ])('%s is %s', (name, kind) => {
    expect(kindOf(name)).toBe(kind);
  });

  it.each([
    ['exporting to GitHub Actions Cache', 'gha'],
    ['exporting cache to registry', 'registry'],
    ['exporting cache to client directory', 'local'],
    ['exporting cache to Amazon S3', 's3'],
    ['importing cache manifest from gha:123', 'gha'],
    ['importing cache manifest from s3:123', 's3'],
    ['importing cache manifest from local:123', 'local'],
    ['importing cache manifest from 127.0.0.1:5000/app:cache', 'registry'],
    ['exporting to image', undefined],
  ])('%s is about the cache type %s', (name, type) => {
    expect(cacheTypeOf(name)).toBe(type);
  });
});

describe('readProgress', () => {
  it('shows steps with their output and time, and counts what was cached', () => {
    const { reader, shown } = readAll([
      vertex('d', '[internal] load build definition from Dockerfile', {
        started: at(0),
        completed: at(0.01),
      }),
      vertex('a', '[1/3] FROM docker.io/library/alpine:3'),
      vertex('b', '[2/3] RUN make'),
      vertex('c', '[3/3] COPY . .'),
      vertex('a', '[1/3] FROM docker.io/library/alpine:3', { started: at(1), completed: at(1.01) }),
      vertex('a', '[1/3] FROM docker.io/library/alpine:3', { started: at(1.02), cached: true }),
      vertex('a', '[1/3] FROM docker.io/library/alpine:3', {
        started: at(1.02),
        completed: at(1.03),
        cached: true,
      }),
      vertex('b', '[2/3] RUN make', { started: at(2) }),
      log('b', 'one\ntw'),
      log('b', 'o\n 10%\r 50%\r100%\nend'),
      vertex('b', '[2/3] RUN make', { started: at(2), completed: at(5.5) }),
      vertex('c', '[3/3] COPY . .', { started: at(6), completed: at(6), cached: true }),
      vertex('c', '[3/3] COPY . .', { started: at(6), completed: at(6), cached: true }),
      vertex('e', 'exporting to image', { started: at(7) }),
      vertex('e', 'exporting to image', { started: at(7), completed: at(7.5) }),
    ]);
    expect(shown).toEqual([
      '#1 [1/3] FROM docker.io/library/alpine:3',
      '#1 CACHED',
      '#2 [2/3] RUN make',
      '#2 │ one',
      '#2 │ two',
      '#2 │ 100%',
      '#2 │ end',
      '#2 done in 3.5 s',
      '#3 [3/3] COPY . .',
      '#3 CACHED',
      '#4 exporting to image',
      '#4 done in 500 ms',
    ]);
    expect(countSteps(reader.vertexes())).toEqual({ cached: 1, run: 1 });
    expect(slowestOf(reader.vertexes())).toEqual([
      { name: '[2/3] RUN make', ms: 3500, cached: false },
      { name: 'exporting to image', ms: 500, cached: false },
      { name: '[1/3] FROM docker.io/library/alpine:3', ms: 20, cached: true },
    ]);
  });

  it('puts a character together that two chunks of output divide', () => {
    const bytes = Buffer.from('grün │\n');
    const { shown } = readAll([
      vertex('a', '[2/2] RUN x', { started: at(0) }),
      log('a', bytes.subarray(0, 3)),
      log('a', bytes.subarray(3)),
    ]);
    expect(shown.at(-1)).toBe('#1 │ grün │');
  });

  it('never lets the output of a step begin a line, where it could be a workflow command', () => {
    const { shown } = readAll([
      vertex('a', '[2/2] RUN x', { started: at(0) }),
      log('a', '::add-mask::true\n::error::no\n'),
    ]);
    expect(shown.filter((line) => line.startsWith('::'))).toEqual([]);
  });

  it("keeps buildx's own words apart, also when they look like JSON", () => {
    const { reader, shown } = readAll([
      '{"some": "dockerfile heredoc"}',
      '{broken',
      'ERROR: failed to build: failed to solve: no',
    ]);
    expect(shown).toEqual([]);
    expect(reader.plain()).toEqual([
      '{"some": "dockerfile heredoc"}',
      '{broken',
      'ERROR: failed to build: failed to solve: no',
    ]);
  });

  it('shows internal work when it fails, and keeps each warning once', () => {
    const warning = {
      level: 1,
      short: base64('StageNameCasing: x (line 2)'),
      sourceInfo: { filename: 'Dockerfile' },
      range: [{ start: { line: 2 }, end: { line: 2 } }],
    };
    const { reader, shown } = readAll([
      vertex('a', '[internal] load build context', {
        started: at(0),
        completed: at(1),
        error: 'gone',
      }),
      JSON.stringify({ warnings: [{ vertex: 'x', ...warning }] }),
      JSON.stringify({ warnings: [{ vertex: 'y', ...warning }] }),
    ]);
    expect(shown).toEqual(['#1 [internal] load build context', '#1 failed: gone']);
    expect(reader.warnings()).toHaveLength(1);
  });

  it('adds up the bytes of the context and of what was pulled', () => {
    const status = (id: string, of: string, current: number, total = 0) =>
      JSON.stringify({ statuses: [{ id, vertex: of, current, total }] });
    const { reader } = readAll([
      vertex('c', '[internal] load build context', { started: at(0) }),
      vertex('f', '[1/2] FROM docker.io/library/alpine:3', { started: at(0) }),
      status('transferring context:', 'c', 10),
      status('transferring context:', 'c', 35),
      status('sha256:aa', 'f', 100, 4000),
      status('sha256:aa', 'f', 4000, 4000),
      status('extracting sha256:aa', 'f', 0),
      status('sha256:bb', 'f', 5, 7),
    ]);
    expect(reader.bytes()).toEqual({ context: 35, pulled: 4007 });
  });
});
