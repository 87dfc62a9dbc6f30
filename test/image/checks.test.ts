import { describe, expect, it } from 'vitest';
import { warningsOfCheck, warningsOfProgress } from '../../src/image/checks.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('warningsOfProgress', () => {
  it('names rule, text, file and lines', () => {
    const warning = {
      short: base64("FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 3)"),
      detail: [base64("The 'as' keyword should match the case of the 'from' keyword")],
      url: 'https://docs.example/rule',
      range: [{ start: { line: 3 }, end: { line: 4 } }, { start: { line: 7 } }],
    };
    expect(warningsOfProgress([warning], 'app/Dockerfile')).toEqual([
      {
        title: 'Dockerfile check: FromAsCasing',
        message: [
          "'as' and 'FROM' keywords' casing do not match",
          "The 'as' keyword should match the case of the 'from' keyword",
          'https://docs.example/rule',
        ].join('\n'),
        file: 'app/Dockerfile',
        startLine: 3,
        endLine: 7,
      },
    ]);
  });

  it('takes a warning that is no rule’s and has no line', () => {
    expect(warningsOfProgress([{ short: base64('something is odd') }], 'Dockerfile')).toEqual([
      {
        title: 'Dockerfile check',
        message: 'something is odd',
        file: 'Dockerfile',
        startLine: undefined,
        endLine: undefined,
      },
    ]);
  });
});

describe('warningsOfCheck', () => {
  it('an error that stopped the check is one of them', () => {
    const result = {
      warnings: null,
      buildError: {
        message: 'unknown instruction: RUNN',
        location: { ranges: [{ start: { line: 2 } }] },
      },
    };
    expect(warningsOfCheck(result, 'Dockerfile')).toEqual([
      {
        title: 'Dockerfile check: error',
        message: 'unknown instruction: RUNN',
        file: 'Dockerfile',
        startLine: 2,
        endLine: 2,
      },
    ]);
  });

  it.each([undefined, null, 'text', {}])('%j is no result', (result) => {
    expect(warningsOfCheck(result, 'Dockerfile')).toEqual([]);
  });
});
