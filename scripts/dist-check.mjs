// Fails when dist/ is not what `npm run build` makes of src/: what users run must be what is read.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const fresh = mkdtempSync(join(tmpdir(), 'ship-to-ecr-dist-'));
try {
  execFileSync(process.execPath, ['scripts/build.mjs', fresh], { stdio: 'inherit' });
  const names = (folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();
  const [ours, theirs] = [names('dist'), names(fresh)];
  const differing = [...new Set([...ours, ...theirs])].filter(
    (name) =>
      !ours.includes(name) ||
      !theirs.includes(name) ||
      !readFileSync(join('dist', name)).equals(readFileSync(join(fresh, name))),
  );
  if (differing.length > 0) {
    process.stderr.write(
      `dist/ is not what src/ builds to. Run \`npm run build\` and commit dist/. Differing:\n  ${differing.join('\n  ')}\n`,
    );
    process.exitCode = 1;
  } else {
    process.stdout.write(`dist/ is what src/ builds to (${ours.length} files).\n`);
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
