import { expect, test } from 'vitest';
import { chooseBuilder, emulatedPlatforms } from '../../src/image/builder-choice.ts';
import type { DockerFacts } from '../../src/image/plan.ts';
import { read } from '../inputs/kit.ts';
import { dockerFacts } from './sample.ts';

const noStore = { containerdStore: false };
const s3 = { cache: 's3', 'cache-bucket': 'layers' };

/** Inputs, what Docker there is, what is chosen and why, platforms that are emulated. */
const cases: readonly [
  Record<string, string>,
  Partial<DockerFacts>,
  string,
  RegExp,
  (readonly string[])?,
][] = [
  [{}, {}, 'docker', /Docker's own BuildKit; with the containerd image store/],
  [{ cache: 'registry\nlocal' }, {}, 'docker', /own BuildKit/],
  [{ driver: 'docker' }, {}, 'docker', /as driver says/],
  [{ driver: 'docker-container' }, {}, 'docker-container', /as driver says/],
  [{ driver: 'kubernetes' }, { serverVersion: undefined }, 'kubernetes', /as driver says/],
  [
    { endpoint: 'tcp://b:1' },
    { serverVersion: undefined },
    'remote',
    /the BuildKit service at tcp:\/\/b:1/,
  ],
  [{ driver: 'remote', endpoint: 'unix:///b' }, {}, 'remote', /unix:/],
  [{ builder: 'mine' }, { serverVersion: undefined }, 'remote', /mine, which exists/],
  [s3, {}, 'docker-container', /doesn't know the s3 cache/],
  [{ 'cache-to': 'type=azblob,name=a' }, {}, 'docker-container', /azblob/],
  [{ 'driver-opts': 'a=b' }, {}, 'docker-container', /driver-opts/],
  [{ 'buildkitd-flags': '--debug' }, {}, 'docker-container', /buildkitd-flags/],
  [{ 'buildkitd-config-inline': 'debug=true' }, {}, 'docker-container', /configuration/],
  [{ allow: 'security.insecure' }, {}, 'docker-container', /security.insecure/],
  [{ network: 'host' }, {}, 'docker', /own BuildKit/],
  [{ platforms: 'linux/amd64' }, {}, 'docker', /own BuildKit/],
  [{ platforms: 'amd64,linux/386' }, {}, 'docker', /own BuildKit/],
  [{ platforms: 'linux/arm64' }, {}, 'docker-container', /linux\/arm64 can't run here/],
  [{ platforms: 'linux/amd64,linux/arm64' }, {}, 'docker', /own BuildKit/, ['linux/arm64']],
  [{ platforms: 'linux/arm/v7' }, {}, 'docker', /own BuildKit/, ['linux/arm']],
  [{}, noStore, 'docker-container', /no containerd image store, which the gha cache needs/],
  [{ cache: 'off' }, noStore, 'docker', /nothing is asked for/],
  [{ cache: 'inline' }, noStore, 'docker', /nothing is asked for/],
  [{ cache: 'off', provenance: 'false' }, noStore, 'docker', /nothing is asked for/],
  [{ cache: 'off', provenance: 'true' }, noStore, 'docker-container', /provenance needs/],
  [{ cache: 'off', sbom: 'true' }, noStore, 'docker-container', /an SBOM needs/],
  [{ cache: 'off', attests: 'type=sbom' }, noStore, 'docker-container', /an attestation needs/],
  [{ cache: 'off', outputs: 'type=oci,dest=a' }, noStore, 'docker-container', /type=oci needs/],
  [{ cache: 'off', annotations: 'a=b' }, noStore, 'docker-container', /annotations need/],
  [
    { cache: 'off', platforms: 'linux/amd64,linux/arm64' },
    noStore,
    'docker-container',
    /several platforms needs/,
    ['linux/arm64'],
  ],
  [{ call: 'check' }, noStore, 'docker', /nothing is asked for/],
  [
    {},
    { serverVersion: '26.1.5' },
    'docker-container',
    /Docker 26.1.5 doesn't know GitHub's cache of today/,
  ],
  [{ cache: 'registry' }, { serverVersion: '26.1.5' }, 'docker', /own BuildKit/],
];

test.each(cases)('%j on %j: %s', (values, facts, driver, why, emulated = []) => {
  const choice = chooseBuilder({ ...dockerFacts, ...facts }, read(values), emulated);
  expect(choice.driver).toBe(driver);
  expect(choice.why).toMatch(why);
  expect(choice.why).toMatch(/^Builder: [^\n]+\.$/);
});

test('no daemon is said in its own words', () => {
  const facts = {
    ...dockerFacts,
    serverVersion: undefined,
    problem: 'Cannot connect to unix:///x',
  };
  expect(() => chooseBuilder(facts, read({}))).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('No Docker daemon answers'),
      block: 'Cannot connect to unix:///x',
      hint: expect.stringContaining('endpoint: tcp://'),
    }),
  );
});

test('several platforms on a docker driver that has no store', () => {
  const inputs = read({ driver: 'docker', platforms: 'linux/amd64,linux/arm64' });
  expect(() => chooseBuilder({ ...dockerFacts, ...noStore }, inputs)).toThrow(
    "driver: docker can't build for several platforms (linux/amd64, linux/arm64)",
  );
});

test('emulators by the names of their registration', () => {
  expect(
    emulatedPlatforms([
      'qemu-aarch64',
      'qemu-arm',
      'python3.11',
      'register',
      'status',
      'qemu-mips',
    ]),
  ).toEqual(['linux/arm64', 'linux/arm']);
});
