import { expect, test } from 'vitest';
import { planSecrets } from '../../src/image/secrets.ts';
import { read, sampleContext } from '../inputs/kit.ts';

const context = sampleContext();
const plan = (values: Record<string, string>, env: NodeJS.ProcessEnv = {}) =>
  planSecrets(read(values, { env }).build, context);

test('values go into files, variables and files by name', () => {
  const found = plan(
    { secrets: 'a=b=c\n"d=e\nf"', 'secret-envs': 'npm=NPM_TOKEN', 'secret-files': 't=conf/token' },
    { NPM_TOKEN: 'x' },
  );
  expect(found).toEqual({
    values: [
      { id: 'a', value: 'b=c' },
      { id: 'd', value: 'e\nf' },
    ],
    specs: ['id=npm,env=NPM_TOKEN', 'id=t,src=conf/token'],
  });
});

const token = { 'github-token': 'ghs_1' };
const git = 'https://github.com/octo/shop.git#main';

test.each([
  ['no Git context', token, []],
  ['a Git context', { ...token, context: git }, ['GIT_AUTH_TOKEN.github.com']],
  [
    'a named Git context',
    { ...token, 'build-contexts': `x=${git}` },
    ['GIT_AUTH_TOKEN.github.com'],
  ],
  ['a Git context elsewhere', { ...token, context: 'https://gitlab.com/a/b.git' }, []],
  [
    'a host that only begins alike',
    { ...token, context: 'https://github.com.evil.test/a.git' },
    [],
  ],
  ['a Git context without a token', { context: git }, []],
  [
    'a secret of their own for it',
    { ...token, context: git, secrets: 'GIT_AUTH_TOKEN=mine' },
    ['GIT_AUTH_TOKEN'],
  ],
])('the token, %s', (_, values, ids) => {
  expect(plan(values).values.map(({ id }) => id)).toEqual(ids);
});
