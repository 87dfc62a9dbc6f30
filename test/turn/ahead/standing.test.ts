import { describe, expect, test } from 'vitest';
import type { WorkflowJob, WorkflowRun } from '../../../src/systems/github.ts';
import {
  isCandidate,
  isJobNamed,
  latestJobs,
  ownJobName,
  standing,
} from '../../../src/turn/ahead/standing.ts';

const run = (change: Partial<WorkflowRun> = {}): WorkflowRun => ({
  id: 5,
  number: 5,
  attempt: 1,
  workflowId: 1,
  branch: 'main',
  event: 'push',
  sha: '',
  status: 'in_progress',
  conclusion: null,
  url: '',
  createdAt: '',
  ...change,
});
const job = (name: string, status: string, runAttempt = 1): WorkflowJob => ({
  name,
  status,
  runAttempt,
  conclusion: null,
  runnerName: null,
  url: '',
});
const ship = (name: string) => name === 'ship';

describe('who is a candidate', () => {
  const me = { id: 9, branch: 'main' };
  test.each<[string, Partial<WorkflowRun>, boolean]>([
    ['an earlier live run', {}, true],
    ['a later one', { id: 10 }, false],
    ['itself', { id: 9 }, false],
    ['another branch', { branch: 'next' }, false],
    ['over', { status: 'completed' }, false],
    ['a pull request', { event: 'pull_request' }, false],
    ['a pull request of the target kind', { event: 'pull_request_target' }, false],
    ['dispatched', { event: 'workflow_dispatch' }, true],
    ['scheduled', { event: 'schedule' }, true],
    ['requested', { status: 'requested' }, true],
    ['pending', { status: 'pending' }, true],
    ['a status of tomorrow', { status: 'hibernating' }, true],
  ])('%s', (_, change, is) => {
    expect(isCandidate(run(change), me)).toBe(is);
  });
});

describe('where an earlier run stands', () => {
  test.each<[string, WorkflowRun | undefined, WorkflowJob[], string]>([
    ['deleted', undefined, [], 'free'],
    ['failed', run({ status: 'completed', conclusion: 'failure' }), [], 'free'],
    ['startup_failure', run({ status: 'completed', conclusion: 'startup_failure' }), [], 'free'],
    [
      'cancelled, jobs still shown as running',
      run({ status: 'completed' }),
      [job('ship', 'in_progress')],
      'free',
    ],
    ['publishing', run(), [job('ship', 'in_progress')], 'blocks'],
    [
      'published, other jobs go on',
      run(),
      [job('ship', 'completed'), job('e2e', 'in_progress')],
      'free',
    ],
    [
      'publishing job skipped',
      run(),
      [job('ship', 'completed'), job('lint', 'in_progress')],
      'free',
    ],
    ['publishing job not listed, others run', run(), [job('build', 'in_progress')], 'blocks'],
    ['publishing job not listed, nothing runs', run(), [job('build', 'completed')], 'idle'],
    ['publishing job queued', run({ status: 'queued' }), [job('ship', 'queued')], 'idle'],
    [
      'queued behind its own tests',
      run(),
      [job('ship', 'queued'), job('test', 'in_progress')],
      'blocks',
    ],
    ['no jobs yet', run({ status: 'queued' }), [], 'idle'],
    ['pending for concurrency', run({ status: 'pending' }), [], 'idle'],
    ['waiting for approval', run({ status: 'waiting' }), [job('ship', 'waiting')], 'free'],
    ['waiting for approval, no job listed', run({ status: 'waiting' }), [], 'free'],
    [
      'a matrix leg still publishes',
      run(),
      [job('ship', 'completed'), job('ship', 'in_progress')],
      'blocks',
    ],
    [
      'failed jobs run again',
      run({ attempt: 2 }),
      [job('ship', 'completed', 1), job('ship', 'in_progress', 2)],
      'blocks',
    ],
    [
      'failed jobs run again, publishing was good',
      run({ attempt: 2 }),
      [job('ship', 'completed', 1), job('e2e', 'in_progress', 2)],
      'free',
    ],
  ])('%s', (_, of, jobs, is) => {
    const found = standing(of, jobs, ship);
    expect(found.blocks ? (found.idle ? 'idle' : 'blocks') : 'free').toBe(is);
  });

  test('without a name of the publishing job the whole run counts', () => {
    expect(
      standing(run(), [job('ship', 'completed'), job('e2e', 'in_progress')], undefined),
    ).toMatchObject({
      blocks: true,
      doing: 'still at "e2e"',
    });
  });
});

describe('names of jobs', () => {
  const long = `ship (${'x'.repeat(89)}...`;
  test.each<[string, string, boolean]>([
    ['ship', 'ship', true],
    ['ship (linux, arm64)', 'ship', true],
    ['release / ship', 'ship', true],
    ['release / ship (linux)', 'ship', true],
    ['outer / release / ship', 'ship', true],
    ['outer / release / ship', 'release / ship', true],
    [long, 'ship', true],
    [`${'n'.repeat(97)}...`, 'n'.repeat(120), true],
    ['ship-it', 'ship', false],
    ['shipping', 'ship', false],
    ['ship / test', 'ship', false],
    ['test (ship)', 'ship', false],
  ])('%s is %s: %s', (name, wanted, is) => {
    expect(isJobNamed(name, wanted)).toBe(is);
  });

  const me = { runAttempt: 2, runnerName: 'r1', job: 'ship' };
  const on = (name: string, runnerName: string | null, runAttempt = 2, status = 'in_progress') => ({
    ...job(name, status, runAttempt),
    runnerName,
  });
  test.each<[string, WorkflowJob[], string | undefined]>([
    ['by its runner', [on('Ship it (a)', 'r1'), on('Ship it (b)', 'r2')], 'Ship it (a)'],
    ['of this attempt', [on('old', 'r1', 1), on('new', 'r1')], 'new'],
    ['not one that is over', [on('before', 'r1', 2, 'completed'), on('now', 'r1')], 'now'],
    ['by key when the runner tells nothing', [on('ship', null), on('test', null)], 'ship'],
    ['unclear: two legs, no runner', [on('ship (a)', null), on('ship (b)', null)], undefined],
    ['none', [], undefined],
  ])('its own: %s', (_, jobs, name) => {
    expect(ownJobName(jobs, me)).toBe(name);
  });

  test('of each name the last attempt', () => {
    const jobs = [job('a', 'completed', 1), job('a', 'queued', 2), job('b', 'completed', 1)];
    expect(latestJobs(jobs).map((one) => `${one.name}${one.runAttempt}`)).toEqual(['a2', 'b1']);
  });
});
