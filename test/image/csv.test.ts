import { expect, test } from 'vitest';
import { attributes, csvField, splitCommas, splitLines } from '../../src/image/csv.ts';

test.each([
  ['a\nb', ['a', 'b']],
  ['a,b\n\n  c  ', ['a,b', 'c']],
  ['"a\nb"\r\nc', ['a\nb', 'c']],
  ['"say ""hi"""', ['say "hi"']],
  ['  "indented"', ['indented']],
  ['x="a",b', ['x="a",b']],
  ['"type=image",name=b', ['"type=image",name=b']],
  ['type=local,"dest=a,b"', ['type=local,"dest=a,b"']],
  ['# no comment', ['# no comment']],
  ['" kept "', [' kept ']],
  ['', []],
])('lines of %j', (text, wanted) => {
  expect(splitLines(text)).toEqual(wanted);
});

test.each([
  ['a,b\nc', ['a', 'b', 'c']],
  ['a, b ,\n,c', ['a', 'b', 'c']],
  ['"a,b",c', ['a,b', 'c']],
])('items between commas of %j', (text, wanted) => {
  expect(splitCommas(text)).toEqual(wanted);
});

test('an open quote is an error', () => {
  expect(() => splitLines('"a\nb')).toThrow('Quote Not Closed');
});

test('fields are quoted when they must be', () => {
  expect(['a=b', 'a=b,c', 'a="b"', 'a\nb'].map(csvField)).toEqual([
    'a=b',
    '"a=b,c"',
    '"a=""b"""',
    '"a\nb"',
  ]);
});

test('attributes, bare words too', () => {
  expect([...attributes('type=image,"name=a,b",push=true,bare,x=y=z')]).toEqual([
    ['type', 'image'],
    ['name', 'a,b'],
    ['push', 'true'],
    ['bare', ''],
    ['x', 'y=z'],
  ]);
});
