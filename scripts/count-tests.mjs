// The end of .ci/run: which test files took longest, which tests passed only when tried again (with
// what they failed first), and how many passed, failed and were skipped.
import { readFileSync } from 'node:fs';
import process from 'node:process';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const say = (line) => process.stdout.write(`${line}\n`);

const files = report.testResults
  .map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }))
  .sort((one, other) => other.seconds - one.seconds);
say('Slowest files:');
for (const { name, seconds } of files.slice(0, 12)) {
  say(`  ${seconds.toFixed(1).padStart(6)} s  ${name.replace(`${process.cwd()}/`, '')}`);
}
for (const { assertionResults } of report.testResults) {
  for (const { fullName, status, failureMessages } of assertionResults) {
    if (status === 'passed' && failureMessages.length > 0) {
      say(`Passed when tried again: ${fullName}\n  ${failureMessages[0].split('\n')[0]}`);
    }
  }
}
const skipped = report.numPendingTests + report.numTodoTests;
say(`${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped} skipped`);
