import type { Manifest } from './ecr.ts';

/** Reads from any OCI distribution registry (ECR, Docker Hub, …): manifests and small blobs. */
export interface Registry {
  /**
   * @param image `host/name` fully qualified, @param reference tag or digest.
   * @returns undefined when it is not there (404).
   */
  manifest(image: string, reference: string): Promise<Manifest | undefined>;
  /** Digest only (HEAD). */
  digest(image: string, reference: string): Promise<string | undefined>;
  /** A config blob as text, digest verified. */
  blob(image: string, digest: string): Promise<string>;
}
