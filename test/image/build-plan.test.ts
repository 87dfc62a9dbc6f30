import { expect, test } from 'vitest';
import { buildArguments } from '../../src/image/build-arguments.ts';
import { planBuild, type PlanRequest } from '../../src/image/build-plan.ts';
import { read, sampleContext } from '../inputs/kit.ts';
import { containerBuilder, dockerBuilder, plainDockerBuilder } from './sample.ts';

function plan(values: Record<string, string>, changes: Partial<PlanRequest> = {}) {
  return planBuild({
    inputs: read(values),
    context: sampleContext(),
    builder: dockerBuilder,
    repository: 'host.test/team/app',
    tags: ['run-7', 'content-0a'],
    push: true,
    cache: { from: ['type=gha,scope=a'], to: ['type=gha,scope=a,mode=max,ignore-error=true'] },
    secrets: [],
    metadataFile: '/tmp/m.json',
    ...changes,
  });
}

test('from inputs to argv, defaults', () => {
  expect(buildArguments(plan({}).plan).slice(6)).toEqual(
    [
      ['--metadata-file', '/tmp/m.json'],
      ['--cache-from', 'type=gha,scope=a'],
      ['--cache-to', 'type=gha,scope=a,mode=max,ignore-error=true'],
      '--output',
      'type=image,"name=host.test/team/app:run-7,host.test/team/app:content-0a",push=true,store=false',
      '--provenance=mode=max,builder-id=https://github.com/octo/Shop/actions/runs/7001/attempts/1',
      '.',
    ].flat(),
  );
});

test('from inputs to argv, every build input', () => {
  const values = {
    context: 'app',
    file: 'app/Dockerfile',
    target: 't',
    platforms: 'linux/amd64,linux/arm64',
    'build-args': 'A=1,2\nB',
    'build-contexts': 'src=conf',
    ssh: 'k=conf/token',
    network: 'host',
    'shm-size': '1g',
    ulimit: 'nproc=3',
    'add-hosts': 'a:1.2.3.4',
    'cgroup-parent': 'c',
    pull: 'true',
    'no-cache-filters': 'x,y',
    labels: 'l=1',
    annotations: 'a=1',
    outputs: 'out',
    provenance: 'false',
    sbom: 'true',
    attests: 'type=provenance,disabled=true',
  };
  const { attests: _, ...rest } = values;
  const { plan: found } = plan(rest, { secrets: ['id=a,src=/s'], builder: containerBuilder });
  expect(buildArguments(found)).toEqual(
    [
      ['buildx', 'build', '--builder', 'ship-1', '--progress', 'rawjson'],
      ['--metadata-file', '/tmp/m.json', '--add-host', 'a:1.2.3.4', '--allow', 'network.host'],
      ['--annotation', 'a=1', '--build-arg', 'A=1,2', '--build-arg', 'B'],
      ['--build-context', 'src=conf', '--cache-from', 'type=gha,scope=a'],
      ['--cache-to', 'type=gha,scope=a,mode=max,ignore-error=true', '--cgroup-parent', 'c'],
      ['--file', 'app/Dockerfile', '--label', 'l=1', '--network', 'host'],
      ['--no-cache-filter', 'x', '--no-cache-filter', 'y'],
      [
        '--output',
        'type=image,"name=host.test/team/app:run-7,host.test/team/app:content-0a",push=true',
      ],
      ['--output', 'out', '--platform', 'linux/amd64,linux/arm64'],
      ['--provenance=false', '--sbom=true', '--pull', '--secret', 'id=a,src=/s'],
      ['--shm-size', '1g', '--ssh', 'k=conf/token', '--target', 't', '--ulimit', 'nproc=3', 'app'],
    ].flat(),
  );
});

test('a run that may not push builds, loads under its names, and drops outputs that push', () => {
  const outputs = 'type=image,push=true,name=a\ntype=registry,ref=b\ntype=local,dest=out';
  const { plan: found, notices } = plan({ load: 'true', outputs }, { push: false });
  expect(found.references).toEqual([]);
  expect(found.outputs).toEqual(['type=local,dest=out']);
  expect(notices).toEqual(['Outputs that push are left out: this run pushes nothing.']);
  expect(buildArguments(found)).toContain(
    'type=image,"name=host.test/team/app:run-7,host.test/team/app:content-0a"',
  );
});

test('what is loaded has a name even when there is no tag to push', () => {
  const { plan: found } = plan({ load: 'true', tags: 'v1' }, { push: false, tags: [] });
  expect(found.localReferences).toEqual(['host.test/team/app:v1']);
});

test('a call pushes nothing and attests nothing', () => {
  const { plan: found } = plan({ call: 'check', sbom: 'true' }, { builder: plainDockerBuilder });
  expect(found).toMatchObject({ references: [], provenance: undefined, sbom: undefined });
});

test('several platforms are loaded by the docker driver with the store only', () => {
  const values = { load: 'true', platforms: 'linux/amd64,linux/arm64' };
  expect(plan(values).plan.load).toBe(true);
  for (const builder of [containerBuilder, plainDockerBuilder]) {
    expect(() => plan(values, { builder })).toThrow(
      "load can't take an image of several platforms",
    );
  }
});
