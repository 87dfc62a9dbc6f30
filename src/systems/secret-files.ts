import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { secretFileSpec, type SecretPlan } from '../image/secrets.ts';

/**
 * Writes secrets where only this user can read them, byte for byte as UTF-8.
 *
 * @param folder of their own, to be removed when the build has ended. The files' names tell nothing.
 * @returns all `--secret` specs of the plan.
 */
export async function writeSecrets(folder: string, plan: SecretPlan): Promise<readonly string[]> {
  if (plan.values.length === 0) return plan.specs;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const written = await Promise.all(
    plan.values.map(async ({ id, value }, index) => {
      const path = join(folder, `secret-${index + 1}`);
      await writeFile(path, value, { mode: 0o600 });
      return secretFileSpec(id, path);
    }),
  );
  return [...written, ...plan.specs];
}
