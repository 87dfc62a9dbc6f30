import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { closest, inputDefaults } from '../../src/inputs/names.ts';
import { parseDuration } from '../../src/inputs/reader.ts';
import { read } from './kit.ts';

interface Action {
  readonly inputs: Readonly<Record<string, { description: string; default?: string }>>;
  readonly outputs: Readonly<Record<string, { description: string }>>;
  readonly runs: Readonly<Record<string, string>>;
}

const action = parse(readFileSync('action.yml', 'utf8')) as Action;

test('action.yml and the code know the same inputs with the same defaults', () => {
  const declared = Object.entries(action.inputs).map(([name, input]) => [
    name,
    // GitHub fills its own token in.
    name === 'github-token' ? '' : (input.default ?? ''),
  ]);
  expect(Object.fromEntries(declared)).toEqual(inputDefaults);
  expect(action.inputs['github-token']?.default).toBe('${{ github.token }}');
});

test('defaults are text, as the runner hands them over', () => {
  const presets = Object.entries(action.inputs).filter(([, input]) => 'default' in input);
  expect(presets.filter(([, input]) => typeof input.default !== 'string')).toEqual([]);
});

test('reading the defaults is reading nothing', () => {
  expect(read({ ...inputDefaults, 'aws-region': 'eu-west-1', repository: 'team/app' })).toEqual(
    read({}),
  );
});

test('it runs on Node 24, and post always runs', () => {
  expect(action.runs).toEqual({
    using: 'node24',
    main: 'dist/main.js',
    post: 'dist/post.js',
    'post-if': 'always()',
  });
});

test('the outputs are those of the product', () => {
  expect(Object.keys(action.outputs)).toEqual(
    [
      ['image', 'repository', 'tags', 'digest', 'platform-digests', 'imageid', 'metadata'],
      ['built', 'cache-hit-ratio', 'pip-cache-hit', 'order-result', 'superseded-by'],
      ['lambda-versions', 'timings'],
    ].flat(),
  );
});

test.each([
  ['90s', 90_000],
  ['5m', 300_000],
  ['5min', 300_000],
  ['1h', 3_600_000],
  ['1h 30m 5s', 5_405_000],
  ['45', 45_000],
  ['', undefined],
  ['5x', undefined],
  ['-1', undefined],
])('the time span %j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ['platfroms', 'platforms'],
  ['tag', 'tags'],
  ['AWS_REGION', 'aws-region'],
  ['xyz', undefined],
])('%s is nearest to %s', (word, wanted) => {
  expect(closest(word, Object.keys(inputDefaults))).toBe(wanted);
});
