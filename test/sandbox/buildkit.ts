import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActionError } from '../../src/errors.ts';
import { poll } from '../../src/wait.ts';
import type { Engine } from './engine/engine.ts';
import { execute } from './engine/execute.ts';
import { withLock } from './engine/lock.ts';
import { sayToStderr, type Say } from './engine/places.ts';
import { buildkitImage, makeBuildkitTree } from './base-image/buildkit.ts';
import { installBuildkit } from './buildkit-install.ts';

/** A BuildKit of its own, without Docker: for the remote driver and the s3 cache. */
export interface Buildkitd extends AsyncDisposable {
  /** `unix://…/bk.sock`, for `docker buildx create --driver remote`. */
  readonly address: string;
  /** Runs `buildctl --addr … <args>`. */
  buildctl(args: readonly string[]): ReturnType<typeof execute>;
  /** What it logged so far. */
  log(): string;
}

/**
 * Starts a BuildKit with an empty store of its own. It ends with this process at the latest.
 *
 * @returns undefined, with a printed reason, where BuildKit can't be built (no Go, no modules).
 */
export async function startBuildkitd(options: { say?: Say } = {}): Promise<Buildkitd | undefined> {
  const programs = await installBuildkit(options.say ?? sayToStderr);
  if (programs === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'bk-'));
  const address = `unix://${join(folder, 'bk.sock')}`;
  const logFile = join(folder, 'log');
  const config = join(folder, 'buildkitd.toml');
  writeFileSync(config, '[worker.containerd]\n  enabled = false\n[worker.oci]\n  gc = false\n');
  const out = openSync(logFile, 'a');
  const worker = ['--oci-worker-net', 'host', '--oci-worker-snapshotter', 'overlayfs'];
  const where = ['--config', config, '--root', join(folder, 'root'), '--addr', address];
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'TERM', '--', programs.buildkitd, ...where, ...worker],
    { stdio: ['ignore', out, out] },
  );
  closeSync(out);
  let end: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => resolve(void (end = error.message)));
    child.once('exit', (code, signal) => resolve(void (end = `exit ${code ?? signal}`)));
  });
  const log = () => readFileSync(logFile, 'utf8');
  const buildctl = (args: readonly string[]) =>
    execute(programs.buildctl, ['--addr', address, ...args]);
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await poll(
      async () => {
        if (end !== undefined) {
          throw new ActionError(`buildkitd did not start (${end}).`, { block: log().slice(-3000) });
        }
        return (await buildctl(['debug', 'workers'])).code === 0 || undefined;
      },
      { what: 'buildkitd to answer', interval: 100, longestInterval: 500, timeout: 120_000 },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, buildctl, log, [Symbol.asyncDispose]: stop };
}

/**
 * Sees to it that the docker-container driver finds its image (`moby/buildkit:buildx-stable-1`) in
 * the daemon: buildx uses the local one when it can't be pulled. Builders need
 * `--driver-opt network=host` to reach registries on 127.0.0.1.
 *
 * @returns false, with a printed reason, where BuildKit can't be built.
 */
export async function ensureBuildkitImage(
  engine: Engine,
  options: { say?: Say } = {},
): Promise<boolean> {
  const say = options.say ?? sayToStderr;
  if ((await engine.docker(['image', 'inspect', buildkitImage])).code === 0) return true;
  const programs = await installBuildkit(say);
  if (programs === undefined) return false;
  await withLock('image-buildkit', async () => {
    if ((await engine.docker(['image', 'inspect', buildkitImage])).code === 0) return;
    const tar = await makeBuildkitTree(programs);
    say(`Importing ${buildkitImage}`);
    const changes = ['ENV PATH=/usr/bin:/bin', 'ENTRYPOINT ["buildkitd"]'];
    const lines = changes.flatMap((line) => ['--change', line]);
    await engine.must(['import', ...lines, tar, buildkitImage]);
  });
  return true;
}
