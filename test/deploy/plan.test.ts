import { describe, expect, test } from 'vitest';
import { checkImage } from '../../src/deploy/image-check.ts';
import { lifecycleThreat } from '../../src/deploy/lifecycle.ts';
import type { FunctionPlan } from '../../src/deploy/plan.ts';
import {
  parseFunctionReference,
  plainRepository,
  registryPlace,
  sameImage,
} from '../../src/deploy/reference.ts';
import { explain } from '../../src/errors.ts';
import type { PlatformImage, PushedImage } from '../../src/image/plan.ts';

const oci = 'application/vnd.oci.image.manifest.v1+json';
const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
const hex = (letter: string) => `sha256:${letter.repeat(64)}`;

describe('function references', () => {
  test.each([
    ['app', { name: 'app', region: undefined, account: undefined }],
    ['function:app', { name: 'app', region: undefined, account: undefined }],
    ['123456789012:function:app', { name: 'app', region: undefined, account: '123456789012' }],
    [
      'arn:aws-cn:lambda:cn-north-1:123456789012:function:app',
      { name: 'app', region: 'cn-north-1', account: '123456789012' },
    ],
    ['a/b', undefined],
    ['arn:aws:s3:::bucket', undefined],
    ['', undefined],
  ])('%s', (text, reference) => {
    expect(parseFunctionReference(text)).toEqual(reference);
  });
});

describe('repository hosts', () => {
  const plain = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app';
  test.each([
    [plain, plain],
    [
      '123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/a',
      '123456789012.dkr.ecr.us-east-1.amazonaws.com/a',
    ],
    ['123456789012.dkr-ecr.eu-west-1.on.aws/team/app', plain],
    [
      '123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/a',
      '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a',
    ],
    ['127.0.0.1:5000/app', '127.0.0.1:5000/app'],
  ])('%s as Lambda takes it', (given, taken) => {
    expect(plainRepository(given)).toBe(taken);
  });

  test('account and Region of any door', () => {
    expect(registryPlace('123456789012.dkr-ecr.eu-west-1.on.aws')).toEqual({
      account: '123456789012',
      region: 'eu-west-1',
    });
    expect(registryPlace('127.0.0.1:5000')).toBeUndefined();
  });

  test('the same image by two doors is the same', () => {
    expect(
      sameImage(
        `123456789012.dkr-ecr.eu-west-1.on.aws/team/app@${hex('a')}`,
        `${plain}@${hex('a')}`,
      ),
    ).toBe(true);
    expect(sameImage(`${plain}@${hex('b')}`, `${plain}@${hex('a')}`)).toBe(false);
    expect(sameImage(undefined, `${plain}@${hex('a')}`)).toBe(false);
  });
});

function plan(architecture: string, label = 'app'): FunctionPlan {
  return {
    target: { name: label, alias: undefined, canary: undefined },
    label,
    name: label,
    digest: undefined,
    alias: undefined,
    aliasImage: undefined,
    view: {
      name: label,
      arn: `arn:aws:lambda:eu-west-1:123456789012:function:${label}`,
      packageType: 'Image',
      architecture,
      state: 'Active',
      stateReason: undefined,
      stateReasonCode: undefined,
      lastUpdateStatus: 'Successful',
      lastUpdateStatusReason: undefined,
      lastUpdateStatusReasonCode: undefined,
      revisionId: '1',
      codeSha256: '',
      resolvedImageUri: undefined,
      imageUri: undefined,
      version: '$LATEST',
    },
  };
}

function platform(architecture: string, change: Partial<PlatformImage> = {}): PlatformImage {
  return {
    platform: `linux/${architecture}`,
    architecture,
    digest: hex(architecture === 'arm64' ? 'b' : 'a'),
    mediaType: oci,
    layerMediaTypes: [gzip],
    bytes: 50_000_000,
    ...change,
  };
}

function pushed(platforms: readonly PlatformImage[], repository?: string): PushedImage {
  return {
    repository: repository ?? '123456789012.dkr.ecr.eu-west-1.amazonaws.com/app',
    digest: hex('f'),
    mediaType: oci,
    index: true,
    platforms,
  };
}

describe('the image for each function', () => {
  const refusal = (plans: readonly FunctionPlan[], image: PushedImage): string => {
    try {
      checkImage(plans, image);
    } catch (error) {
      return explain(error);
    }
    throw new Error('was accepted');
  };

  test('is the platform image of its own architecture', () => {
    const { goals, warnings } = checkImage(
      [plan('arm64', 'one'), plan('x86_64', 'two')],
      pushed([platform('amd64'), platform('arm64', { platform: 'linux/arm64/v8' })]),
    );
    expect(goals.map(({ imageUri }) => imageUri.split('@')[1])).toEqual([hex('b'), hex('a')]);
    expect(warnings).toEqual([]);
  });

  test('is refused when the architecture is missing, for all functions at once', () => {
    const text = refusal(
      [plan('arm64', 'one'), plan('arm64', 'two'), plan('x86_64', 'three')],
      pushed([platform('amd64')]),
    );
    expect(text).toContain("The image doesn't fit 2 functions; nothing was changed.");
    expect(text).toContain("one: the function's architecture is arm64");
    expect(text).toContain('has linux/amd64 only');
    expect(text).toContain('exec format error');
    expect(text).toContain('Add linux/arm64 to `platforms`');
  });

  test('is refused when the repository is in another Region', () => {
    const text = refusal(
      [plan('x86_64')],
      pushed([platform('amd64')], '123456789012.dkr.ecr.us-east-1.amazonaws.com/app'),
    );
    expect(text).toContain('the function is in Region eu-west-1');
    expect(text).toContain('in us-east-1');
  });

  test.each([
    ['an index', { mediaType: 'application/vnd.oci.image.index.v1+json' }, 'image manifests only'],
    ['an artifact', { layerMediaTypes: ['application/vnd.in-toto+json'] }, 'no file system layer'],
  ])('is refused when it is %s', (_name, change, says) => {
    expect(refusal([plan('x86_64')], pushed([platform('amd64', change)]))).toContain(says);
  });

  test.each([
    ['zstd layers', { layerMediaTypes: ['application/vnd.oci.image.layer.v1.tar+zstd'] }, 'zstd'],
    ['4 GiB compressed', { bytes: 4 * 1024 ** 3 }, 'perhaps more than'],
    ['11 GiB compressed', { bytes: 11 * 1024 ** 3 }, 'it will refuse this image'],
  ])('warns of %s', (_name, change, says) => {
    const { goals, warnings } = checkImage(
      [plan('x86_64'), plan('x86_64', 'other')],
      pushed([platform('amd64', change)]),
    );
    expect(goals.length).toBe(2);
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toContain(says);
  });

  test('a Docker v2 manifest is fine', () => {
    const docker = platform('amd64', {
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      layerMediaTypes: ['application/vnd.docker.image.rootfs.diff.tar.gzip'],
    });
    expect(checkImage([plan('x86_64')], pushed([docker])).goals.length).toBe(1);
  });
});

describe('lifecycle rules', () => {
  const rule = (
    rulePriority: number,
    selection: Record<string, unknown>,
    action: Record<string, unknown> = { type: 'expire' },
  ) => ({ rulePriority, selection, action });
  const count = { countType: 'imageCountMoreThan', countNumber: 10 };
  const days = { countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 };
  const threat = (rules: readonly unknown[], tags: readonly string[]) =>
    lifecycleThreat(JSON.stringify({ rules }), tags);

  test.each([
    ['any, by count', [rule(1, { tagStatus: 'any', ...count })], 'once 10 newer images are there'],
    ['any, by age', [rule(1, { tagStatus: 'any', ...days })], '14 days after its push'],
    [
      'a prefix one of its tags has',
      [rule(1, { tagStatus: 'tagged', tagPrefixList: ['run-'], ...count })],
      'Lifecycle rule 1',
    ],
    [
      'a pattern one of its tags has',
      [rule(1, { tagStatus: 'tagged', tagPatternList: ['run-*'], ...count })],
      'Lifecycle rule 1',
    ],
    [
      'the first by priority decides, whatever the order of writing',
      [
        rule(9, { tagStatus: 'any', ...count }),
        rule(2, { tagStatus: 'tagged', tagPrefixList: ['abc'], ...days }),
      ],
      'Lifecycle rule 2',
    ],
  ])('%s: told', (_name, rules, says) => {
    expect(threat(rules, ['abc', 'run-7'])).toContain(says);
  });

  test.each([
    ['untagged images only', [rule(1, { tagStatus: 'untagged', ...days })]],
    ['another prefix', [rule(1, { tagStatus: 'tagged', tagPrefixList: ['dev-'], ...count })]],
    [
      'two prefixes, of which it has one',
      [rule(1, { tagStatus: 'tagged', tagPrefixList: ['run-', 'dev-'], ...count })],
    ],
    [
      'an earlier rule archives it only',
      [rule(1, { tagStatus: 'any', ...days }, { type: 'transition' })],
    ],
    ['no rules', []],
  ])('%s: nothing to tell', (_name, rules) => {
    expect(threat(rules, ['abc', 'run-7'])).toBeUndefined();
  });

  test('an untagged image', () => {
    expect(threat([rule(1, { tagStatus: 'untagged', ...days })], [])).toContain('14 days');
    expect(
      threat([rule(1, { tagStatus: 'tagged', tagPrefixList: ['a'], ...days })], []),
    ).toBeUndefined();
  });

  test('text that is no policy', () => {
    expect(lifecycleThreat('{', [])).toContain('no JSON');
  });
});
