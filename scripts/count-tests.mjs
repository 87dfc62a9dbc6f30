// The closing line of .ci/run: how many tests passed, failed and were skipped, and which passed only
// when tried again (they are few, and worth a look when they grow).
import { readFileSync } from 'node:fs';
import process from 'node:process';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const again = report.testResults
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(
    ({ status, retryReasons, failureMessages }) =>
      status === 'passed' && (retryReasons?.length > 0 || failureMessages?.length > 0),
  );
for (const { fullName } of again) process.stdout.write(`passed when tried again: ${fullName}\n`);
const skipped = report.numPendingTests + (report.numTodoTests ?? 0);
process.stdout.write(
  `${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped} skipped\n`,
);
