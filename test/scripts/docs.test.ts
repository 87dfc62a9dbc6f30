import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readGroups, tables, withTables } from '../../scripts/docs.ts';

const action = `
inputs:
  # First
  one:
    description: >-
      Two lines
      of one paragraph.

      Another | paragraph.
    default: 'a'
  two: { description: 'x', default: '' }

  # Second
  three:
    description: y
outputs:
  # Out
  out:
    description: z
`;

test('tables in groups; lines joined, paragraphs broken, bars escaped', () => {
  expect(tables(readGroups(action, 'inputs'), 'inputs').split('\n')).toEqual([
    '### First',
    '',
    '| Input | Meaning                                              | Default |',
    '| ----- | ---------------------------------------------------- | ------- |',
    '| `one` | Two lines of one paragraph.<br>Another \\| paragraph. | `a`     |',
    '| `two` | x                                                    |         |',
    '',
    '### Second',
    '',
    '| Input   | Meaning | Default |',
    '| ------- | ------- | ------- |',
    '| `three` | y       |         |',
  ]);
});

test('put between the markers, again and again the same', () => {
  const readme =
    'a\n<!-- inputs -->\nold\n<!-- /inputs -->\nb\n<!-- outputs --><!-- /outputs -->\nc';
  const once = withTables(readme, action);
  expect(once).toMatch(/^a\n<!-- inputs -->\n\n### First[^]*\n\n<!-- \/inputs -->\nb\n/);
  expect(once).not.toContain('old');
  expect(once.endsWith('<!-- /outputs -->\nc')).toBe(true);
  expect(withTables(once, action)).toBe(once);
});

test.each([
  ['a: [', 'Flow sequence'],
  ['outputs: {}', 'action.yml has no inputs'],
  ['inputs: { one: { default: x } }', 'inputs.one has no description'],
  ['inputs: { one: { description: x } }', 'one stands in no group'],
])('%s: %s', (text, message) => {
  expect(() => withTables('<!-- inputs --><!-- /inputs -->', text)).toThrow(message);
});

test('a README without markers is an error', () => {
  expect(() => withTables('', action)).toThrow('README.md has no <!-- inputs -->');
});

test("README.md's tables are those of action.yml", () => {
  const readme = readFileSync('README.md', 'utf8');
  expect(withTables(readme, readFileSync('action.yml', 'utf8'))).toBe(readme);
});
