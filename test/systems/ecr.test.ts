import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { explain } from '../../src/errors.ts';
import { TagImmutableError, tagIsFixed } from '../../src/systems/ecr.ts';
import type { AwsSandbox } from '../sandbox/aws/index.ts';
import { ecrOf, manifestOf, openAws } from './aws-kit.ts';

let aws: AwsSandbox;
let name = '';
let count = 0;

beforeAll(async () => {
  aws = await openAws();
});
afterAll(() => aws.close());
beforeEach(() => {
  aws.faults.clear();
  count += 1;
  name = `team/app-${count}`;
  aws.ecr.createRepository(name);
});

test('login returns host, user and a masked password', async () => {
  const ecr = ecrOf(aws);
  const login = await ecr.login();
  expect(login).toMatchObject({ host: aws.registryHost, endpoint: aws.url, username: 'AWS' });
  expect(ecr.masked).toContain(login.password);
  expect(login.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 11 * 3600_000);
});

test('a denied login says which statement is missing', async () => {
  aws.faults.deny('ecr:GetAuthorizationToken');
  const error = await ecrOf(aws)
    .login()
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('The ECR login failed: permission ecr:GetAuthorizationToken');
  expect(explain(error)).toContain('"Resource": "*"');
});

test('repository: found with its mutability, or undefined', async () => {
  aws.ecr.setMutability(name, 'IMMUTABLE_WITH_EXCLUSION', ['latest', 'cache-*']);
  const ecr = ecrOf(aws);
  expect(await ecr.repository(name)).toEqual({
    name,
    arn: `arn:aws:ecr:eu-west-1:123456789012:repository/${name}`,
    uri: `${aws.registryHost}/${name}`,
    registryId: '123456789012',
    mutability: 'IMMUTABLE_WITH_EXCLUSION',
    exclusionFilters: ['latest', 'cache-*'],
  });
  expect(await ecr.repository('no/such')).toBeUndefined();
});

test.for([
  ['MUTABLE', [], 'latest', false],
  ['IMMUTABLE', [], 'latest', true],
  ['IMMUTABLE', ['latest'], 'latest', true],
  ['MUTABLE_WITH_EXCLUSION', ['run-*'], 'run-7', true],
  ['MUTABLE_WITH_EXCLUSION', ['run-*'], 'latest', false],
  ['IMMUTABLE_WITH_EXCLUSION', ['latest', 'c.d-*'], 'latest', false],
  ['IMMUTABLE_WITH_EXCLUSION', ['latest', 'c.d-*'], 'c.d-1', false],
  ['IMMUTABLE_WITH_EXCLUSION', ['latest', 'c.d-*'], 'cxd-1', true],
] as const)('%s with %j: tag %s is fixed: %s', ([mutability, exclusionFilters, tag, fixed]) => {
  expect(tagIsFixed({ mutability, exclusionFilters }, tag)).toBe(fixed);
});

test('createRepository: movable tags, untagged images expire; a repository of another run is taken', async () => {
  const ecr = ecrOf(aws);
  const made = await ecr.createRepository('new/one');
  expect(made).toMatchObject({ name: 'new/one', mutability: 'MUTABLE' });
  expect(await ecr.lifecyclePolicy('new/one')).toContain('"tagStatus":"untagged"');
  expect((await ecr.createRepository('new/one')).arn).toBe(made.arn);
  expect(ecr.notices).toEqual([]);
});

test('createRepository works without the permission for its lifecycle policy', async () => {
  aws.faults.deny('ecr:PutLifecyclePolicy');
  const ecr = ecrOf(aws);
  await ecr.createRepository('new/two');
  expect(ecr.notices.join()).toContain('without a lifecycle policy');
});

test('createRepository refused by ECR', async () => {
  const error = await ecrOf(aws)
    .createRepository('Bad/Name')
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('must satisfy regular expression');
});

test('tagDigests asks 100 at a time, exact bytes come back by digest', async () => {
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  const two = manifestOf('two');
  await ecr.putTag(name, 'a-1', one);
  await ecr.putTag(name, 'a-205', two);
  const asked = aws.requests.length;
  const tags = Array.from({ length: 230 }, (_, at) => `a-${at}`);
  expect(await ecr.tagDigests(name, tags)).toEqual(
    new Map([
      ['a-1', one.digest],
      ['a-205', two.digest],
    ]),
  );
  expect(aws.requests.slice(asked).map(({ action }) => action)).toEqual(
    Array(3).fill('ecr:BatchGetImage'),
  );
  expect(await ecr.manifest(name, one.digest)).toEqual(one);
  expect(await ecr.manifest(name, manifestOf('three').digest)).toBeUndefined();
  expect(await ecr.tagDigests(name, [])).toEqual(new Map());
});

test('putTag moves a tag, the same again is success, the old image stays', async () => {
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  const two = manifestOf('two');
  await ecr.putTag(name, 'latest', one);
  await ecr.putTag(name, 'latest', two);
  await ecr.putTag(name, 'latest', two);
  expect(aws.ecr.tags(name).get('latest')).toBe(two.digest);
  expect(await ecr.manifest(name, one.digest)).toEqual(one);
  expect(await ecr.tagsOf(name, one.digest)).toEqual([]);
  expect(await ecr.tagsOf(name, two.digest)).toEqual(['latest']);
  expect(await ecr.tagsOf(name, manifestOf('never').digest)).toEqual([]);
});

test('putTag survives a lost answer: the retry finds the image there', async () => {
  const one = manifestOf('lost');
  aws.faults.next('ecr:PutImage', { lostAnswer: true });
  const asked = aws.requests.length;
  await ecrOf(aws).putTag(name, 'latest', one);
  expect(aws.requests.slice(asked).map(({ status }) => status)).toEqual([200, 400]);
  expect(aws.ecr.tags(name).get('latest')).toBe(one.digest);
});

test('putTag on an immutable tag: same digest is success, another a TagImmutableError', async () => {
  aws.ecr.setMutability(name, 'IMMUTABLE_WITH_EXCLUSION', ['latest']);
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  await ecr.putTag(name, 'run-1', one);
  await ecr.putTag(name, 'run-1', one);
  const error = await ecr.putTag(name, 'run-1', manifestOf('two')).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(TagImmutableError);
  expect(error).toMatchObject({ tag: 'run-1', digest: one.digest });
  expect(explain(error)).toContain(
    `The image tag 'run-1' already exists in the '${name}' repository and cannot be overwritten because the tag is immutable.`,
  );
  await ecr.putTag(name, 'latest', one);
  await ecr.putTag(name, 'latest', manifestOf('two'));
});

test('ImageTagAlreadyExists on the same digest is success', async () => {
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  await ecr.putTag(name, 'run-1', one);
  aws.faults.next('ecr:PutImage', {
    status: 400,
    code: 'ImageTagAlreadyExistsException',
    message: `The image tag 'run-1' already exists in the '${name}' repository and cannot be overwritten because the repository is immutable.`,
  });
  await ecr.putTag(name, 'run-1', one);
});

test('deleteTags removes tags and, with the last one, the image; missing ones are fine', async () => {
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  await ecr.putTag(name, 'a', one);
  await ecr.putTag(name, 'b', one);
  await ecr.deleteTags(name, ['a', 'gone']);
  expect(await ecr.tagsOf(name, one.digest)).toEqual(['b']);
  await ecr.deleteTags(name, ['b']);
  expect(await ecr.manifest(name, one.digest)).toBeUndefined();
});

test('tagged lists tags with a prefix over several pages', async () => {
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  const two = manifestOf('two');
  await ecr.putTag(name, 'lane-a.1.1', one);
  await ecr.putTag(name, 'latest', one);
  await ecr.putTag(name, 'lane-a.2.1', two);
  expect(await ecr.tagged(name, 'lane-a.')).toEqual(
    new Map([
      ['lane-a.1.1', one.digest],
      ['lane-a.2.1', two.digest],
    ]),
  );
});

test('lifecyclePolicy: text, none, or not allowed to look', async () => {
  const ecr = ecrOf(aws);
  expect(await ecr.lifecyclePolicy(name)).toBeUndefined();
  aws.ecr.setLifecyclePolicy(name, '{"rules":[]}');
  expect(await ecr.lifecyclePolicy(name)).toBe('{"rules":[]}');
  aws.faults.deny('ecr:GetLifecyclePolicy');
  expect(await ecr.lifecyclePolicy(name)).toBeUndefined();
});

test('a missing repository is named, with its Region', async () => {
  const ecr = ecrOf(aws);
  for (const work of [
    () => ecr.tagDigests('no/such', ['a']),
    () => ecr.putTag('no/such', 'a', manifestOf('one')),
    () => ecr.deleteTags('no/such', ['a']),
    () => ecr.tagsOf('no/such', manifestOf('one').digest),
    () => ecr.tagged('no/such', ''),
  ]) {
    const error = await work().catch((e: unknown) => e);
    expect(explain(error)).toContain('There is no ECR repository "no/such" in Region eu-west-1.');
    expect(explain(error)).toContain('create-repository');
  }
});

test('too many tags on one image: the quota is explained and AWS’s name kept', async () => {
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  aws.ecr.setTagsPerImage(1);
  await ecr.putTag(name, 'a', one);
  const error = await ecr.putTag(name, 'b', one).catch((e: unknown) => e);
  aws.ecr.setTagsPerImage(1000);
  expect(explain(error)).toContain('1,000 tags');
  expect((error as Error).cause).toMatchObject({ name: 'LimitExceededException' });
});

test('an index whose parts are gone can’t be tagged', async () => {
  aws.faults.next('ecr:PutImage', {
    status: 400,
    code: 'ReferencedImagesNotFoundException',
    message: 'gone',
  });
  const error = await ecrOf(aws)
    .putTag(name, 'a', manifestOf('one'))
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('parts of the image are not in the repository');
});

test('denied PutImage: the statement to paste names action, repository and role', async () => {
  aws.faults.deny('ecr:PutImage');
  const error = await ecrOf(aws)
    .putTag(name, 'latest', manifestOf('one'))
    .catch((e: unknown) => e);
  expect(explain(error)).toContain('permission ecr:PutImage is missing');
  expect(explain(error)).toContain(
    `"Resource": "arn:aws:ecr:eu-west-1:123456789012:repository/${name}"`,
  );
});

test('a throttled call is tried again', async () => {
  aws.faults.next('ecr:PutImage', {
    status: 400,
    code: 'ThrottlingException',
    message: 'Rate exceeded',
    times: 2,
  });
  await ecrOf(aws).putTag(name, 'latest', manifestOf('one'));
});

test('a tag read that leaves a tag out is asked again alone', async () => {
  const ecr = ecrOf(aws);
  const one = manifestOf('one');
  await ecr.putTag(name, 'a', one);
  await ecr.putTag(name, 'b', one);
  aws.ecr.setOneEntryPerImage(true);
  expect((await ecr.tagDigests(name, ['a', 'b', 'c', 'a'])).size).toBe(2);
  aws.ecr.setOneEntryPerImage(false);
});
