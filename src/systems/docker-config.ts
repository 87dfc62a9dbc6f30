import { writeFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryLogin } from './ecr.ts';

/** THIN, the lead's placeholder: B replaces it. */
export async function writeDockerConfig(options: {
  readonly folder: string;
  readonly userFolder: string;
  readonly logins: readonly RegistryLogin[];
  readonly env: NodeJS.ProcessEnv;
  readonly notice: (message: string) => void;
}): Promise<void> {
  const auths = Object.fromEntries(
    options.logins.map(({ host, username, password }) => [
      host,
      { auth: Buffer.from(`${username}:${password}`).toString('base64') },
    ]),
  );
  await writeFile(join(options.folder, 'config.json'), JSON.stringify({ auths }), { mode: 0o600 });
  await symlink(join(options.userFolder, 'cli-plugins'), join(options.folder, 'cli-plugins')).catch(
    () => {},
  );
}
