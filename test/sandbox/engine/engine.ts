import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { ActionError } from '../../../src/errors.ts';
import { systemClock } from '../../../src/wait.ts';
import { execute, must, type ExecuteOptions, type Executed } from './execute.ts';
import { findDocker } from './existing.ts';
import { installEngine } from './install.ts';
import { takeLease, type Lease } from './lease.ts';
import { withLock } from './lock.ts';
import { cacheFolder, isRoot, keeperSocket, runFolder, sayToStderr, type Say } from './places.ts';
import type { EngineRecord, KeeperPlan } from './record.ts';
import { clearStale } from './stale.ts';

/** The real parts every sandbox test shares: one Docker daemon and one registry a machine. */
export interface Engine {
  /** `unix://…/docker.sock` */
  readonly dockerHost: string;
  /** This process's environment with the engine's `docker` first on the PATH, and DOCKER_HOST. */
  readonly env: NodeJS.ProcessEnv;
  /** `127.0.0.1:<port>` of the distribution registry (plain HTTP, nobody asked for a name). */
  readonly registryHost: string;
  /** Folder of this life of the engine: `dockerd.log`, `registry.log`, `keeper.log`. */
  readonly root: string;
  /** Runs `docker …`; a failure is for the caller to judge. */
  docker(args: readonly string[], options?: ExecuteOptions): Promise<Executed>;
  /** Runs `docker …` that must succeed; its stdout. */
  must(args: readonly string[], options?: ExecuteOptions): Promise<string>;
  /** Gives the lease back. The end of the process does so too. */
  release(): void;
}

/** How long the engine stays after its last user has gone, in ms. */
const idle = 5 * 60_000;

/**
 * The machine's engine: the one that runs, or a new one. Any number of processes may ask at the
 * same time. An engine that is just ending is waited for and replaced; leftovers of one that was
 * killed are cleared away.
 *
 * @throws ActionError when no engine could be started, with what the daemon said.
 */
export async function ensureEngine(options: { say?: Say } = {}): Promise<Engine> {
  const say = options.say ?? sayToStderr;
  return (await attach()) ?? withLock('engine', () => attachOrStart(say));
}

async function attachOrStart(say: Say): Promise<Engine> {
  const running = await attach();
  if (running !== undefined) return running;
  const source = await findOrInstall(say);
  for (let attempt = 1; ; attempt += 1) {
    await clearStale(say);
    try {
      return connect(await startKeeper(source));
    } catch (error) {
      if (attempt >= 3) throw error;
      say('The engine did not come up; starting it once more');
    }
  }
}

/** A lease on the engine that runs, if its Docker answers. */
async function attach(): Promise<Engine | undefined> {
  const lease = await takeLease<EngineRecord>(keeperSocket, 30_000);
  if (lease === undefined) return undefined;
  const engine = connect(lease);
  // A busy machine can make Docker slow to answer; a keeper that is gone won't come back.
  for (let look = 1; look <= 6 && lease.alive; look += 1) {
    const { code } = await engine.docker(['info', '--format', '{{.ID}}'], { timeout: 30_000 });
    if (code === 0) return engine;
    await systemClock.sleep(500);
  }
  lease.release();
  return undefined;
}

type Source = Pick<KeeperPlan, 'bin' | 'config' | 'existing'>;

/** A Docker that runs here already, or the programs to start one. */
async function findOrInstall(say: Say): Promise<Source> {
  const existing = await findDocker();
  if (existing === undefined && !isRoot) {
    throw new ActionError('No Docker answers, and only root can start one.', {
      hint: 'Start Docker (with the containerd image store), or run this as root on Debian.',
    });
  }
  const { bin, config } = await installEngine(say);
  say(existing ? `Using the Docker at ${existing}` : 'Starting Docker Engine and the registry');
  return { bin, config: existing === undefined ? config : undefined, existing };
}

async function startKeeper(source: Source): Promise<Lease<EngineRecord>> {
  mkdirSync(runFolder, { recursive: true });
  const life = mkdtempSync(join(runFolder, 'life-'));
  const plan: KeeperPlan = {
    ...source,
    life,
    data: join(cacheFolder, 'docker'),
    registryData: join(cacheFolder, 'registry'),
    idle,
  };
  const planFile = join(life, 'plan.json');
  writeFileSync(planFile, JSON.stringify(plan));
  const log = join(runFolder, 'keeper.log');
  const out = openSync(log, 'w');
  const keeper = spawn(process.execPath, [join(import.meta.dirname, 'keeper.ts'), planFile], {
    detached: true,
    stdio: ['ignore', out, out],
    cwd: '/',
    env: keeperEnvironment(),
  });
  closeSync(out);
  const ended = new AbortController();
  keeper.once('exit', () => ended.abort());
  keeper.once('error', () => ended.abort());
  keeper.unref();
  while (!ended.signal.aborted) {
    const lease = await takeLease<EngineRecord>(keeperSocket, 30_000);
    if (lease !== undefined) return lease;
    await systemClock.sleep(150);
  }
  throw new ActionError('The sandbox could not start Docker and its registry.', {
    block: readFileSync(log, 'utf8').trim().split('\n').slice(-40).join('\n'),
  });
}

/** Without what belongs to the test run that happens to start the engine. */
function keeperEnvironment(): NodeJS.ProcessEnv {
  const keep = /^(PATH|HOME|USER|LANG|LC_ALL|TMPDIR|TZ|\w*_proxy|\w*_PROXY|SSL_CERT_\w+)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => keep.test(name)));
}

function connect(lease: Lease<EngineRecord>): Engine {
  const { dockerHost, registryHost, bin, config, life } = lease.record;
  const path = process.env['PATH'] ?? '';
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: config === undefined ? `${path}:${bin}` : `${bin}:${path}`,
    DOCKER_HOST: dockerHost,
    ...(config === undefined ? {} : { DOCKER_CONFIG: config }),
  };
  const withEnv = (options: ExecuteOptions = {}) => ({ ...options, env: options.env ?? env });
  return {
    dockerHost,
    registryHost,
    root: life,
    env,
    docker: (args, options) => execute('docker', args, withEnv(options)),
    must: (args, options) => must('docker', args, withEnv(options)),
    release: () => lease.release(),
  };
}
