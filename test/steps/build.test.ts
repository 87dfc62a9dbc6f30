import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { build, type BuildRequest } from '../../src/steps/build.ts';
import type { Ended, Run } from '../../src/systems/process.ts';
import { planOf } from '../build-plan.ts';
import { fakeClock } from '../fake-clock.ts';
import { collectLog } from '../fake-log.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'build-'));
  return () => rm(folder, { recursive: true });
});

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const at = (second: number) => new Date(second * 1000).toISOString();
const vertex = (name: string, rest: object = {}) =>
  JSON.stringify({
    vertexes: [{ digest: name, name, started: at(0), completed: at(1), ...rest }],
  });

interface Answer extends Partial<Ended> {
  readonly metadata?: object;
  readonly lines?: readonly string[];
}

/** docker that answers one after the other; what it was asked is kept. */
function fakeDocker(...answers: readonly Answer[]) {
  const asked: (readonly string[])[] = [];
  const run: Run = async (_command, args, options = {}) => {
    const { metadata, lines = [], ...ended } = answers[asked.length] ?? {};
    asked.push(args);
    for (const line of lines) options.onStderr?.(line);
    if (metadata !== undefined) {
      await writeFile(join(folder, 'metadata.json'), JSON.stringify(metadata));
    }
    return { code: 0, signal: null, stdout: '', stderr: '', ...ended };
  };
  return { run, asked };
}

async function buildWith(
  docker: ReturnType<typeof fakeDocker>,
  request: Partial<BuildRequest> = {},
) {
  const { log, lines } = collectLog();
  const clock = fakeClock();
  const plan = { ...(request.plan ?? planOf()), metadataFile: join(folder, 'metadata.json') };
  const whole = { env: {}, cwd: folder, ...request, plan };
  const result = await build(whole, { run: docker.run, log, clock }).then(
    (outcome) => ({ outcome, error: undefined }),
    (error: unknown) => ({ outcome: undefined, error: error as Error }),
  );
  return { ...result, lines, slept: clock.slept, asked: docker.asked };
}

describe('a failed exit always fails', () => {
  it.each<[string, Answer, string]>([
    ['without a word', { code: 1 }, 'failed without a word (exit code 1)'],
    ['by a signal', { code: null, signal: 'SIGKILL' }, 'failed without a word (ended by a signal)'],
    [
      'although every step succeeded',
      { code: 1, lines: [vertex('[1/1] RUN x')] },
      'failed without a word (exit code 1)',
    ],
    [
      'with words that are no error of BuildKit’s',
      { code: 125, lines: ['unknown flag: --new'] },
      'did not start the build (exit code 125): unknown flag: --new',
    ],
  ])('%s', async (_name, answer, words) => {
    const { error, asked } = await buildWith(fakeDocker(answer));
    expect(error?.message).toContain(words);
    expect(asked).toHaveLength(1);
  });

  it('metadata of an attempt before is not taken for this one’s', async () => {
    await writeFile(join(folder, 'metadata.json'), '{"containerimage.digest": "sha256:old"}');
    const { outcome } = await buildWith(fakeDocker({}), {
      plan: planOf({ references: ['h/a:1'] }),
    });
    expect(outcome).toMatchObject({ digest: undefined, imageId: undefined, metadata: '' });
  });
});

describe('the digest', () => {
  const metadata = {
    'containerimage.digest': digest('b'),
    'containerimage.config.digest': digest('c'),
  };
  const pushing = (name: string) =>
    JSON.stringify({
      statuses: [{ id: `pushing manifest for ${name}@${digest('a')}`, vertex: 'x' }],
    });

  it('is what was pushed, not what another output holds', async () => {
    const docker = fakeDocker({
      metadata,
      lines: [vertex('exporting to image'), pushing('h:1/a:1')],
    });
    const { outcome } = await buildWith(docker, { plan: planOf({ references: ['h:1/a:1'] }) });
    expect(outcome).toMatchObject({ digest: digest('a'), imageId: digest('c') });
  });

  it('is the metadata’s where the push does not name it', async () => {
    const { outcome } = await buildWith(fakeDocker({ metadata }), {
      plan: planOf({ outputs: ['type=registry,name=h/a'] }),
    });
    expect(outcome?.digest).toBe(digest('b'));
  });

  it('is none when nothing is pushed', async () => {
    const { outcome } = await buildWith(fakeDocker({ metadata }));
    expect(outcome).toMatchObject({ digest: undefined, imageId: digest('c') });
  });
});

describe('tries', () => {
  const push = (words: string): Answer => ({
    code: 1,
    lines: [
      vertex('[1/1] RUN x'),
      vertex('exporting to image', { error: `failed to push h/a:1: ${words}` }),
      `ERROR: failed to build: failed to solve: failed to push h/a:1: ${words}`,
    ],
  });

  it('a login that can’t be had ends it with its own error', async () => {
    const { error } = await buildWith(fakeDocker(push('403 Forbidden')), {
      plan: planOf({ references: ['h/a:1'] }),
      refreshLogin: () => Promise.reject(new Error('no more credentials')),
    });
    expect(error?.message).toBe('no more credentials');
  });

  it('an interrupted push, a fresh login, then success: three builds, no step lost in the count', async () => {
    const cached = vertex('[1/1] RUN x', { cached: true });
    const docker = fakeDocker(push('unexpected EOF'), push('401 Unauthorized'), {
      lines: [cached],
    });
    let logins = 0;
    const { outcome, slept, asked } = await buildWith(docker, {
      plan: planOf({ references: ['h/a:1'], noCache: true }),
      refreshLogin: async () => {
        logins += 1;
      },
    });
    expect(outcome?.steps).toEqual({ cached: 0, run: 1 });
    expect({ logins, slept }).toEqual({ logins: 1, slept: [1000] });
    expect(asked.map((args) => args.includes('--no-cache'))).toEqual([true, false, false]);
  });

  it('a cancelled run ends at once', async () => {
    const run: Run = () => Promise.reject(new DOMException('cancelled', 'AbortError'));
    const { error } = await buildWith({ run, asked: [] });
    expect(error?.name).toBe('AbortError');
  });
});
