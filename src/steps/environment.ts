import type { Job } from '../job.ts';
import type { Told } from './report.ts';

export async function openPython(_job: Job, _told: Told): Promise<NodeJS.ProcessEnv> {
  return {};
}
export async function verify(_job: Job, _environment: NodeJS.ProcessEnv): Promise<void> {}
