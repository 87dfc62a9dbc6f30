// The one process a machine that owns the sandbox's Docker daemon and registry. Started detached by
// ensureEngine (start.ts); ends everything when nobody has held a lease for some minutes.
import { readFileSync, rmSync } from 'node:fs';
import process from 'node:process';
import { asError } from '../../../src/errors.ts';
import { startDockerd, startRegistry, type Part } from './parts.ts';
import { serveLeases } from './lease.ts';
import { keeperSocket, sayToStderr as say } from './places.ts';
import type { EngineRecord, KeeperPlan } from './record.ts';

const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as KeeperPlan;
const parts: Part[] = [];
let ending: Promise<void> | undefined;

function stop(why: string): Promise<void> {
  ending ??= (async () => {
    say(`Ending: ${why}`);
    leases?.close();
    rmSync(keeperSocket, { force: true });
    await Promise.all(parts.map((part) => part.stop()));
    process.exit(0);
  })();
  return ending;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
// The terminal that started us may go away; the engine stays.
process.on('SIGHUP', () => {});

let leases: Awaited<ReturnType<typeof serveLeases>> | undefined;
try {
  let dockerHost = plan.existing;
  if (dockerHost === undefined) {
    const dockerd = await startDockerd(plan, (end) => void stop(`dockerd ended (${end})`));
    parts.push(dockerd.part);
    dockerHost = dockerd.dockerHost;
  }
  const registry = await startRegistry(plan, (end) => void stop(`docker-registry ended (${end})`));
  parts.push(registry.part);
  const record: EngineRecord = {
    dockerHost,
    registryHost: registry.host,
    bin: plan.bin,
    config: plan.config,
    life: plan.life,
  };
  leases = await serveLeases({
    socket: keeperSocket,
    record,
    idle: plan.idle,
    onIdle: () => void stop(`no lease for ${plan.idle / 60_000} min`),
  });
  say('Ready');
} catch (error) {
  say(asError(error).stack ?? String(error));
  await stop('could not start');
}
