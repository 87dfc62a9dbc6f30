import type { AwsHost, FoundImage } from '../service.ts';
import type { Code, Timeline } from './functions.ts';

/** A refusal with AWS's exception name and words. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function invalid(message: string): Refusal {
  return new Refusal(400, 'InvalidParameterValueException', message);
}

const singleManifests = new Set([
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
]);
const layerTypes = /^application\/vnd\.(docker\.image\.rootfs|oci\.image\.layer)\./;

/**
 * Lambda's checks of `ImageUri`, in its words. What it finds out only while it prepares the image
 * (layers it can't use) comes later, as the timeline of a failed update.
 */
export async function resolveImage(
  host: AwsHost,
  uri: string,
  architecture: string,
): Promise<{ code: Code; timeline: Timeline | undefined; image: FoundImage }> {
  const parsed =
    /^(?<registry>[^/]+)\/(?<name>[^@:]+)(?:@(?<digest>sha256:[0-9a-f]{64})|:[^@]+)$/.exec(uri);
  const registry = parsed?.groups?.['registry'] ?? '';
  const region = /\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\./.exec(registry)?.[1];
  if (
    parsed === null ||
    !/[.:]/.test(registry) ||
    registry.includes('ecr-fips') ||
    (region !== undefined && region !== host.region)
  ) {
    throw invalid(`Source image ${uri} is not valid. Provide a valid source image.`);
  }
  const image = await host.image(uri);
  if (image === undefined) {
    throw invalid(`Source image ${uri} does not exist. Provide a valid source image.`);
  }
  if (!singleManifests.has(image.mediaType)) {
    throw invalid(
      `The image manifest, config or layer media type for the source image ${uri} is not supported.`,
    );
  }
  const { layers = [] } = JSON.parse(image.manifest) as {
    layers?: { mediaType: string; digest: string }[];
  };
  const odd = layers.find(({ mediaType }) => !layerTypes.test(mediaType));
  return {
    image,
    code: {
      imageUri: uri,
      resolvedImageUri: `${uri.split('@')[0]?.replace(/:[^:/]+$/, '') ?? ''}@${image.digest}`,
      codeSha256: image.digest.replace('sha256:', ''),
      architecture,
    },
    timeline:
      odd === undefined
        ? undefined
        : {
            failed: {
              code: 'InvalidImage',
              reason: `InvalidImage: ImageLayerFailure: UnsupportedImageLayerDetected - Layer Digest ${odd.digest}`,
            },
          },
  };
}
