import { ActionError } from '../errors.ts';
import type { PlatformImage, PushedImage } from '../image/plan.ts';
import type { FunctionPlan, Goal } from './plan.ts';
import { plainRepository, registryPlace } from './reference.ts';
import { throwAll } from './preflight.ts';

/** Lambda's architecture names and those of image configs. */
const configArchitecture: Readonly<Record<string, string | undefined>> = {
  x86_64: 'amd64',
  arm64: 'arm64',
};

const acceptedManifests = new Set([
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
]);

const layerType = /^application\/vnd\.(docker\.image\.rootfs|oci\.image\.layer)\./;
const gibibyte = 1024 ** 3;

/**
 * Chooses for each function the platform image of its own architecture, and checks what Lambda would
 * refuse (or, worse, accept and fail at the first invocation: another architecture).
 *
 * @returns one goal a function, and what the user should know although it stops nothing.
 * @throws ActionError or Problems with all mismatches.
 */
export function checkImage(
  plans: readonly FunctionPlan[],
  image: PushedImage,
): { goals: readonly Goal[]; warnings: readonly string[] } {
  const problems: Error[] = [];
  const warnings = new Set<string>();
  const goals: Goal[] = [];
  for (const plan of plans) {
    const child = childFor(plan, image);
    if (child instanceof Error) {
      problems.push(child);
      continue;
    }
    const problem = problemOf(plan, image, child);
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    for (const warning of warningsOf(image, child)) warnings.add(warning);
    goals.push({
      plan,
      child,
      imageUri: `${plainRepository(image.repository)}@${child.digest}`,
    });
  }
  throwAll(`The image doesn't fit ${problems.length} functions; nothing was changed.`, problems);
  return { goals, warnings: [...warnings] };
}

function childFor(plan: FunctionPlan, image: PushedImage): PlatformImage | ActionError {
  const wanted = configArchitecture[plan.view.architecture] ?? plan.view.architecture;
  const child = image.platforms.find(
    ({ platform, architecture }) => platform.startsWith('linux/') && architecture === wanted,
  );
  if (child !== undefined) return child;
  const there = image.platforms.map(({ platform }) => platform).join(', ') || 'none';
  return new ActionError(
    `${plan.label}: the function's architecture is ${plan.view.architecture}, but the image ${image.digest} has ${there} only. Lambda would accept it, and every invocation would fail with "exec format error".`,
    {
      hint: `Add linux/${wanted} to \`platforms\` (several are fine, each function gets its own), or change the function's architecture.`,
    },
  );
}

function problemOf(
  { label, view }: FunctionPlan,
  image: PushedImage,
  child: PlatformImage,
): ActionError | undefined {
  const region = view.arn.split(':')[3];
  const place = registryPlace(image.repository.split('/')[0] ?? '');
  if (place !== undefined && region !== undefined && place.region !== region) {
    return new ActionError(
      `${label}: the function is in Region ${region}, the repository ${image.repository} in ${place.region}. Lambda takes images of its own Region only.`,
      { hint: `Push to a repository in ${region}, or use ECR's cross-Region replication.` },
    );
  }
  if (!acceptedManifests.has(child.mediaType)) {
    return new ActionError(
      `${label}: Lambda takes Docker v2 and OCI v1 image manifests only; ${child.digest} (${child.platform}) is ${child.mediaType}.`,
      { hint: 'Build with the default output (`oci-mediatypes` on or off are both fine).' },
    );
  }
  const odd = child.layerMediaTypes.find((type) => !layerType.test(type));
  if (odd !== undefined) {
    return new ActionError(
      `${label}: ${child.digest} (${child.platform}) has a layer of type ${odd}, which is no file system layer.`,
      { hint: 'It looks like an artifact, not an image: check `outputs`.' },
    );
  }
  return undefined;
}

function warningsOf(image: PushedImage, child: PlatformImage): string[] {
  const warnings: string[] = [];
  if (child.layerMediaTypes.some((type) => type.includes('zstd'))) {
    warnings.push(
      `${child.platform}: some layers are compressed with zstd. AWS doesn't say whether Lambda takes them; if it refuses the image, build with compression=gzip,force-compression=true.`,
    );
  }
  const size = (child.bytes / gibibyte).toFixed(1);
  if (child.bytes > 10 * gibibyte) {
    warnings.push(
      `${child.platform}: ${size} GiB compressed. Lambda's limit is 10 GiB uncompressed over all layers: it will refuse this image.`,
    );
  } else if (child.bytes > 10 * gibibyte * usualRatio) {
    warnings.push(
      `${child.platform}: ${size} GiB compressed, so perhaps more than Lambda's limit of 10 GiB uncompressed over all layers.`,
    );
  }
  if (image.platforms.length === 0) warnings.push(`${image.digest} lists no platforms.`);
  return warnings;
}

/** Layers of Linux and Python files are about a third of their size with gzip. */
const usualRatio = 1 / 3;
