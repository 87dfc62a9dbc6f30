import { expect, test } from 'vitest';
import { type Given, problemsOf } from './kit.ts';

/** Input, value, what its one problem says. */
const cases: readonly [string, string, RegExp, Given?][] = [
  ['aws-region', 'europe', /`europe` is no AWS Region\n.*aws-region: eu-west-1/],
  ['aws-region', 'eu-west-1a', /availability zone.*aws-region: eu-west-1$/m],
  ['role-to-assume', 'ship', /`ship` is no role's ARN\n.*arn:aws:iam::/],
  ['role-to-assume', 'arn:aws:iam::123456789012:user/me', /is no role's ARN/],
  ['role-session-name', 'a b', /`a b` is no session name/],
  ['role-duration-seconds', '60', /`60` is no time span from 900s to 12h/],
  ['role-duration-seconds', 'soon', /`soon` is no time span/],
  ['audience', 'a b', /has a space/],
  ['allowed-account-ids', '12345', /`12345` is no account number .*quote it in YAML/],
  ['repository', '', /^repository: is missing\n.*team\/app/],
  ['repository', 'Team/App', /`Team\/App` is no repository name.*\n.*repository: team\/app/],
  ['repository', 'team/app:latest', /has a tag at its end\n.*moving-tags/],
  ['repository', 'team/app@sha256:00', /has a digest at its end/],
  ['repository', 'docker.io/team/app', /`docker.io` is not the host of a private Amazon ECR/],
  ['repository', 'public.ecr.aws/a/b', /`public.ecr.aws` is not the host/],
  ['repository', 'a', /`a` is no repository name/],
  ['create-repository', 'maybe', /`maybe` is neither true nor false\n.*create-repository: true/],
  ['tags', 'v 1', /`v 1` is no tag.*\n.*tags: v-1/],
  ['tags', '-x', /`-x` is no tag/],
  ['tags', 'x'.repeat(129), /is no tag/],
  ['tags', 'other/app:v1', /names another repository than `team\/app`\n.*tags: v1/],
  ['tags', 'content-0a', /begins as the tags that this action writes/],
  ['tags', 'latest', /in moving-tags too.*\nLeave latest out of tags/],
  ['moving-tags', 'la/test', /names another repository/],
  ['moving-tags', 'feature#1', /`feature#1` is no tag.*\n.*moving-tags: feature-1/],
  ['labels', 'nolabel', /`nolabel` is no key=value/],
  ['annotations', 'a', /`a` is no key=value/],
  ['annotations', 'top:a=b', /`top` is no level/],
  ['context', 'nowhere', /the folder `nowhere` is not there/],
  ['context', 'Dockerfile', /`Dockerfile` is a file, not a folder/],
  ['context', '-', /standard input/],
  ['file', 'docker/Dockerfile', /^file: the Dockerfile `docker\/Dockerfile` is not there/],
  ['context', 'conf', /^file: there is no Dockerfile in the context folder `conf`/],
  ['target', 'a b', /`a b` has a space/],
  ['platforms', 'linux-amd64\nlinux/amd64/v2/x', /`linux-amd64` is no platform/],
  ['build-args', '=x', /`=x` is no KEY=value/],
  ['build-contexts', 'base', /`base` is no name=path/],
  ['build-contexts', 'base=nowhere', /the folder `nowhere` of `base` is not there/],
  ['secrets', 'token=', /item 1 of 1 has an empty value\n.*defined for this repository/],
  ['secret-envs', 'token=NOT_SET', /names the variable NOT_SET, which is not set/],
  ['secret-envs', 'token=not a name', /`token` is no id=VARIABLE/],
  ['secret-files', 'token', /`token` is no id=path/],
  ['secret-files', 'token=nowhere', /the file `nowhere` of `token` is not there/],
  ['ssh', 'default', /none is running \(SSH_AUTH_SOCK is not set\)/],
  ['ssh', 'deploy=nowhere', /the key or socket `nowhere` of `deploy` is not there/],
  ['ssh', '=x', /neither default nor id=path/],
  ['network', 'mynet', /`mynet` is none of default, none, host.*\n.*driver-opts: network=NAME/],
  ['shm-size', 'big', /`big` is no size\n.*shm-size: 128m/],
  ['ulimit', 'nofiles=1', /`nofiles=1` is no limit=soft/],
  ['ulimit', 'nofile=2:1', /soft limit above the hard one/],
  ['add-hosts', 'db', /`db` is no host:address/],
  ['allow', 'everything', /`everything` is no entitlement/],
  ['cgroup-parent', 'a b', /has a space/],
  ['pull', '1', /`1` is neither true nor false/],
  ['no-cache', 'on', /`on` is neither true nor false/],
  ['load', 'x', /neither true nor false/],
  ['outputs', 'dest=out', /`dest=out` is no output of buildx/],
  ['provenance', 'mode=all', /mode is min or max/],
  ['provenance', 'all', /`all` is neither true, false nor attributes/],
  ['sbom', 'maybe', /`maybe` is neither true, false nor attributes/],
  ['attests', 'sbom', /`sbom` is no attestation/],
  ['call', 'cheque', /`cheque` is none of build, check/],
  ['skip-unchanged', 'x', /neither true nor false/],
  ['driver', 'docker_container', /\(docker-container\?\)\n.*driver: docker-container/],
  ['builder', 'a b', /`a b` is no builder's name/],
  ['buildx-version', 'newest', /`newest` is neither latest nor a version/],
  ['driver-opts', 'host', /`host` is no option=value/],
  ['buildkitd-config', 'nowhere.toml', /the file `nowhere.toml` is not there/],
  ['endpoint', 'buildkitd:1234', /`buildkitd:1234` is no address of a BuildKit service\n.*tcp:/],
  ['keep-state', 'x', /neither true nor false/],
  ['cleanup', 'x', /neither true nor false/],
  ['cache', 'ghs', /`ghs` is none of .*\(gha\?\)/],
  ['cache', 'type=gha', /`type=gha` is none of .*\n.*cache-from and cache-to/],
  ['cache', 'off,gha', /off stands beside gha/],
  ['cache', 's3', /^cache-bucket: is missing: cache: s3 needs a bucket/],
  ['cache-scope', 'a/b', /`a\/b` is no scope.*\n.*cache-scope: a-b/],
  ['cache-mode', 'maximum', /`maximum` is none of max, min/],
  ['cache-bucket', 's3://layers', /`s3:\/\/layers` is no bucket's name/],
  ['cache-prefix', '/x', /starts with \//],
  ['cache-region', 'here', /`here` is no AWS Region/],
  ['cache-repository', 'team/cache:tag', /is no repository's name or URI/],
  ['cache-write', 'sometimes', /`sometimes` is none of auto, always, never/],
  ['cache-from', 'scope=a', /`scope=a` has no type=/],
  ['cache-from', 'type=gha,token=abc', /has the attribute token: on a command line/],
  ['cache-to', 'type=s3,secret_access_key=abc', /has the attribute secret_access_key/],
  ['cache-mounts', 'pip', /`pip` is neither auto, off nor the absolute path/],
  ['pip-requirements', 'reqs.txt', /the file `reqs.txt` is not there/],
  ['pip-requirements', 'requirements.txt dev.txt', /One file a line/],
  ['pip-install', 'x', /neither true nor false/],
  ['pip-installer', 'poetry', /`poetry` is none of auto, pip, uv/],
  ['pip-cache-prefix', 'a,b', /`a,b` is no prefix/],
  ['order', 'in_turn', /`in_turn` is none of .*\(in-turn\?\)/],
  ['order-state', 'git', /`git` is none of github, registry, s3/],
  ['order-state', 's3', /^order-bucket: is missing: order-state: s3 needs a bucket/],
  ['order-job', 'a\nb', /more than one short line/],
  ['order-lane', 'x'.repeat(201), /more than one short line/],
  ['order-bucket', 'No', /`No` is no bucket's name/],
  ['order-timeout', '1s', /`1s` is no time span from 10s to 72h/],
  ['order-interval', 'often', /`often` is no time span from 1s to 10m/],
  ['lambda-functions', 'my function', /`function` is no canary/],
  ['lambda-functions', 'a,b', /`a,b` is no function.*\n.*One function a line/],
  ['lambda-functions', 'api:3', /names the version `3`/],
  ['lambda-functions', 'api:$LATEST', /names the version `\$LATEST`/],
  ['lambda-functions', 'x'.repeat(65), /is no function/],
  [
    'lambda-functions',
    'arn:aws:lambda:us-east-1:123456789012:function:api',
    /lies in us-east-1, the image in eu-west-1/,
  ],
  [
    'lambda-functions',
    'api canary=10%,5m',
    /has a canary but no alias.*\n.*api:live canary=10%,5m/,
  ],
  ['lambda-functions', 'api:live canary=100%,5m', /is no canary/],
  ['lambda-functions', 'api:live canary=10%', /is no canary/],
  ['lambda-functions', 'api:live\napi:live', /`api:live` is there twice/],
  ['lambda-publish', 'x', /neither true nor false/],
  ['lambda-invoke', '{ping}', /^lambda-invoke: is no JSON \(6 characters\)/],
  ['lambda-rollback', 'x', /neither true nor false/],
  ['lambda-timeout', '2h', /`2h` is no time span from 10s to 1h/],
  ['dry-run', 'x', /neither true nor false/],
  ['summary', 'x', /neither true nor false/],
  ['build-record', 'x', /neither true nor false/],
  ['cacert', 'nowhere.pem', /^cacert: is neither a PEM text/],
];

test.each(cases)('%s: %j is refused', (name, value, wanted, given = {}) => {
  const found = problemsOf({ [name]: value }, given);
  const said = found.filter((problem) => wanted.test(problem));
  expect({ found, said }).toMatchObject({ said: [expect.any(String)] });
  // One may miss another as its consequence (a certificate its endpoint); no other input complains.
  const fine = new Set([name, 'endpoint', ...said.map(inputOf)]);
  expect(found.filter((problem) => !fine.has(inputOf(problem)))).toEqual([]);
});

function inputOf(problem: string): string {
  return problem.slice(0, problem.indexOf(':'));
}

test('a missing Region, said once, with an example', () => {
  expect(problemsOf({ repository: 'team/app' }, { bare: true })).toEqual([
    'aws-region: is missing\nExample: aws-region: eu-west-1',
  ]);
});

test('all problems are reported together', () => {
  const found = problemsOf({
    repository: 'Team',
    'aws-region': 'x',
    'role-to-assume': 'y',
    'lambda-functions': 'a b',
    cache: 'z',
    context: 'nowhere',
  });
  const names = [
    'aws-region',
    'cache',
    'context',
    'lambda-functions',
    'repository',
    'role-to-assume',
  ];
  expect(new Set(found.map(inputOf))).toEqual(new Set(names));
  expect(found).toHaveLength(names.length);
});

test('an empty workspace is told from a wrong path', () => {
  expect(problemsOf({}, { files: {} }).join()).toMatch(
    /workspace is empty: put `- uses: actions\/checkout/,
  );
});

test('a Dockerfile named from inside its context is found out', () => {
  const files = { 'app/docker/Dockerfile': 'FROM scratch' };
  const [problem] = problemsOf({ context: 'app', file: 'docker/Dockerfile' }, { files });
  expect(problem).toMatch(/Example: file: app\/docker\/Dockerfile/);
});

test('an open quote names its input and shows no content', () => {
  const [problem = ''] = problemsOf({ secrets: '"token=geheim\nnever closed' });
  expect(problem).toMatch(/^secrets: the list can't be read .*Quote Not Closed/);
  expect(problem).not.toContain('geheim');
});
