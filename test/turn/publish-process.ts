// One run's turn in a process of its own, for order.sandbox.test.ts: says `ready` when it has begun,
// publishes when it is told to on stdin, and answers with the result as JSON.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { openTurn } from '../../src/steps/publish.ts';
import { connectEcr } from '../../src/systems/ecr.ts';
import { connectGitHub } from '../../src/systems/github.ts';
import { connectObjectStore } from '../../src/systems/s3.ts';
import { systemClock } from '../../src/wait.ts';
import { contextOf, FakeLog, ORDER } from './fakes.ts';

interface Task {
  readonly runId: number;
  readonly digest: string;
  readonly repository: { readonly name: string; readonly uri: string };
  readonly order: Partial<typeof ORDER>;
  readonly region: string;
  readonly github: { readonly apiUrl: string; readonly token: string; readonly repository: string };
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task;
const credentials = () =>
  Promise.resolve({
    accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
  });
const order = { ...ORDER, ...task.order };
const log = new FakeLog();
const turn = openTurn(
  {
    order,
    context: contextOf(task.runId),
    repository: task.repository,
    movingTags: ['latest'],
    canPublish: true,
  },
  {
    ecr: connectEcr({ region: task.region, credentials, mask: () => {}, notice: () => {} }),
    github: connectGitHub(task.github),
    store: connectObjectStore({
      region: task.region,
      credentials,
      bucket: order.bucket,
      prefix: 'ship-to-ecr/order/',
    }),
    log,
    clock: systemClock,
  },
);

await turn.begin();
console.log('ready');
const input = createInterface({ input: process.stdin });
for await (const line of input) {
  if (line !== 'publish') throw new Error(`What is "${line}"?`);
  const published = await turn.publish({ digest: task.digest });
  console.log(JSON.stringify({ ...published, lines: log.lines }));
  break;
}
// The parent's end of stdin would keep this process alive.
process.stdin.destroy();
