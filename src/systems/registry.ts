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

/** THIN placeholder of the lead's until H's adapter is here. */
export function connectRegistry(options: { configFolder: string; env: unknown; run: unknown; signal: unknown }): Registry {
  return {
    manifest: () => Promise.resolve(undefined),
    digest: () => Promise.resolve(undefined),
    blob: async (image, digest) => {
      const { readFileSync } = await import('node:fs');
      const host = image.slice(0, image.indexOf('/'));
      const config = JSON.parse(readFileSync(`${options.configFolder}/config.json`, 'utf8')) as { auths: Record<string, { auth: string }> };
      const answer = await fetch(`http://${host}/v2/${image.slice(host.length + 1)}/blobs/${digest}`, {
        headers: { authorization: `Basic ${config.auths[host]?.auth}` },
      });
      if (!answer.ok) throw new Error(`blob ${answer.status} ${await answer.text()}`);
      return answer.text();
    },
  };
}
