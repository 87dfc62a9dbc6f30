import { afterAll, beforeAll, expect, test } from 'vitest';
import { ecrOf, manifestOf, openAws } from '../../systems/aws-kit.ts';
import { convert } from './convert.ts';
import { digestOf, startAws, type AwsSandbox } from './index.ts';

let aws: AwsSandbox;

beforeAll(async () => {
  aws = await openAws();
});
afterAll(() => aws.close());

test('of many puts of one immutable tag at once, one wins', async () => {
  aws.ecr.createRepository('race', 'IMMUTABLE');
  const ecr = ecrOf(aws);
  const tries = Array.from({ length: 6 }, (_, at) => ecr.putTag('race', 'v1', manifestOf(`${at}`)));
  const ended = await Promise.allSettled(tries);
  expect(ended.filter(({ status }) => status === 'fulfilled').length).toBe(1);
});

test('a held call waits for its release, others pass', async () => {
  aws.ecr.createRepository('held');
  const ecr = ecrOf(aws);
  const held = aws.faults.hold('ecr:PutImage');
  const put = ecr.putTag('held', 'latest', manifestOf('a'));
  await held.reached;
  await ecr.putTag('held', 'latest', manifestOf('b'));
  held.release();
  await put;
  expect(aws.ecr.tags('held').get('latest')).toBe(manifestOf('a').digest);
});

test('calls without credentials, with unknown ones, and to nothing at all', async () => {
  const call = async (authorization?: string) => {
    const answer = await fetch(aws.url, {
      method: 'POST',
      headers: {
        'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.DescribeRepositories',
        ...(authorization !== undefined && { authorization }),
      },
      body: '{}',
    });
    const { __type: type } = (await answer.json()) as { __type: string };
    return [answer.status, type];
  };
  expect(await call()).toEqual([400, 'MissingAuthenticationTokenException']);
  expect(await call('AWS4-HMAC-SHA256 Credential=AKIAX/20260101/r/ecr/aws4_request')).toEqual([
    400,
    'UnrecognizedClientException',
  ]);
  expect((await fetch(`${aws.url}/nothing`)).status).toBe(404);
});

test('an index lists its images: they stay when it loses its tag, and it goes', async () => {
  aws.ecr.createRepository('index');
  const ecr = ecrOf(aws);
  const child = manifestOf('child');
  await ecr.putTag('index', 'child', child);
  const body = JSON.stringify({ schemaVersion: 2, manifests: [{ digest: child.digest }] });
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  await ecr.putTag('index', 'all', { body, mediaType, digest: digestOf(body) });
  await ecr.deleteTags('index', ['child']);
  expect(aws.ecr.image('index', child.digest)).toBeDefined();
  await ecr.deleteTags('index', ['all']);
  expect(aws.ecr.image('index', digestOf(body))).toBeUndefined();
  expect(aws.ecr.image('index', child.digest)).toBeDefined();
});

test('a read by tag converts what the caller does not accept', () => {
  const image = { ...manifestOf('x'), manifest: manifestOf('x').body, pushedAt: 0 };
  const docker = 'application/vnd.docker.distribution.manifest.v2+json';
  expect(convert(image, [image.mediaType, docker])).toBe(image);
  const converted = convert(image, [docker]);
  expect(converted.mediaType).toBe(docker);
  expect(converted.manifest).toContain('application/vnd.docker.container.image.v1+json');
});

test('two stand-ins over one registry are apart', async () => {
  const other = await startAws({ registryHost: aws.registryHost, account: '222222222222' });
  expect(other.ecr.repositories()).toEqual([]);
  await other.close();
});
