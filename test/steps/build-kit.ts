import { randomBytes } from 'node:crypto';
import { createServer, request as send, type Server } from 'node:http';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BuildOutcome, BuildPlan } from '../../src/image/plan.ts';
import { build, type BuildRequest } from '../../src/steps/build.ts';
import { run } from '../../src/systems/process.ts';
import { planOf } from '../build-plan.ts';
import { fakeClock } from '../fake-clock.ts';
import { collectLog } from '../fake-log.ts';
import { ensureBusybox } from '../sandbox/base-image/images.ts';
import { ensureEngine, type Engine } from '../sandbox/engine/engine.ts';

export const unique = () => randomBytes(4).toString('hex');

/** A checkout with a private DOCKER_CONFIG beside it, on the machine's engine. */
export interface Bench extends AsyncDisposable {
  readonly engine: Engine;
  readonly registry: string;
  /** Where the plan's paths start. */
  readonly workspace: string;
  readonly dockerConfig: string;
  readonly env: NodeJS.ProcessEnv;
  /** Adds files (path → text) to the workspace. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  build(
    plan: Partial<BuildPlan>,
    request?: Partial<BuildRequest>,
    watch?: { readonly signal?: AbortSignal; readonly onLine?: (line: string) => void },
  ): Promise<Built>;
  /** The manifest under a reference of the registry, and its digest. */
  manifest(repository: string, reference: string): Promise<{ digest: string; body: Manifest }>;
  blob(repository: string, digest: string): Promise<string>;
}

export interface Built {
  /** Undefined: it failed with `error`. */
  readonly outcome: BuildOutcome | undefined;
  readonly error: Error | undefined;
  readonly log: string;
  readonly annotations: ReturnType<typeof collectLog>['annotations'];
  /** ms between tries; no time passes for them. */
  readonly slept: readonly number[];
}

export interface Manifest {
  readonly mediaType: string;
  readonly annotations?: Record<string, string>;
  readonly config: { readonly digest: string };
  readonly layers: readonly {
    readonly digest: string;
    readonly annotations?: Record<string, string>;
  }[];
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform: { readonly architecture: string; readonly os: string };
    readonly annotations?: Record<string, string>;
  }[];
}

export async function openBench(files: Readonly<Record<string, string>> = {}): Promise<Bench> {
  const engine = await ensureEngine();
  await ensureBusybox(engine);
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const workspace = join(folder, 'workspace');
  const dockerConfig = join(folder, 'docker');
  await mkdir(dockerConfig, { recursive: true });
  await symlink(
    join(engine.env['DOCKER_CONFIG'] ?? '', 'cli-plugins'),
    join(dockerConfig, 'cli-plugins'),
  );
  const env = {
    ...engine.env,
    DOCKER_CONFIG: dockerConfig,
    BUILDX_CONFIG: join(dockerConfig, 'buildx'),
  };
  const write = async (more: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(more)) {
      const path = join(workspace, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
  };
  await write(files);
  const get = async (repository: string, path: string) => {
    // What isn't accepted, the registry would turn into an old form with another digest.
    const accept = [
      ...['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`),
      ...['manifest.list', 'manifest'].map(
        (kind) => `application/vnd.docker.distribution.${kind}.v2+json`,
      ),
    ];
    const answer = await fetch(`http://${engine.registryHost}/v2/${repository}/${path}`, {
      headers: { accept: accept.join(', ') },
    });
    if (!answer.ok)
      throw new Error(`${repository}/${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  return {
    engine,
    workspace,
    dockerConfig,
    env,
    write,
    registry: engine.registryHost,
    build: async (plan, request = {}, { signal, onLine } = {}) => {
      const { log: kept, lines, annotations } = collectLog();
      const info = (line: string) => {
        kept.info(line);
        onLine?.(line);
      };
      const log = { ...kept, info };
      const clock = fakeClock();
      const whole = planOf({
        metadataFile: join(folder, `metadata-${unique()}.json`),
        ...plan,
      });
      const told = () => ({
        log: lines.join('\n'),
        annotations,
        slept: clock.slept,
      });
      try {
        const outcome = await build(
          { plan: whole, env, cwd: workspace, ...request },
          { run, log, clock, signal },
        );
        return {
          outcome,
          error: undefined,
          ...told(),
        };
      } catch (error) {
        return {
          outcome: undefined,
          error: error as Error,
          ...told(),
        };
      }
    },
    manifest: async (repository, reference) => {
      const answer = await get(repository, `manifests/${reference}`);
      return {
        digest: answer.headers.get('docker-content-digest') ?? '',
        body: (await answer.json()) as Manifest,
      };
    },
    blob: async (repository, digest) => (await get(repository, `blobs/${digest}`)).text(),
    [Symbol.asyncDispose]: async () => {
      await rm(folder, {
        recursive: true,
        force: true,
      });
    },
  };
}

/** The outcome of a build that must have succeeded. */
export function succeeded({ outcome, error, log }: Built): BuildOutcome {
  if (outcome !== undefined) return outcome;
  const block = error !== undefined && 'block' in error ? String(error.block) : '';
  throw new Error(`${error?.message}\n${block}\n${log}`);
}

/** A registry in front of the real one that answers some requests by itself. */
export interface Front extends AsyncDisposable {
  readonly host: string;
  /** `METHOD /path → status`, as they came. */
  readonly requests: readonly string[];
  /** From now on: what to answer instead of the registry; undefined: the registry answers. 0: hang up. */
  answer(
    how: (method: string, path: string) => { status: number; body?: string } | undefined,
  ): void;
}

export async function openFront(registry: string): Promise<Front> {
  const requests: string[] = [];
  let how: Parameters<Front['answer']>[0] = () => undefined;
  const [host = '', port = ''] = registry.split(':');
  const server: Server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/' } = incoming;
    const own = how(method, url);
    requests.push(`${method} ${url} → ${own?.status ?? 'registry'}`);
    if (own?.status === 0) {
      incoming.socket.destroy();
      return;
    }
    if (own !== undefined) {
      incoming.resume();
      outgoing.writeHead(own.status, { 'content-type': 'application/json' }).end(own.body ?? '');
      return;
    }
    // The Host header stays: the registry's Location then leads back here.
    const options = { host, port, method, path: url, headers: incoming.headers };
    const onward = send(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    host: `127.0.0.1:${address.port}`,
    requests,
    answer: (next) => {
      how = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
