// `npm start`: the built action ships an example in the sandbox, as GitHub's runner would run it.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { duration } from '../../src/wait.ts';
import { ensurePython } from './base-image/images.ts';
import { openFastapi, openPlain, takeBytes, type Example } from './example.ts';
import { openWorld, type World, type WorldResult, type WorldRun } from './world.ts';

const say = (line = '') => process.stdout.write(`${line}\n`);
const began = Date.now();

function title(text: string): void {
  say();
  say(`── ${text} ${'─'.repeat(Math.max(0, 90 - text.length))}`);
}

const fn = 'backend-dev';
/** Commands to the runner, and pip's lines for each package. */
const isNoise =
  /^(::|(#\d+ │ )?(Collecting |  Downloading |  Using cached |\s+━|Requirement already))/;
const results: { what: string; result: WorldResult; fetched: number }[] = [];

async function shipOnce(
  world: World,
  example: Example,
  what: string,
  request: WorldRun,
  prefix = '  │ ',
): Promise<WorldResult> {
  const result = await world.run({
    ...request,
    env: { ...example.env, ...request.env },
    inputs: {
      ...example.inputs,
      'lambda-functions': `${fn}:live`,
      'lambda-invoke': example.event,
      ...request.inputs,
    },
    onLine: (line) => {
      if (!isNoise.test(line)) say(`${prefix}${line}`);
    },
  });
  if (!result.ok) {
    throw new Error(
      `${what} failed; its log is above (main ${result.main.code}, post ${result.post.code})`,
    );
  }
  const { runner, image } = takeBytes(example.indexes);
  results.push({ what, result, fetched: runner + image });
  return result;
}

function stateOf(world: World): string {
  const stored = world.lambda.functions.get(fn);
  const live = stored?.aliases.get('live');
  const version = stored?.versions.find((one) => one.version === live?.version);
  const running = version?.code?.resolvedImageUri.split('@')[1] ?? 'nothing';
  return `latest is at ${short(world.tag('latest'))}, ${fn}:live runs version ${live?.version ?? 'none'} at ${short(running)}`;
}

const short = (digest: string | undefined) => digest?.slice(0, 19) ?? 'nothing';

async function invoke(world: World, example: Example): Promise<string> {
  const { accessKeyId, secretAccessKey } = world.aws.credentials;
  const client = new LambdaClient({
    region: world.aws.region,
    endpoint: world.aws.url,
    credentials: { accessKeyId, secretAccessKey },
  });
  const answer = await client.send(
    new InvokeCommand({ FunctionName: fn, Qualifier: 'live', Payload: Buffer.from(example.event) }),
  );
  client.destroy();
  const payload = Buffer.from(answer.Payload ?? []).toString();
  if (answer.FunctionError !== undefined) throw new Error(`${answer.FunctionError}: ${payload}`);
  return payload;
}

/** The example's source says hello with other words. */
async function greet(example: Example, workspace: string, greeting: string): Promise<void> {
  const path = join(workspace, example.source);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(/GREETING = ".*"/, `GREETING = "${greeting}"`));
}

async function openExample(world: World): Promise<Example> {
  say('Fetching the packages of examples/fastapi-lambda with this machine’s pip (once)');
  const found = await openFastapi(world);
  if (!('why' in found)) return found;
  say(
    `No Python packages can be had here (${found.why}): examples/plain-lambda is shipped instead.`,
  );
  return openPlain(world);
}

/** Two runs at once: the checks of the older one end when the newer one has shipped. */
async function overlap(world: World, example: Example, folder: string): Promise<void> {
  const checkout = async (name: string) => {
    const to = join(folder, name);
    await cp(example.folder, to, { recursive: true });
    await greet(example, to, `Hello from the ${name} commit`);
    return to;
  };
  const [older, newer] = [await checkout('older'), await checkout('newer')];
  const signal = join(folder, 'newer-has-ended');
  const inputs = { order: 'newest', 'pip-requirements': '' };
  const verify = `for i in $(seq 600); do if [ -e ${signal} ]; then break; fi; sleep 0.2; done; echo checked`;
  const shipNewer = async () => {
    try {
      const request = { workspace: newer, inputs: { ...inputs, verify: '' } };
      return await shipOnce(world, example, 'the newer run', request, '  newer │ ');
    } finally {
      await writeFile(signal, '');
    }
  };
  const [old, young] = await Promise.all([
    shipOnce(
      world,
      example,
      'the older run',
      { workspace: older, inputs: { ...inputs, verify }, keepRunning: true },
      '  older │ ',
    ),
    shipNewer(),
  ]);
  const { outputs } = old.main;
  const result = young.main.outputs['order-result'];
  say(
    `  older: ${outputs['order-result']} by ${outputs['superseded-by'] ?? '?'}; newer: ${result}`,
  );
  say(`  ${stateOf(world)}`);
  if (world.tag('latest') !== young.main.outputs['digest']) {
    throw new Error('latest is not the newer image');
  }
}

function showResults(): void {
  for (const { what, result, fetched } of results) {
    const { outputs, ms } = result.main;
    const cached =
      outputs['built'] === 'true'
        ? `${Math.round(Number(outputs['cache-hit-ratio']) * 100)} % of steps cached`
        : 'not built';
    const cells = [
      what.padEnd(17),
      duration(ms).padStart(8),
      cached.padEnd(23),
      `${(fetched / 1e6).toFixed(1).padStart(5)} MB of packages`,
      outputs['order-result']?.padEnd(10),
      short(outputs['digest']),
    ];
    say(`  ${cells.join('   ')}`);
  }
}

async function main(): Promise<void> {
  title('The sandbox');
  await using world = await openWorld({ repository: 'fastapi-backend' });
  await ensurePython(world.engine);
  await using example = await openExample(world);
  const folder = await mkdtemp(join(tmpdir(), 'npm-start-'));
  const temp = join(folder, 'runner-temp');
  try {
    await world.lambda.create(fn);
    const workspace = join(folder, 'checkout');
    await cp(example.folder, workspace, { recursive: true });
    await example.freshRunner();

    title('1. A cold run: nothing is cached anywhere');
    await shipOnce(world, example, 'cold run', { workspace, temp });
    say(`  ${stateOf(world)}`);

    title('2. One source line changed, on a fresh runner');
    await example.freshRunner();
    await greet(example, workspace, 'Good morning');
    await shipOnce(world, example, 'one line changed', { workspace, temp });
    say(`  ${stateOf(world)}`);

    title('3. Nothing changed');
    await shipOnce(world, example, 'nothing changed', { workspace, temp });
    say(`  ${stateOf(world)}`);

    title('4. Two runs overlap, and the older one finishes last');
    await overlap(world, example, folder);

    title('What happened');
    showResults();

    title('A real invocation of what is deployed');
    const payload = await invoke(world, example);
    say(`  ${fn}:live answers ${payload}`);
    if (!payload.includes('newer commit') || !payload.includes('Ada')) {
      throw new Error('the deployed image is not the newer commit’s');
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  say();
  say(`Done in ${duration(Date.now() - began)}.`);
}

await main();
