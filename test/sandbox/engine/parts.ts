import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { poll, systemClock } from '../../../src/wait.ts';
import { ActionError } from '../../../src/errors.ts';
import { execute } from './execute.ts';
import type { KeeperPlan } from './record.ts';

/** A running program of the engine. */
export interface Part {
  /** Ends it: asked first, killed after 20 s. */
  stop(): Promise<void>;
}

type OnEnd = (end: string) => void;

/** Starts the Docker daemon and waits until it answers. */
export async function startDockerd(
  plan: KeeperPlan,
  onEnd: OnEnd,
): Promise<{ part: Part; dockerHost: string }> {
  const socket = join(plan.life, 'docker.sock');
  const config = join(plan.life, 'daemon.json');
  mkdirSync(plan.data, { recursive: true });
  writeFileSync(
    config,
    JSON.stringify({
      features: { 'containerd-snapshotter': true },
      'data-root': plan.data,
      // A folder of this life: what an earlier one left there (pid files, sockets) can't mislead.
      'exec-root': join(plan.life, 'exec'),
      pidfile: join(plan.life, 'dockerd.pid'),
      hosts: [`unix://${socket}`],
      // Tests that count cached steps can't have a collector work beside them; see below instead.
      builder: { gc: { enabled: false } },
    }),
  );
  const env = { ...process.env, PATH: `${plan.bin}:${process.env['PATH'] ?? ''}` };
  const started = start('dockerd', ['--config-file', config], join(plan.life, 'dockerd.log'), env);
  await ready('the Docker daemon', started, async () => (await ping(socket)) || undefined);
  started.watch(onEnd);
  const dockerHost = `unix://${socket}`;
  // Containers of an earlier life whose processes are gone (builders restart by themselves otherwise).
  const docker = { env: { ...env, DOCKER_HOST: dockerHost } };
  const old = (await execute('docker', ['ps', '-aq'], docker)).stdout.split('\n').filter(Boolean);
  if (old.length > 0) await execute('docker', ['rm', '-f', '-v', ...old], docker);
  await execute('docker', ['builder', 'prune', '-f', '--keep-storage', '6GB'], docker);
  return { part: started, dockerHost };
}

/** Starts the distribution registry on a free port and waits until it answers. */
export async function startRegistry(
  plan: KeeperPlan,
  onEnd: OnEnd,
): Promise<{ part: Part; host: string }> {
  rmSync(plan.registryData, { recursive: true, force: true });
  mkdirSync(plan.registryData, { recursive: true });
  const config = join(plan.life, 'registry.yml');
  writeFileSync(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'info' },
      storage: { filesystem: { rootdirectory: plan.registryData }, delete: { enabled: true } },
      http: { addr: '127.0.0.1:0' },
    }),
  );
  const log = join(plan.life, 'registry.log');
  const program = join(plan.bin, 'docker-registry');
  const started = start(program, ['serve', config], log, process.env);
  const host = await ready('the registry', started, async () =>
    Promise.resolve(/listening on (127\.0\.0\.1:\d+)/.exec(readFileSync(log, 'utf8'))?.[1]),
  );
  started.watch(onEnd);
  return { part: started, host };
}

interface Started extends Part {
  readonly ended: () => string | undefined;
  readonly log: string;
  watch(onEnd: OnEnd): void;
}

/** Starts a program that is asked to end when this process dies, however it dies. */
function start(
  program: string,
  args: readonly string[],
  log: string,
  env: NodeJS.ProcessEnv,
): Started {
  const out = openSync(log, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', program, ...args], {
    stdio: ['ignore', out, out],
    env,
  });
  closeSync(out);
  let end: string | undefined;
  let stopping = false;
  const ended = new Promise<void>((resolve) => {
    const finish = (how: string) => {
      end ??= how;
      resolve();
    };
    child.once('error', (error) => finish(error.message));
    child.once('exit', (code, signal) => finish(`exit ${code ?? signal}`));
  });
  return {
    log,
    ended: () => end,
    watch: (onEnd) => void ended.then(() => (stopping ? undefined : onEnd(end ?? ''))),
    async stop() {
      stopping = true;
      await stopChild(child, ended);
    },
  };
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const late = new AbortController();
  const patience = systemClock.sleep(20_000, late.signal).then(
    () => child.kill('SIGKILL'),
    // It ended in time.
    () => false,
  );
  await ended;
  late.abort();
  await patience;
}

async function ready<T>(
  what: string,
  started: Started,
  look: () => Promise<T | undefined>,
): Promise<T> {
  return poll(
    async () => {
      const end = started.ended();
      if (end !== undefined) {
        throw new ActionError(`${what} did not start (${end}).`, {
          block: readFileSync(started.log, 'utf8').split('\n').slice(-25).join('\n'),
        });
      }
      return look();
    },
    { what: `${what} to answer`, interval: 100, longestInterval: 500, timeout: 120_000 },
  );
}

/** Whether a Docker daemon answers on this socket. */
function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', timeout: 5000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    // Not listening yet: asked again.
    asked.on('error', () => resolve(false));
    asked.on('timeout', () => asked.destroy());
    asked.end();
  });
}
