import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pythonImage } from './base-image/images.ts';
import type { Engine } from './engine/engine.ts';
import { startPypi, type Pypi } from './pypi/pypi.ts';
import { ensureWheelhouse } from './wheelhouse.ts';
import type { World } from './world.ts';

const project = join(import.meta.dirname, '../..');

/** An example with what the sandbox sets for it; users of the internet need none of it. */
export interface Example extends AsyncDisposable {
  readonly folder: string;
  /** The file of its source that holds `GREETING = "…"`. */
  readonly source: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  /** An invocation of the function, for somebody called Ada. */
  readonly event: string;
  /** Package indexes of its own; plain-lambda asks them for nothing. */
  readonly indexes: Indexes;
  /**
   * Its layers and cache mounts in the builder go, as on a runner that is new for each job. What other
   * builds have there stays.
   */
  freshRunner(): Promise<void>;
}

/** Two indexes of the same packages, so that what each of two takes is counted apart. */
export interface Indexes {
  /** For `pip-requirements`. */
  readonly runner: Pypi;
  /** For `RUN pip install`. */
  readonly image: Pypi;
}

/** examples/fastapi-lambda; `why` it can't be shipped here: its packages can't be had. */
export async function openFastapi(world: World): Promise<Example | { readonly why: string }> {
  const folder = join(project, 'examples/fastapi-lambda');
  const requirements = join(folder, 'requirements-dev.txt');
  const wheels = await ensureWheelhouse(requirements, [
    requirements,
    join(folder, 'requirements.txt'),
  ]);
  if ('why' in wheels) return wheels;
  const { buildArgs, freshRunner } = isolate(world.engine);
  const runner = await startPypi({ wheelhouse: wheels.folder });
  const image = await startPypi({ wheelhouse: wheels.folder });
  const { hostname } = new URL(image.indexUrl);
  const pipConf = `[global]\nindex-url = ${image.indexUrl}\ntrusted-host = ${hostname}\n`;
  return {
    folder,
    source: 'app/main.py',
    env: runner.env,
    inputs: {
      'build-args': buildArgs,
      // The index listens on this machine only, and its port differs each time: a secret, because
      // those are no part of the cache.
      secrets: `"pip-conf=${pipConf}"`,
      network: 'host',
      allow: 'network.host',
      'pip-requirements': 'requirements-dev.txt',
      verify: 'python -m pytest -q -p no:cacheprovider',
    },
    event: JSON.stringify({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/',
      rawQueryString: 'name=Ada',
      headers: { host: 'localhost' },
      requestContext: {
        http: {
          method: 'GET',
          path: '/',
          protocol: 'HTTP/1.1',
          sourceIp: '127.0.0.1',
          userAgent: 'sandbox',
        },
      },
      isBase64Encoded: false,
    }),
    indexes: { runner, image },
    freshRunner,
    [Symbol.asyncDispose]: () => close({ runner, image }, freshRunner),
  };
}

/** examples/plain-lambda, which needs no packages. */
export async function openPlain(world: World): Promise<Example> {
  const { buildArgs, freshRunner } = isolate(world.engine);
  const indexes = { runner: await startPypi(), image: await startPypi() };
  return {
    folder: join(project, 'examples/plain-lambda'),
    source: 'function.py',
    env: {},
    inputs: { 'build-args': buildArgs },
    event: '{"name":"Ada"}',
    indexes,
    freshRunner,
    [Symbol.asyncDispose]: () => close(indexes, freshRunner),
  };
}

async function close(indexes: Indexes, prune: () => Promise<void>): Promise<void> {
  await Promise.all([
    prune(),
    ...Object.values(indexes).map((one: Pypi) => one[Symbol.asyncDispose]()),
  ]);
}

/** Bytes of packages that each has given since the last look. */
export function takeBytes({ runner, image }: Indexes): { runner: number; image: number } {
  const bytes = { runner: runner.bytes, image: image.bytes };
  runner.forget();
  image.forget();
  return bytes;
}

async function prune(engine: Engine, namespace: string): Promise<void> {
  const steps = [
    'COPY requirements.txt',
    'COPY app app',
    'COPY function.py',
    '--from=packages',
    'WORKDIR /srv',
    '--target /packages',
    namespace,
  ];
  const filter = `description~="${steps.join('|')}"`;
  await engine.must(['builder', 'prune', '--all', '--force', '--filter', filter]);
}

/** Cache mounts of other builds on this machine's builder have other names. */
function isolate(engine: Engine) {
  const namespace = `example-${randomBytes(6).toString('hex')}`;
  return {
    buildArgs: `PYTHON_IMAGE=${engine.registryHost}/${pythonImage}\nBUILDKIT_CACHE_MOUNT_NS=${namespace}`,
    freshRunner: () => prune(engine, namespace),
  };
}
