import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { ensureBaseImages } from './base-image/images.ts';
import { ensureEngine } from './engine/engine.ts';

/**
 * Before the sandbox tests: the engine runs and the base images are there. BuildKit, which takes
 * minutes to build the first time, is begun in the background; tests that need it wait for it.
 */
export default async function setup(): Promise<() => void> {
  const engine = await ensureEngine();
  const buildkit = spawn(process.execPath, [join(import.meta.dirname, 'buildkit-install.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // Tests that need BuildKit build it themselves then, and say what is wrong.
  buildkit.on('error', () => {});
  buildkit.unref();
  await ensureBaseImages(engine);
  return () => {
    engine.release();
    buildkit.kill();
  };
}
