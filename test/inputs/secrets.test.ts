import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { idAndValue } from '../../src/inputs/build-secrets.ts';
import { splitLines } from '../../src/image/csv.ts';
import { problemsOf, read } from './kit.ts';

const key = '-----BEGIN KEY-----\nab+/=\r\n\n  c"d"\n-----END KEY-----\n';
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

test('values with lines, quotes, JSON, commas and = arrive byte for byte', () => {
  const masked: string[] = [];
  const written = [
    'PLAIN=a=b==',
    'JSON={"a": ["x","y"], "b": "1,2"}',
    'LIST=["a","b","c"]',
    quoted(`KEY=${key}`),
    '  SPACED=value  ',
    'QUOTES=it\'s "quoted"',
    'HASH=#1',
  ].join('\n');
  const { build } = read({ secrets: written }, { mask: (secret) => masked.push(secret) });
  const values = Object.fromEntries(
    build.secrets.map((item) => idAndValue(item)).map((pair) => [pair?.id, pair?.value]),
  );
  expect(values).toEqual({
    PLAIN: 'a=b==',
    JSON: '{"a": ["x","y"], "b": "1,2"}',
    LIST: '["a","b","c"]',
    KEY: key,
    SPACED: 'value',
    QUOTES: 'it\'s "quoted"',
    HASH: '#1',
  });
  expect(masked).toEqual(Object.values(values));
});

test('any text survives in quotes', () => {
  const texts = fc.array(
    fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\0')),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(
    fc.property(texts, (values) => {
      const items = values.map((value, index) => `k${index}=${value}`);
      expect(splitLines(items.map(quoted).join('\n'))).toEqual(items);
    }),
  );
});

test('no message shows a value', () => {
  const found = problemsOf({
    secrets: 'erste Zeile\nGEHEIM+line=two of it\nGEHEIM==\nGEHEIM=',
    'secret-envs': 'GEHEIM',
    'lambda-invoke': '{"token": "GEHEIM"',
    key: 'GEHEIM',
    endpoint: 'tcp://b:1',
    'cache-to': 'type=s3,bucket=b,session_token=GEHEIM',
  });
  expect(found).toHaveLength(9);
  expect(found.join('\n')).not.toMatch(/GEHEIM|erste/);
});

test('masked before anything is reported', () => {
  const masked: string[] = [];
  const env = { NPM_TOKEN: 'env-secret' };
  expect(() =>
    read(
      { secrets: 'a=one\nb=two', 'secret-envs': 'npm=NPM_TOKEN', order: 'wrong' },
      { env, mask: (secret) => masked.push(secret) },
    ),
  ).toThrow('attention');
  expect(masked).toEqual(['one', 'two', 'env-secret']);
});
