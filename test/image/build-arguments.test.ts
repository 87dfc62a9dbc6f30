import { expect, test } from 'vitest';
import { buildArguments, imageOutputs } from '../../src/image/build-arguments.ts';
import type { BuildPlan } from '../../src/image/plan.ts';
import { containerBuilder, dockerBuilder, plainDockerBuilder, samplePlan } from './sample.ts';

const start = ['buildx', 'build', '--builder', 'default', '--progress', 'rawjson'];
const metadata = ['--metadata-file', '/tmp/runner/metadata.json'];

test('default args', () => {
  expect(buildArguments(samplePlan())).toEqual([
    ...start,
    ...metadata,
    '--output',
    'type=image,name=host.test/team/app:run-7,push=true,store=false',
    '.',
  ]);
});

test('full args', () => {
  const plan = samplePlan({
    builder: containerBuilder,
    references: ['host.test/team/app:run-7', 'host.test/team/app:v1'],
    context: 'app',
    file: 'app/Dockerfile.prod',
    target: 'release',
    platforms: ['linux/amd64', 'linux/arm64'],
    buildArgs: ['A=1', 'B=x,y z'],
    buildContexts: ['base=docker-image://alpine:3.22'],
    secrets: ['id=a,src=/tmp/runner/secret-1', 'id=b,env=B'],
    ssh: ['default'],
    network: 'host',
    shmSize: '128m',
    ulimit: ['nofile=1:2'],
    addHosts: ['db:10.0.0.1'],
    allow: ['network.host'],
    cgroupParent: 'ci.slice',
    pull: true,
    noCache: true,
    noCacheFilters: ['deps'],
    labels: ['l=1'],
    annotations: ['index:a=1'],
    outputs: ['type=local,dest=out'],
    provenance: 'mode=max,builder-id=https://x',
    sbom: 'true',
    attests: ['type=sbom,generator=a'],
    cacheFrom: ['type=gha,scope=a', 'type=gha,scope=b'],
    cacheTo: ['type=gha,scope=a,mode=max,ignore-error=true'],
  });
  expect(buildArguments(plan)).toEqual(
    [
      ['buildx', 'build', '--builder', 'ship-1', '--progress', 'rawjson', ...metadata],
      ['--add-host', 'db:10.0.0.1'],
      ['--allow', 'network.host'],
      ['--annotation', 'index:a=1'],
      ['--build-arg', 'A=1', '--build-arg', 'B=x,y z'],
      ['--build-context', 'base=docker-image://alpine:3.22'],
      ['--cache-from', 'type=gha,scope=a', '--cache-from', 'type=gha,scope=b'],
      ['--cache-to', 'type=gha,scope=a,mode=max,ignore-error=true'],
      ['--cgroup-parent', 'ci.slice'],
      ['--file', 'app/Dockerfile.prod'],
      ['--label', 'l=1'],
      ['--network', 'host'],
      '--no-cache',
      ['--no-cache-filter', 'deps'],
      ['--output', 'type=image,"name=host.test/team/app:run-7,host.test/team/app:v1",push=true'],
      ['--output', 'type=local,dest=out'],
      ['--platform', 'linux/amd64,linux/arm64'],
      '--provenance=mode=max,builder-id=https://x',
      '--sbom=true',
      ['--attest', 'type=sbom,generator=a'],
      '--pull',
      ['--secret', 'id=a,src=/tmp/runner/secret-1', '--secret', 'id=b,env=B'],
      ['--shm-size', '128m'],
      ['--ssh', 'default'],
      ['--target', 'release'],
      ['--ulimit', 'nofile=1:2'],
      'app',
    ].flat(),
  );
});

test('a call looks at the Dockerfile only: no output, cache or attestation', () => {
  const plan = samplePlan({
    call: 'check',
    file: 'app/Dockerfile',
    cacheFrom: ['type=gha'],
    cacheTo: ['type=gha'],
    provenance: 'mode=max',
    buildArgs: ['A=1'],
  });
  expect(buildArguments(plan)).toEqual(
    [
      ...start,
      ...metadata,
      ['--call', 'check', '--build-arg', 'A=1', '--file', 'app/Dockerfile', '.'],
    ].flat(),
  );
});

const two = ['h.test/a:1', 'h.test/a:2'];
const outputs: readonly [string, Partial<BuildPlan>, readonly string[]][] = [
  [
    'docker: one push, unstored',
    { builder: dockerBuilder, references: two },
    ['type=image,"name=h.test/a:1,h.test/a:2",push=true,store=false'],
  ],
  [
    'docker: what is loaded is stored',
    { builder: dockerBuilder, references: two, load: true },
    ['type=image,"name=h.test/a:1,h.test/a:2",push=true'],
  ],
  [
    'docker without the store',
    { builder: plainDockerBuilder, references: ['h.test/a:1'] },
    ['type=image,name=h.test/a:1,push=true'],
  ],
  [
    'docker: load without push',
    { builder: dockerBuilder, references: [], localReferences: two, load: true },
    ['type=image,"name=h.test/a:1,h.test/a:2"'],
  ],
  [
    'container: push',
    { builder: containerBuilder, references: ['h.test/a:1'] },
    ['type=image,name=h.test/a:1,push=true'],
  ],
  [
    'container: push and load',
    { builder: containerBuilder, references: ['h.test/a:1'], load: true },
    ['type=image,name=h.test/a:1,push=true', 'type=docker,name=h.test/a:1'],
  ],
  [
    'container: load without push',
    { builder: containerBuilder, references: [], localReferences: ['h.test/a:1'], load: true },
    ['type=docker,name=h.test/a:1'],
  ],
  ['nothing asked for', { references: [] }, ['type=cacheonly']],
  ['only an output of the user', { references: [], outputs: ['out'] }, ['out']],
];

test.each(outputs)('outputs, %s', (_, changes, wanted) => {
  expect(imageOutputs(samplePlan(changes))).toEqual(wanted);
});
