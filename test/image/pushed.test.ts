import { describe, expect, test } from 'vitest';
import { DOCKER_LIST, isIndex, OCI_INDEX, OCI_MANIFEST } from '../../src/image/media-types.ts';
import { childrenOf, platformName, readImageManifest } from '../../src/image/pushed.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('children of an index', () => {
  test('are its images; attestations have the platform unknown/unknown', () => {
    const body = JSON.stringify({
      manifests: [
        { digest: 'sha256:1', platform: { os: 'linux', architecture: 'amd64' } },
        { digest: 'sha256:2', platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
        { digest: 'sha256:3', platform: { os: 'unknown', architecture: 'unknown' } },
      ],
    });
    expect(childrenOf({ digest, body })).toEqual([
      { digest: 'sha256:1', platform: 'linux/amd64' },
      { digest: 'sha256:2', platform: 'linux/arm64/v8' },
    ]);
  });

  test('are none of what is not JSON: the digest is named', () => {
    expect(() => childrenOf({ digest, body: '<html>' })).toThrow(
      `The manifest ${digest} is not JSON`,
    );
  });
});

describe('an image manifest', () => {
  test('tells its config, its layers and their bytes', () => {
    const body = JSON.stringify({
      config: { digest: 'sha256:c' },
      layers: [
        { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', size: 3 },
        { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', size: 4 },
      ],
    });
    expect(readImageManifest({ digest, mediaType: OCI_MANIFEST, body })).toEqual({
      configDigest: 'sha256:c',
      layerMediaTypes: [
        'application/vnd.oci.image.layer.v1.tar+gzip',
        'application/vnd.oci.image.layer.v1.tar+zstd',
      ],
      bytes: 7,
    });
  });

  test('is not an index', () => {
    expect(() => readImageManifest({ digest, mediaType: OCI_INDEX, body: '{}' })).toThrow(
      `${digest} is no image manifest but ${OCI_INDEX}`,
    );
  });
});

test('both kinds of index are known as such', () => {
  expect([OCI_INDEX, DOCKER_LIST, OCI_MANIFEST].map(isIndex)).toEqual([true, true, false]);
});

test('a platform without an OS is Linux', () => {
  expect(platformName({ architecture: 'amd64' })).toBe('linux/amd64');
});
