import { expect, test } from 'vitest';
import { digestOf, type Case } from './kit.ts';

// Each row: what a build is, and a change. The Dockerfile itself is kept out of `COPY .` by its name.
const whole = { settings: { file: 'build/Dockerfile' } };
const app =
  'FROM base AS build\nARG V=1\nCOPY src /src\nRUN make\nFROM base\nCOPY --from=build /out /out\nCMD ["x"]\n';
const files = { 'src/a': '1', 'src/sub/b': '2', 'other/c': '3' };
const images = { base: {} };
const first: Case = { ...whole, files: { 'build/Dockerfile': app, ...files }, images };

const withFile = (text: string, more: Case = {}): Case => ({
  ...first,
  ...more,
  files: { ...files, ...more.files, 'build/Dockerfile': text },
});
const withFiles = (more: Readonly<Record<string, string>>): Case => ({
  ...first,
  files: { ...first.files, ...more },
});

test.each<[string, Case, Case]>([
  ['a file that is copied', first, withFiles({ 'src/a': 'changed' })],
  ['a new file in a folder that is copied', first, withFiles({ 'src/new': '' })],
  [
    'a name',
    first,
    { ...first, files: { ...withFile(app).files, 'src/a': '2', 'src/sub/b': '1' } },
  ],
  ['an executable bit', first, { ...first, modes: { 'src/a': 0o755 } }],
  ['any other mode', first, { ...first, modes: { 'src/a': 0o600 } }],
  ['the mode of a folder in it', first, { ...first, modes: { 'src/sub': 0o700 } }],
  ['the mode of the folder itself', first, { ...first, modes: { src: 0o700 } }],
  ['an empty folder', first, withFiles({ 'src/empty/': '' })],
  ['a link', first, withFiles({ 'src/link': '-> a' })],
  ['where a link leads', withFiles({ 'src/link': '-> a' }), withFiles({ 'src/link': '-> sub/b' })],
  [
    'a link in place of a file',
    first,
    { ...first, files: { ...first.files, 'src/a': '-> sub/b' } },
  ],
  ['the base image', first, { ...first, images: { base: { digest: 'sha256:new' } } }],
  ['a command', first, withFile(app.replace('RUN make', 'RUN make all'))],
  ['the metadata of the image', first, withFile(app.replace('["x"]', '["y"]'))],
  ['an argument in use', first, { ...first, buildArgs: { V: '2' } }],
  ['the default of an argument in use', first, withFile(app.replace('V=1', 'V=2'))],
  [
    'a global argument that a stage takes up',
    withFile(`ARG G=1\n${app.replace('V=1', 'G')}`),
    withFile(`ARG G=2\n${app.replace('V=1', 'G')}`),
  ],
  ['the target', first, { ...first, settings: { ...whole.settings, target: 'build' } }],
  [
    'the platform',
    first,
    { ...first, settings: { ...whole.settings, platforms: ['linux/arm64'] } },
  ],
  [
    'what else is counted',
    first,
    { ...first, settings: { ...whole.settings, counted: ['label'] } },
  ],
  [
    'the environment',
    withFile('FROM base\nENV A=1\nRUN x\n'),
    withFile('FROM base\nENV A=2\nRUN x\n'),
  ],
  [
    'an argument at the end, which the image tells of',
    withFile('FROM base\nARG A=1\n'),
    withFile('FROM base\nARG A=2\n'),
  ],
  ['a label', withFile('FROM base\nLABEL a=1\n'), withFile('FROM base\nLABEL a=2\n')],
  ['a heredoc', withFile('FROM base\nRUN <<E\n1\nE\n'), withFile('FROM base\nRUN <<E\n2\nE\n')],
  [
    'a proxy argument that is declared',
    withFile('FROM base\nARG HTTP_PROXY\nRUN x\n', { buildArgs: { HTTP_PROXY: '1' } }),
    withFile('FROM base\nARG HTTP_PROXY\nRUN x\n', { buildArgs: { HTTP_PROXY: '2' } }),
  ],
  [
    'a file of a bind mount',
    withFile('FROM base\nRUN --mount=type=bind,source=src/a,target=/a x\n'),
    withFile('FROM base\nRUN --mount=type=bind,source=src/a,target=/a x\n', {
      files: { 'src/a': 'n' },
    }),
  ],
  [
    'any file, for a mount of the whole context',
    withFile('FROM base\nRUN --mount=target=/c x\n'),
    withFile('FROM base\nRUN --mount=target=/c x\n', { files: { 'other/c': 'n' } }),
  ],
  [
    'a stage that a mount reads',
    withFile('FROM base AS t\nRUN 1\nFROM base\nRUN --mount=from=t,target=/t x\n'),
    withFile('FROM base AS t\nRUN 2\nFROM base\nRUN --mount=from=t,target=/t x\n'),
  ],
  [
    'an image that is copied from',
    withFile('FROM base\nCOPY --from=tool:1 /x /x\n', { images: { base: {}, 'tool:1': {} } }),
    withFile('FROM base\nCOPY --from=tool:1 /x /x\n', {
      images: { base: {}, 'tool:1': { digest: 'sha256:new' } },
    }),
  ],
  [
    'what a wildcard comes to match',
    withFile('FROM base\nCOPY src/?  /x/\n'),
    withFile('FROM base\nCOPY src/?  /x/\n', { files: { 'src/b': '' } }),
  ],
  [
    'what a link leads to, when it is the source',
    withFile('FROM base\nCOPY l /x\n', { files: { l: '-> other' } }),
    withFile('FROM base\nCOPY l /x\n', { files: { l: '-> other', 'other/c': 'n' } }),
  ],
  [
    'what a link on the way leads to',
    withFile('FROM base\nCOPY l/c /x\n', { files: { l: '-> /other' } }),
    withFile('FROM base\nCOPY l/c /x\n', { files: { l: '-> /other', 'other/c': 'n' } }),
  ],
  [
    'a file that a variable names',
    withFile('FROM base\nENV F=other\nCOPY ${F:-src}/c /x\n'),
    withFile('FROM base\nENV F=other\nCOPY ${F:-src}/c /x\n', { files: { 'other/c': 'n' } }),
  ],
  [
    'a file that a variable of the base image names',
    withFile('FROM base\nCOPY $F /x\n', { images: { base: { env: ['F=other/c'] } } }),
    withFile('FROM base\nCOPY $F /x\n', {
      images: { base: { env: ['F=other/c'] } },
      files: { 'other/c': 'n' },
    }),
  ],
  [
    'a file that ONBUILD of the base image copies',
    withFile('FROM base\n', { images: { base: { onbuild: ['COPY other /x'] } } }),
    withFile('FROM base\n', {
      images: { base: { onbuild: ['COPY other /x'] } },
      files: { 'other/c': 'n' },
    }),
  ],
  [
    'a file that ONBUILD of a stage copies',
    withFile('FROM base AS a\nONBUILD COPY other /x\nFROM a\n'),
    withFile('FROM base AS a\nONBUILD COPY other /x\nFROM a\n', { files: { 'other/c': 'n' } }),
  ],
  [
    'a file that is taken back from being ignored',
    withFile('FROM base\nCOPY . /\n', { files: { '.dockerignore': 'other\n!other/c' } }),
    withFile('FROM base\nCOPY . /\n', {
      files: { '.dockerignore': 'other\n!other/c', 'other/c': 'n' },
    }),
  ],
  [
    'what .dockerignore leaves',
    withFile('FROM base\nCOPY src /\n'),
    withFile('FROM base\nCOPY src /\n', { files: { '.dockerignore': 'src/sub' } }),
  ],
  [
    'the ignore file of the Dockerfile, which wins',
    withFile('FROM base\nCOPY src /\n', { files: { '.dockerignore': 'src/sub' } }),
    withFile('FROM base\nCOPY src /\n', {
      files: { '.dockerignore': 'src/sub', 'build/Dockerfile.dockerignore': '' },
    }),
  ],
  ['the frontend', withFile('FROM base\n'), withFile('# syntax=docker/dockerfile:1\nFROM base\n')],
  [
    'a file through --parents',
    withFile('FROM base\nCOPY --parents ./other/c /x\n'),
    withFile('FROM base\nCOPY --parents ./other/c /x\n', { files: { 'other/c': 'n' } }),
  ],
])('%s counts', async (_, before, after) => {
  expect(await digestOf(after)).not.toBe(await digestOf(before));
});

test.each<[string, Case, Case]>([
  ['another folder with the same in it', first, { ...first }],
  ['a file that no instruction reads', first, withFiles({ 'other/c': 'changed' })],
  ['a new file that no instruction reads', first, withFiles({ 'README.md': '' })],
  ['a comment in the Dockerfile', first, withFile(`# note\n${app}`)],
  [
    'white space between words of COPY',
    first,
    withFile(app.replace('COPY src /src', 'COPY   src\t/src')),
  ],
  ['case of an instruction', first, withFile(app.replace('RUN', 'run'))],
  ['name of a stage', first, withFile(app.replaceAll('build', 'maker'))],
  ['an argument that nothing declares', first, { ...first, buildArgs: { OTHER: '2' } }],
  ['a proxy argument that nothing declares', first, { ...first, buildArgs: { http_proxy: '2' } }],
  [
    'an argument that only an unneeded stage declares',
    withFile(`FROM base AS no\nARG U\nRUN x\n${app}`),
    withFile(`FROM base AS no\nARG U\nRUN x\n${app}`, { buildArgs: { U: '1' } }),
  ],
  ['a stage that is not needed', first, withFile(`FROM elsewhere AS no\nRUN x\n${app}`)],
  ['a global argument that nothing takes up', first, withFile(`ARG G=1\n${app}`)],
  [
    'metadata of a stage that is only copied from',
    first,
    withFile(app.replace('RUN make', 'RUN make\nLABEL a=b\nCMD ["no"]')),
  ],
  [
    'an argument after the last step of such a stage',
    first,
    withFile(app.replace('RUN make', 'RUN make\nARG LATE=1')),
  ],
  [
    'an ignored file',
    withFile('FROM base\nCOPY . /\n', { files: { '.dockerignore': 'other' } }),
    withFile('FROM base\nCOPY . /\n', { files: { '.dockerignore': 'other', 'other/c': 'n' } }),
  ],
  [
    'a file that --exclude leaves out',
    withFile('FROM base\nCOPY --exclude=*.md src /x\n'),
    withFile('FROM base\nCOPY --exclude=*.md src /x\n', { files: { 'src/r.md': '' } }),
  ],
  [
    'a file beside one of --parents',
    withFile('FROM base\nCOPY --parents ./other/c /x\n'),
    withFile('FROM base\nCOPY --parents ./other/c /x\n', { files: { 'other/d': 'n' } }),
  ],
  ['the mode of the context itself', first, { ...first, modes: { '.': 0o700 } }],
  [
    'what a link inside of a folder leads to',
    withFile('FROM base\nCOPY src /x\n', { files: { 'src/l': '-> ../other' } }),
    withFile('FROM base\nCOPY src /x\n', { files: { 'src/l': '-> ../other', 'other/c': 'n' } }),
  ],
])('%s does not count', async (_, before, after) => {
  expect(await digestOf(after)).toBe(await digestOf(before));
});

test('named contexts: a folder counts by what is read of it, an image by its digest', async () => {
  const text = 'FROM base\nCOPY --from=extra /used /x\n';
  const named = (more: Readonly<Record<string, string>>): Case => ({
    ...withFile(text, { files: { 'ctx/used': '1', 'ctx/.dockerignore': 'used/no', ...more } }),
    settings: { ...whole.settings, buildContexts: [['extra', 'ctx']] },
  });
  const before = await digestOf(named({}));
  expect(await digestOf(named({ 'ctx/used': '2' }))).not.toBe(before);
  expect(await digestOf(named({ 'ctx/unused': '2' }))).toBe(before);

  const replaced = (digest: string): Case => ({
    ...withFile(app, { images: { 'base:2': { digest } } }),
    settings: { ...whole.settings, buildContexts: [['base', 'docker-image://base:2']] },
  });
  expect(await digestOf(replaced('sha256:1'))).not.toBe(await digestOf(replaced('sha256:2')));

  const stage: Case = {
    ...withFile(app),
    settings: { ...whole.settings, buildContexts: [['build', 'other']] },
  };
  const other = await digestOf({ ...stage, files: { ...stage.files, 'src/a': 'not read now' } });
  expect(other).toBe(await digestOf(stage));
});

test('each platform counts by its own base image', async () => {
  const both = { ...whole.settings, platforms: ['linux/amd64', 'linux/arm64/v8'] };
  const at = (arm: string): Case => ({
    ...withFile(
      'FROM --platform=$BUILDPLATFORM base AS b\nARG TARGETARCH\nRUN x\nFROM base\nCOPY --from=b /x /x\n',
    ),
    settings: both,
    images: {
      'base linux/amd64': { digest: 'sha256:amd' },
      'base linux/arm64': { digest: arm },
    },
  });
  expect(await digestOf(at('sha256:1'))).not.toBe(await digestOf(at('sha256:2')));
});
