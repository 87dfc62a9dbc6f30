import { expect, test } from 'vitest';
import { keepBuildRecord } from '../../src/steps/build-record.ts';
import type { Run } from '../../src/systems/process.ts';
import { dockerBuilder } from '../build-plan.ts';
import { collectLog } from '../fake-log.ts';
import { sampleContext } from '../inputs/kit.ts';

async function keep(metadata: string, code = 0) {
  const { log, lines } = collectLog();
  const calls: string[] = [];
  const run: Run = (command, args) => {
    calls.push([command, ...args].join(' '));
    return Promise.resolve({ code, signal: null, stdout: '', stderr: 'no such record' });
  };
  const job = {
    run,
    log,
    context: sampleContext({ temp: '/t' }),
    signal: new AbortController().signal,
  };
  await keepBuildRecord(job, dockerBuilder, {}, metadata);
  return { lines, calls };
}

test('the record that the metadata names is exported to RUNNER_TEMP, and the file is told', async () => {
  const { lines, calls } = await keep('{"buildx.build.ref":"default/default/abc123"}');
  expect(calls).toEqual([
    'docker buildx history export --builder default --output /t/abc123.dockerbuild abc123',
  ]);
  expect(lines.join()).toContain('info: Build record: /t/abc123.dockerbuild');
});

test('an old buildx names none: told, and nothing is tried', async () => {
  const { lines, calls } = await keep('{}');
  expect(calls).toEqual([]);
  expect(lines).toEqual(['notice: build-record: buildx named no record of this build.']);
});

test('an export that fails does not fail the run', async () => {
  const { lines } = await keep('{"buildx.build.ref":"a/b/c"}', 1);
  expect(lines).toEqual(['notice: build-record: the record could not be exported. no such record']);
});
