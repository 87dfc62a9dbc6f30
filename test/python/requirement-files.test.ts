import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readRequirements } from '../../src/python/requirement-files.ts';

let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'requirements-'));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(workspace, name)), { recursive: true });
    writeFileSync(join(workspace, name), text);
  }
}
const read = (...wanted: string[]) => readRequirements(wanted, workspace);

describe('files', () => {
  test('nested lists and constraints are followed, relative to the file that names them', () => {
    write({
      'requirements/dev.txt': '-r base.txt\n--constraint=../limits.txt\npytest\n',
      'requirements/base.txt': '-c more/pins.txt\n--requirement  extra.txt # why\nfastapi==1\n',
      'requirements/extra.txt': '-rbase.txt\n',
      'requirements/more/pins.txt': 'pydantic==2\n',
      'limits.txt': 'httpx<1\n',
    });
    expect(read('requirements/dev.txt').files).toEqual([
      'limits.txt',
      'requirements/base.txt',
      'requirements/dev.txt',
      'requirements/extra.txt',
      'requirements/more/pins.txt',
    ]);
  });

  test('globs are sorted, so that the order on disk decides nothing', () => {
    write({ 'b/requirements.txt': 'b', 'a/requirements.txt': 'a', 'c/other.txt': '' });
    expect(read('**/requirements.txt').items).toEqual([
      { kind: 'file', path: join(workspace, 'a/requirements.txt') },
      { kind: 'file', path: join(workspace, 'b/requirements.txt') },
    ]);
  });

  test('a project with extras', () => {
    write({ 'api/pyproject.toml': '[project]\n' });
    expect(read('api/pyproject.toml[dev, test]').items).toEqual([
      { kind: 'project', path: join(workspace, 'api/pyproject.toml'), extras: ['dev', 'test'] },
    ]);
  });

  test('comments, continuations and lists at an address name no file', () => {
    write({ 'r.txt': '# -r gone.txt\na==1 \\\n  --hash=sha256:00\n-r https://x.test/list.txt\n' });
    expect(read('r.txt').files).toEqual(['r.txt']);
  });

  test('what is missing is named, with the file that names it', () => {
    write({ 'r.txt': '-r gone.txt\n' });
    expect(() => read('r.txt')).toThrow('pip-requirements: the file "gone.txt" is not there.');
    expect(() => read('*.in')).toThrow('pip-requirements: no file matches "*.in".');
  });
});

describe('the digest', () => {
  test('changes with any file, nested ones too, with names, and with extras', () => {
    write({ 'r.txt': '-r base.txt\n', 'base.txt': 'a==1\n', 'pyproject.toml': '[project]\n' });
    const before = read('r.txt').digest;
    expect(read('r.txt').digest).toBe(before);
    write({ 'base.txt': 'a==2\n' });
    expect(read('r.txt').digest).not.toBe(before);
    expect(read('pyproject.toml[a]').digest).not.toBe(read('pyproject.toml').digest);
  });

  test('does not depend on where the workspace is', () => {
    write({ 'one/r.txt': 'a==1\n', 'two/r.txt': 'a==1\n' });
    const digest = (folder: string) => readRequirements(['r.txt'], join(workspace, folder)).digest;
    expect(digest('one')).toBe(digest('two'));
  });
});

describe('code of the workspace', () => {
  test.each([
    ['-e .', true],
    ['--editable ./lib', true],
    ['.', true],
    ['./lib', true],
    ['./lib[extra]; python_version > "3"', true],
    ['lib @ file:///somewhere/lib', true],
    ['fastapi[standard]>=0.100', false],
    ['-e git+https://x.test/a.git#egg=a', false],
    ['a @ https://x.test/a-1-py3-none-any.whl', false],
    ['--find-links ./wheels', false],
  ])('%s: %s', (line, local) => {
    write({ 'r.txt': `${line}\n`, 'lib/pyproject.toml': '' });
    expect(read('r.txt').local).toEqual(local ? [line] : []);
  });
});
