import { createHash } from 'node:crypto';
import { zip } from './zip.ts';

export interface WheelSource {
  readonly name: string;
  readonly version: string;
  /** Requirements of its own: `other>=1`. */
  readonly requires?: readonly string[];
  /** Bytes of ballast, so that downloads can be told by size. Default 1000. */
  readonly ballast?: number;
  /** `name=module:function` programs. */
  readonly scripts?: readonly string[];
  /** The module's text. Default: `version = "<version>"`. */
  readonly module?: string;
}

/** A tiny pure-Python wheel with one module of the package's name. */
export function makeWheel(source: WheelSource): { file: string; content: Buffer } {
  const { name, version, requires = [], scripts = [], ballast = 1000 } = source;
  const info = `${name}-${version}.dist-info`;
  const files = new Map<string, Buffer>();
  const add = (path: string, text: string | Buffer) => files.set(path, Buffer.from(text));
  add(`${name}/__init__.py`, source.module ?? `version = ${JSON.stringify(version)}\n`);
  add(`${name}/ballast.bin`, Buffer.alloc(ballast, `${name} ${version} `));
  add(
    `${info}/METADATA`,
    [
      'Metadata-Version: 2.1',
      `Name: ${name}`,
      `Version: ${version}`,
      ...requires.map((line) => `Requires-Dist: ${line}`),
      '',
    ].join('\n'),
  );
  add(
    `${info}/WHEEL`,
    'Wheel-Version: 1.0\nGenerator: sandbox\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  );
  if (scripts.length > 0) {
    add(`${info}/entry_points.txt`, `[console_scripts]\n${scripts.join('\n')}\n`);
  }
  const record = [...files].map(
    ([path, content]) =>
      `${path},sha256=${createHash('sha256').update(content).digest('base64url')},${content.length}`,
  );
  add(`${info}/RECORD`, `${[...record, `${info}/RECORD,,`].join('\n')}\n`);
  return { file: `${name}-${version}-py3-none-any.whl`, content: zip(files) };
}
