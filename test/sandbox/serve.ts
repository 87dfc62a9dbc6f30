// The stand-in for AWS by itself, for the self-test on GitHub's runners: there the registry, Docker,
// the cache service and the API are the real ones.
//
//   node test/sandbox/serve.ts --registry 127.0.0.1:5000 [--background]
//
// Prints the variables that point the AWS SDK at it; with --background also into GITHUB_ENV, and
// returns. Ends by itself after half an hour.
import { spawn } from 'node:child_process';
import { appendFileSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { startAws } from './aws/index.ts';
import { createLambda } from './aws/lambda/index.ts';
import { runInDocker } from './aws/lambda/runtime.ts';
import { execute } from './engine/execute.ts';

const lifetime = 30 * 60_000;

const { values } = parseArgs({
  options: { registry: { type: 'string' }, background: { type: 'boolean', default: false } },
});
const { registry } = values;
if (registry === undefined) {
  throw new Error('--registry <host:port> is missing: where the OCI registry listens');
}

if (values.background) {
  // A step of a job, or a test, waits for everyone who holds its output.
  const log = openSync(join(process.env['RUNNER_TEMP'] ?? tmpdir(), 'aws-stand-in.log'), 'w');
  const child = spawn(process.execPath, [import.meta.filename, '--registry', registry], {
    detached: true,
    stdio: ['ignore', 'pipe', log],
  });
  const { stdout } = child;
  if (stdout === null) throw new Error('no output');
  const variables: string[] = [];
  for await (const line of createInterface({ input: stdout })) {
    if (line === 'ready') break;
    variables.push(line);
  }
  if (variables.length === 0) throw new Error('the stand-in for AWS did not start');
  const file = process.env['GITHUB_ENV'];
  if (file !== undefined) appendFileSync(file, `${variables.join('\n')}\n`);
  process.stdout.write(`${variables.join('\n')}\npid ${child.pid}\n`);
  stdout.destroy();
  child.unref();
} else {
  const aws = await startAws({ registryHost: registry });
  const lambda = createLambda(
    aws,
    runInDocker((args) => execute('docker', args)),
  );
  aws.mount(lambda);
  aws.ecr.createRepository('self-test');
  await lambda.create('self-test');
  for (const [name, value] of Object.entries(aws.env)) process.stdout.write(`${name}=${value}\n`);
  process.stdout.write('ready\n');
  setTimeout(() => {
    void aws.close().finally(() => process.exit(0));
  }, lifetime);
}
