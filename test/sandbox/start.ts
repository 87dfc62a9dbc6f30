// `npm start`: the built action ships an example in the sandbox, as GitHub's runner would run it.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { duration } from '../../src/wait.ts';
import { ensurePython, pythonImage } from './base-image/images.ts';
import { startPypi } from './pypi/pypi.ts';
import { ensureWheelhouse } from './wheelhouse.ts';
import { openWorld, type World, type WorldResult, type WorldRun } from './world.ts';

const project = join(import.meta.dirname, '../..');
const say = (line = '') => process.stdout.write(`${line}\n`);
const began = Date.now();

function title(text: string): void {
  say();
  say(`── ${text} ${'─'.repeat(Math.max(0, 90 - text.length))}`);
}

/** An example with what the sandbox sets for it; users of the internet need none of it. */
interface Example {
  readonly folder: string;
  readonly source: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  readonly event: string;
  /** Bytes of packages fetched since the last look. */
  fetched(): number;
  close(): Promise<void>;
}

async function fastapi(world: World): Promise<Example | { why: string }> {
  const folder = join(project, 'examples/fastapi-lambda');
  const requirements = join(folder, 'requirements-dev.txt');
  say('Fetching the packages of examples/fastapi-lambda with this machine’s pip (once)');
  const wheels = await ensureWheelhouse(requirements, [
    requirements,
    join(folder, 'requirements.txt'),
  ]);
  if ('why' in wheels) return wheels;
  const pypi = await startPypi({ wheelhouse: wheels.folder });
  const { host } = new URL(pypi.indexUrl);
  const pipConf = `[global]\nindex-url = ${pypi.indexUrl}\ntrusted-host = ${host.split(':')[0]}\n`;
  return {
    folder,
    source: 'app/main.py',
    env: pypi.env,
    inputs: {
      'build-args': `PYTHON_IMAGE=${world.engine.registryHost}/${pythonImage}`,
      // The index listens on this machine only, and its port differs each time: a secret, because
      // those are no part of the cache.
      secrets: `"pip-conf=${pipConf}"`,
      network: 'host',
      allow: 'network.host',
      'pip-requirements': 'requirements-dev.txt',
      verify: 'python -m pytest -q -p no:cacheprovider',
    },
    event: JSON.stringify({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/',
      rawQueryString: 'name=Ada',
      headers: { host: 'localhost' },
      requestContext: {
        http: {
          method: 'GET',
          path: '/',
          protocol: 'HTTP/1.1',
          sourceIp: '127.0.0.1',
          userAgent: 'npm start',
        },
      },
      isBase64Encoded: false,
    }),
    fetched: () => {
      const bytes = pypi.bytes;
      pypi.forget();
      return bytes;
    },
    close: async () => pypi[Symbol.asyncDispose](),
  };
}

function plain(world: World): Example {
  return {
    folder: join(project, 'examples/plain-lambda'),
    source: 'function.py',
    env: {},
    inputs: { 'build-args': `PYTHON_IMAGE=${world.engine.registryHost}/${pythonImage}` },
    event: '{"name":"Ada"}',
    fetched: () => 0,
    close: () => Promise.resolve(),
  };
}

const fn = 'backend-dev';
/** Commands to the runner, and pip's line for each package. */
const isNoise =
  /^(::|Collecting |  Downloading |Requirement already|#\d+ \d+\.\d+ (Collecting|  Downloading))/;
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
  results.push({ what, result, fetched: example.fetched() });
  return result;
}

/** The builder's layers of this example go, as on a runner that is new for each job. */
async function freshRunner(world: World): Promise<void> {
  await world.engine.must([
    'builder',
    'prune',
    '--all',
    '--force',
    '--filter',
    'description~="requirements|packages|app app|function.py|WORKDIR .srv|pip"',
  ]);
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

async function change(example: Example, workspace: string, greeting: string): Promise<void> {
  const path = join(workspace, example.source);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(/GREETING = ".*"/, `GREETING = "${greeting}"`));
}

async function main(): Promise<void> {
  title('The sandbox');
  await using world = await openWorld({ repository: 'fastapi-backend' });
  await ensurePython(world.engine);
  const found = await fastapi(world);
  if ('why' in found) {
    say(
      `No Python packages can be had here (${found.why}): examples/plain-lambda is shipped instead.`,
    );
  }
  const example = 'why' in found ? plain(world) : found;
  const folder = await mkdtemp(join(tmpdir(), 'npm-start-'));
  const temp = join(folder, 'runner-temp');
  try {
    const checkout = async (name: string) => {
      const to = join(folder, name);
      await cp(example.folder, to, { recursive: true });
      return to;
    };
    await world.lambda.create(fn);
    const workspace = await checkout('checkout');
    await freshRunner(world);
    example.fetched();

    title('1. A cold run: nothing is cached anywhere');
    await shipOnce(world, example, 'cold run', { workspace, temp });
    say(`  ${stateOf(world)}`);

    title('2. One source line changed, on a fresh runner');
    await freshRunner(world);
    await change(example, workspace, 'Good morning');
    await shipOnce(world, example, 'one line changed', { workspace, temp });
    say(`  ${stateOf(world)}`);

    title('3. Nothing changed');
    await shipOnce(world, example, 'nothing changed', { workspace, temp });
    say(`  ${stateOf(world)}`);

    title('4. Two runs overlap, and the older one finishes last');
    const older = await checkout('older');
    const newer = await checkout('newer');
    await change(example, older, 'Hello from the older commit');
    await change(example, newer, 'Hello from the newer commit');
    const order = { order: 'newest' };
    const both = await Promise.all([
      shipOnce(
        world,
        example,
        'the older run',
        {
          workspace: older,
          inputs: { ...order, verify: 'sleep 20; echo checked' },
          keepRunning: true,
        },
        '  older │ ',
      ),
      new Promise((resolve) => {
        setTimeout(resolve, 1500);
      }).then(() =>
        shipOnce(
          world,
          example,
          'the newer run',
          { workspace: newer, inputs: { ...order, verify: '' } },
          '  newer │ ',
        ),
      ),
    ]);
    const [old, young] = both.map(({ main: { outputs } }) => outputs);
    say(
      `  older: ${old?.['order-result']} by ${old?.['superseded-by'] ?? '?'}; newer: ${young?.['order-result']}`,
    );
    say(`  ${stateOf(world)}`);
    if (world.tag('latest') !== young?.['digest']) throw new Error('latest is not the newer image');

    title('What happened');
    for (const { what, result, fetched } of results) {
      const { outputs, ms } = result.main;
      const cached =
        outputs['built'] === 'true'
          ? `${Math.round(Number(outputs['cache-hit-ratio']) * 100)} % of steps cached`
          : 'not built';
      say(
        `  ${what.padEnd(17)} ${duration(ms).padStart(8)}   ${cached.padEnd(23)} ${(fetched / 1e6).toFixed(1).padStart(5)} MB of packages   ${outputs['order-result']?.padEnd(10)} ${short(outputs['digest'])}`,
      );
    }

    title('A real invocation of what is deployed');
    const payload = await invoke(world, example);
    say(`  ${fn}:live answers ${payload}`);
    if (!payload.includes('newer commit') || !payload.includes('Ada')) {
      throw new Error('the deployed image is not the newer commit’s');
    }
  } finally {
    await example.close();
    await rm(folder, { recursive: true, force: true });
  }
  say();
  say(`Done in ${duration(Date.now() - began)}.`);
}

await main();
