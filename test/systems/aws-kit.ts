import { vi } from 'vitest';
import { connectEcr, type Ecr, type Manifest } from '../../src/systems/ecr.ts';
import { digestOf, startAws, type AwsSandbox } from '../sandbox/aws/index.ts';
import { startMemoryRegistry } from '../sandbox/aws/memory-registry.ts';

/** The AWS stand-in over a registry in memory, with the SDK's variables pointing at it. */
export async function openAws(): Promise<AwsSandbox> {
  const registry = await startMemoryRegistry();
  const aws = await startAws({ registryHost: registry.host });
  for (const name of ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_CONFIG_FILE']) {
    vi.stubEnv(name, undefined);
  }
  for (const [name, value] of Object.entries(aws.env)) vi.stubEnv(name, value);
  const close = async () => {
    vi.unstubAllEnvs();
    await aws.close();
    await registry.close();
  };
  return { ...aws, close, [Symbol.asyncDispose]: close };
}

export function ecrOf(aws: AwsSandbox): Ecr & { masked: string[]; notices: string[] } {
  const masked: string[] = [];
  const notices: string[] = [];
  const ecr = connectEcr({
    region: aws.region,
    credentials: () =>
      Promise.resolve({
        accessKeyId: aws.credentials.accessKeyId,
        secretAccessKey: aws.credentials.secretAccessKey,
      }),
    mask: (secret) => masked.push(secret),
    notice: (message) => notices.push(message),
  });
  return { ...ecr, masked, notices };
}

/** A single image's manifest; different for each `name`. */
export function manifestOf(name: string): Manifest {
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(name),
      size: 2,
    },
    layers: [],
  });
  return { body, digest: digestOf(body), mediaType: 'application/vnd.oci.image.manifest.v1+json' };
}
