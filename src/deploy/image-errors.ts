import type { Row, Situation } from './errors.ts';
import { imageActions, repositoryArn, statement } from './permissions.ts';
import { digestOf } from './reference.ts';

function repositoryOf(at: Situation): string {
  return at.imageUri?.split('@')[0] ?? 'host/REPOSITORY';
}

/** The two sides on which access to an image can be missing. */
export function imageAccessHint(at: Situation): string {
  const partition = at.view?.arn.split(':')[1] ?? 'aws';
  const account = at.view?.arn.split(':')[4];
  return [
    'Add to the policy of the role that this run uses:',
    statement(imageActions, [repositoryArn(repositoryOf(at), partition)]),
    "and, when the repository is in another account or has a policy of its own, to the repository's policy:",
    statement(['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'], undefined, {
      Service: 'lambda.amazonaws.com',
      ...(account === undefined ? {} : { AWS: `arn:${partition}:iam::${account}:root` }),
    }),
  ].join('\n');
}

/**
 * What Lambda says about images: at once as an exception's message, or later as the reason of a
 * failed update. The texts are AWS's.
 */
export const imageRows: readonly Row[] = [
  {
    row: 'media type',
    fits: ({ message }) =>
      /manifest, config or layer media type .* is not supported/i.test(message),
    tell: (failure, at) => ({
      message: `Lambda doesn't take this image's media type. It takes single images only, no index (multi-platform images and attestations make one). AWS says: ${failure.message}`,
      hint: /index|list/.test(at.mediaType ?? '')
        ? 'The digest is an index: one of its platform images is needed. This action picks it by the architecture, so please report this.'
        : 'Layers other than gzip are the usual cause: build with `outputs: type=image,compression=gzip,force-compression=true`.',
    }),
  },
  {
    row: 'image does not exist',
    fits: ({ message }) => /source image .* does not exist/i.test(message),
    tell: (failure, at) => ({
      message: `Lambda can't find the image${digestOf(at.imageUri) === undefined ? '' : ` ${digestOf(at.imageUri) ?? ''}`}. AWS says: ${failure.message}`,
      hint: 'It was in the repository when this run looked: a lifecycle rule or a person may have removed it since. Run again to push it anew, and look at the lifecycle policy.',
    }),
  },
  {
    row: 'image URI not valid',
    fits: ({ message }) => /source image .* is not valid/i.test(message),
    tell: (failure, at) => ({
      message: `Lambda doesn't take the image's address. AWS says: ${failure.message}`,
      hint: `The repository must be in the function's Region (${at.region ?? 'see aws-region'}) and be given by its plain host, not a FIPS one: ${repositoryOf(at)}.`,
    }),
  },
  {
    row: 'no permission to access the ECR image',
    fits: ({ message }) => /does not have permission to access the ECR image/i.test(message),
    tell: (failure, at) => ({
      message: `Lambda may not read the image from ECR. AWS says: ${failure.message}`,
      hint: imageAccessHint(at),
    }),
  },
  {
    row: 'image too large',
    fits: ({ message }) => /SizeLimitExceeded|image size exceeds/i.test(message),
    tell: (failure) => ({
      message: `the image is larger than Lambda takes: 10 GiB uncompressed over all layers. AWS says: ${failure.message}`,
      hint: 'Make it smaller: a multi-stage build, a slim base image, `pip install --no-cache-dir`, a .dockerignore.',
    }),
  },
  {
    row: 'layer not usable',
    fits: ({ message }) => /ImageLayerFailure|UnsupportedImageLayerDetected/i.test(message),
    tell: (failure) => ({
      message: `Lambda can't unpack a layer of the image. AWS says: ${failure.message}`,
      hint: 'Layers must be gzip or plain tar, without foreign or encrypted ones: build with `outputs: type=image,compression=gzip,force-compression=true`.',
    }),
  },
  {
    row: 'package type Zip',
    fits: ({ message }) => /packageType Zip/i.test(message),
    tell: (failure) => ({
      message: `the function is of package type Zip, which is fixed when a function is created. AWS says: ${failure.message}`,
      hint: 'Create a new function with package type Image and move its triggers, or take this one out of `lambda-functions`.',
    }),
  },
  {
    row: 'image deleted',
    fits: ({ message }) => /trying to use a deleted image/i.test(message),
    tell: (failure) => ({
      message: `the image the function runs was removed from its repository. AWS says: ${failure.message}`,
      hint: 'Deploying an image that exists cures it. Keep deployed images: give them a tag that a lifecycle rule of higher priority keeps.',
    }),
  },
];
