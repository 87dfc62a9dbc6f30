import { expect, test } from 'vitest';
import { type Given, problemsOf, read } from './kit.ts';

const pem = '-----BEGIN X-----';
const exists = { 'cache-bucket': 'layers', cache: 's3' };

/** What can't go together, and what is said. */
const refused: readonly [Record<string, string>, RegExp, Given?][] = [
  [{ ...exists, driver: 'docker' }, /^cache: s3 and azblob are unknown to the docker driver/],
  [{ driver: 'docker', 'cache-to': 'type=s3,bucket=b' }, /^cache: s3 and azblob are unknown/],
  [{ driver: 'docker', 'driver-opts': 'a=b' }, /^driver-opts: can't be given to driver: docker/],
  [
    { driver: 'docker', 'buildkitd-config-inline': 'a' },
    /^buildkitd-config-inline: can't be given/,
  ],
  [
    { driver: 'docker', endpoint: 'tcp://b:1' },
    /^endpoint: is a BuildKit service, but driver: docker/,
  ],
  [{ driver: 'remote' }, /^endpoint: is missing: driver: remote/],
  [
    { driver: 'remote', endpoint: 'tcp://b:1', 'buildkitd-flags': '-x' },
    /^buildkitd-flags: configures a BuildKit of our own/,
  ],
  [{ builder: 'mine', driver: 'docker' }, /^builder: names a builder that exists, but driver/],
  [{ builder: 'mine', endpoint: 'tcp://b:1' }, /^endpoint: is for a new builder/],
  [{ builder: 'mine', 'driver-opts': 'a=b' }, /^driver-opts: is for a new builder/],
  [{ 'buildkitd-config': 'conf/buildkitd.toml', 'buildkitd-config-inline': 'a' }, /given together/],
  [{ endpoint: 'tcp://b:1', cert: pem }, /^key: is missing: cert and key belong together/],
  [{ cacert: pem }, /^endpoint: is missing: cacert, cert and key/],
  [{ order: 'newest', 'order-state': 'github' }, /^order-state: github is for order: in-turn/],
  [{ order: 'newest', 'order-state': 's3' }, /^order-bucket: is missing/],
  [{ cache: 's3' }, /^cache-bucket: is missing/],
  [{ call: 'check', load: 'true' }, /^load: has nothing to load: call: check/],
  [{ call: 'outline', outputs: 'out' }, /^outputs: has nothing to write/],
  [{ provenance: 'true', attests: 'type=provenance' }, /^provenance: is given here and by attests/],
  [{ sbom: 'false', attests: 'type=sbom' }, /^sbom: is given here and by attests/],
  [
    { 'lambda-functions': 'api:live', 'lambda-publish': 'false' },
    /^lambda-functions: `api:live` has an alias, but lambda-publish/,
  ],
  [{ tags: 'v1', 'moving-tags': 'v1,latest' }, /^tags: `v1` is in moving-tags too/],
  [
    { 'aws-region': 'us-east-1', repository: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/app' },
    /^aws-region: `us-east-1`, but the repository's URI lies in eu-west-1/,
  ],
  [
    { 'role-to-assume': 'arn:aws:iam::123456789012:role/a', 'allowed-account-ids': '210987654321' },
    /^role-to-assume: the role belongs to account 123456789012/,
  ],
  [{ secrets: 'a=1', 'secret-files': 'a=conf/token' }, /^secrets: the id `a` is given twice/],
];

test.each(refused)('%j is refused', (values, wanted, given = {}) => {
  const found = problemsOf(values, given);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(wanted);
});

/** What goes together, although it looks like one of the above. */
const accepted: readonly Record<string, string>[] = [
  { driver: 'docker-container', ...exists, 'driver-opts': 'a=b', 'buildkitd-flags': '-x' },
  { driver: 'docker-container', endpoint: 'my-context' },
  { driver: 'kubernetes', endpoint: 'kube' },
  { endpoint: 'unix:///run/b.sock', ...exists },
  { order: 'off', 'order-state': 'github' },
  { 'lambda-functions': 'api', 'lambda-publish': 'false' },
  { 'lambda-functions': 'api:dev\napi:live' },
  { call: 'build', load: 'true', outputs: 'type=local,dest=out' },
  { 'moving-tags': '', tags: 'latest' },
  { 'role-to-assume': 'arn:aws:iam::123456789012:role/a', 'allowed-account-ids': '123456789012' },
];

test.each(accepted)('%j is accepted', (values) => {
  expect(read(values).warnings).toEqual([]);
});

/** What has no effect, or doesn't exist, is said and does no harm. */
const odd: readonly [Record<string, string>, RegExp][] = [
  [{ 'cache-bucket': 'layers' }, /^cache-bucket has no effect without cache: s3/],
  [{ 'order-bucket': 'layers' }, /^order-bucket has no effect/],
  [{ 'no-cache': 'true', 'no-cache-filters': 'a' }, /^no-cache-filters has no effect/],
  [{ 'pip-install': 'false' }, /^pip-install has no effect/],
  [{ plattforms: 'linux/amd64' }, /^There is no input plattforms: did you mean platforms\?$/],
  [{ build_args: 'a=b' }, /^There is no input build_args: did you mean build-args\?$/],
  [{ push: 'true' }, /^There is no input push: here it is nothing: the image is always pushed/],
  [{ 'function-name': 'api' }, /here it is lambda-functions\.$/],
  [{ zzzzzzzz: 'a' }, /^There is no input zzzzzzzz: it has no effect\.$/],
];

test.each(odd)('%j is warned of', (values, wanted) => {
  const { warnings } = read(values);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(wanted);
});

test('a mistyped name is told with the problem it causes', () => {
  expect(() => read({ repositry: 'team/app', 'aws-region': 'eu-west-1' }, { bare: true })).toThrow(
    /^An input needs your attention; nothing has been done yet\. \(There is no input repositry: did you mean repository\?\)$/,
  );
});
