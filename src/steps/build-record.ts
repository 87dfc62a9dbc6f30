import { join } from 'node:path';
import { explain } from '../errors.ts';
import type { Builder } from '../image/plan.ts';
import type { Job } from '../job.ts';

/**
 * Exports buildx's record of the build (steps, times, logs, sources) to a file in RUNNER_TEMP, for a
 * later step to upload and Docker Desktop to open. Never fails a run.
 *
 * @param metadata buildx's metadata file, which names the record.
 */
export async function keepBuildRecord(
  { run, log, context, signal }: Pick<Job, 'run' | 'log' | 'context' | 'signal'>,
  builder: Builder,
  env: NodeJS.ProcessEnv,
  metadata: string,
): Promise<void> {
  const reference = referenceOf(metadata);
  if (reference === undefined) {
    log.notice('build-record: buildx named no record of this build.');
    return;
  }
  const file = join(context.temp, `${reference}.dockerbuild`);
  const args = ['buildx', 'history', 'export', '--builder', builder.name, '--output', file];
  try {
    const ended = await run('docker', [...args, reference], { env, signal });
    if (ended.code !== 0) throw new Error(ended.stderr.trim());
    log.info(
      `Build record: ${file} (upload it with actions/upload-artifact, open it in Docker Desktop)`,
    );
  } catch (error) {
    signal.throwIfAborted();
    log.notice(`build-record: the record could not be exported. ${explain(error)}`);
  }
}

/** `buildx.build.ref` is `<builder>/<node>/<record>`. */
function referenceOf(metadata: string): string | undefined {
  const { 'buildx.build.ref': reference } = JSON.parse(metadata || '{}') as {
    'buildx.build.ref'?: string;
  };
  return reference?.split('/').at(-1);
}
