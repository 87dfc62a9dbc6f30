import type { StoredImage } from './images.ts';

const docker = 'application/vnd.docker.distribution.manifest.v2+json';
const oci = 'application/vnd.oci.image.manifest.v1+json';

const types: readonly (readonly [docker: string, oci: string])[] = [
  [docker, oci],
  ['application/vnd.docker.container.image.v1+json', 'application/vnd.oci.image.config.v1+json'],
  [
    'application/vnd.docker.image.rootfs.diff.tar.gzip',
    'application/vnd.oci.image.layer.v1.tar+gzip',
  ],
];

/** What ECR shows of an image for a read by tag: another format when only that one is accepted. */
export function convert(
  image: StoredImage,
  accepted: readonly string[] | undefined,
): { manifest: string; mediaType: string } {
  if (accepted === undefined || accepted.includes(image.mediaType)) return image;
  const toOci = image.mediaType === docker && accepted.includes(oci);
  const toDocker = image.mediaType === oci && accepted.includes(docker);
  if (!toOci && !toDocker) return image;
  let manifest = image.manifest;
  for (const [one, other] of types) {
    manifest = manifest.replaceAll(toOci ? one : other, toOci ? other : one);
  }
  return { manifest, mediaType: toOci ? oci : docker };
}
