import type { BuildFailure } from '../image/build-failure.ts';
import { iamStatement, parseDenial, permissionHint } from '../systems/aws-errors.ts';

/** What failed, in a sentence without its full stop. */
export function describeFailure(failure: BuildFailure): string {
  const first = (failure.text.split('\n')[0] ?? '').replace(/\.$/, '');
  switch (failure.kind) {
    case 'step':
      return failure.exitCode === undefined
        ? `The build failed at ${failure.name}: ${first}`
        : `The build failed at ${failure.name}: exit code ${failure.exitCode}`;
    case 'push':
      return `The image was built, but pushing it ${pushWords[failure.reason]}: ${first}`;
    case 'cache':
      return `A layer cache could not be ${failure.direction === 'import' ? 'read' : 'written'}: ${first}`;
    case 'base':
      return `A base image could not be had: ${first}`;
    case 'builder-lost':
      return `The connection to BuildKit broke: ${first}`;
    default:
      return `The build failed: ${first}`;
  }
}

const pushWords = {
  interrupted: 'broke off again and again',
  denied: 'was denied',
  immutable: 'was refused because the tag is immutable',
  'no-repository': 'failed because the repository does not exist',
  refused: 'was refused',
} as const;

/** What a push needs besides `ecr:GetAuthorizationToken` (Amazon ECR user guide, "IAM permissions for pushing an image"). */
const pushActions = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:InitiateLayerUpload',
  'ecr:UploadLayerPart',
  'ecr:CompleteLayerUpload',
  'ecr:PutImage',
  'ecr:BatchGetImage',
];

/** What to do about a failure; undefined: its own words say it. */
export function failureHint(failure: BuildFailure): string | undefined {
  const { text } = failure;
  if (/no space left on device/.test(text)) {
    return "The runner's disk is full (RUNNER_TEMP, or Docker's data). Remove what is not needed in a step before this one, or use a larger runner.";
  }
  switch (failure.kind) {
    case 'not-started':
      return startHint(text);
    case 'push':
      return pushHint(failure.reason, text);
    case 'cache':
      return 'Set `cache: off` to build without caches.';
    case 'base':
      return baseHint(text, failure.transient);
    case 'builder-lost':
      return 'BuildKit ended or its machine ran out of memory. Try a larger runner, or fewer steps and platforms at the same time.';
    case 'step':
      return failure.exitCode === 137
        ? 'Exit code 137 means that the process was killed, mostly because memory ran out: try a larger runner.'
        : stepHint(text);
    default:
      return otherHint(text);
  }
}

function pushHint(reason: keyof typeof pushWords, text: string): string | undefined {
  switch (reason) {
    case 'denied': {
      const denial = parseDenial(text);
      if (denial !== undefined) {
        return permissionHint(
          denial,
          pushActions.includes(denial.action) ? pushActions : undefined,
        );
      }
      const resource = repositoryArn(text) ?? 'arn:aws:ecr:REGION:ACCOUNT:repository/NAME';
      const action = deniedAction(text);
      const needed = action === undefined ? pushActions : [action];
      return `The registry gave no reason. The role needs this (and ecr:GetAuthorizationToken on *), and no repository policy or quota may stand against it:\n${iamStatement(needed, resource)}`;
    }
    case 'immutable':
      return 'The tag is there already on another image. Use tags that differ for every commit, or a mutability filter that excludes this tag.';
    case 'no-repository':
      return 'Create it, or set `create-repository: true`.';
    case 'interrupted':
      return 'The registry or the network failed each time. Run the job again: the layer cache will be used.';
    default:
      return undefined;
  }
}

/** The IAM action behind a registry request that failed with its status alone (Amazon ECR maps them so). */
export function deniedAction(text: string): string | undefined {
  const request =
    /(HEAD|GET|POST|PUT|PATCH) (?:request to )?"?https?:\/\/[^/\s]+\/v2\/\S*?\/(manifests|blobs)\//i.exec(
      text,
    );
  const method = request?.[1]?.toUpperCase();
  if (request === null || method === undefined) return undefined;
  if (request[2] === 'manifests') return method === 'PUT' ? 'ecr:PutImage' : 'ecr:BatchGetImage';
  const actions: Record<string, string> = {
    HEAD: 'ecr:BatchCheckLayerAvailability',
    GET: 'ecr:GetDownloadUrlForLayer',
    POST: 'ecr:InitiateLayerUpload',
    PATCH: 'ecr:UploadLayerPart',
    PUT: 'ecr:CompleteLayerUpload',
  };
  return actions[method];
}

function repositoryArn(text: string): string | undefined {
  const at =
    /(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.\S*?\/(?:v2\/)?([a-z0-9._/-]+?)(?:\/(?:manifests|blobs)\/|:|@)/.exec(
      text,
    );
  return at === null ? undefined : `arn:aws:ecr:${at[2]}:${at[1]}:repository/${at[3]}`;
}

function startHint(text: string): string | undefined {
  if (/'buildx' is not a docker command|unknown command.*buildx/i.test(text)) {
    return 'docker has no buildx plugin. Set `buildx-version: latest` to have it downloaded.';
  }
  if (/unknown flag/i.test(text)) {
    return 'This buildx is too old for an option that is asked for. Set `buildx-version: latest`.';
  }
  if (/Cannot connect to the Docker daemon|error during connect/i.test(text)) {
    return 'Start Docker on the runner, or name a BuildKit of your own by `driver: remote` and `endpoint`.';
  }
  if (/push-by-digest/.test(text))
    return "The docker driver can't push by digest: use `driver: docker-container`.";
  if (/not (currently )?supported for the docker driver/i.test(text)) {
    return 'Use `driver: docker-container`, or turn the containerd image store on in Docker.';
  }
  return undefined;
}

function baseHint(text: string, transient: boolean): string | undefined {
  if (/toomanyrequests|rate limit|429/i.test(text)) {
    return 'Docker Hub limits pulls without a login. Log in to it in an earlier step, or take the image from public.ecr.aws/docker/library/.';
  }
  if (transient) return 'Its registry failed each time. Run the job again.';
  if (/not found|manifest unknown/i.test(text))
    return 'Check the name and tag after FROM, and that it has the platform asked for.';
  if (/denied|unauthorized|401|403/i.test(text)) {
    return 'Check the name after FROM; for a private image log in to its registry in an earlier step (for ECR the role needs ecr:BatchGetImage and ecr:GetDownloadUrlForLayer).';
  }
  return undefined;
}

function stepHint(text: string): string | undefined {
  if (/failed to calculate checksum|: not found/.test(text)) {
    return 'The file is not in the build context, or .dockerignore leaves it out. Paths after COPY start at `context`.';
  }
  if (/exec format error/.test(text)) {
    return "A program of another platform can't run here without emulation. Add docker/setup-qemu-action before, or a runner of that platform.";
  }
  return undefined;
}

function otherHint(text: string): string | undefined {
  if (/failed to read dockerfile/.test(text))
    return "Set `file` to the Dockerfile's path, from the top of the checkout.";
  return undefined;
}
