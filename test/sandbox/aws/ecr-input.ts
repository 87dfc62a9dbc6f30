import type { Mutability } from './images.ts';

export interface ImageId {
  imageDigest?: string;
  imageTag?: string;
}

/** The fields of all of ECR's requests together. */
export interface Input {
  repositoryName?: string;
  repositoryNames?: string[];
  imageIds?: ImageId[];
  acceptedMediaTypes?: string[];
  imageManifest?: string;
  imageManifestMediaType?: string;
  imageTag?: string;
  imageDigest?: string;
  imageTagMutability?: Mutability;
  imageTagMutabilityExclusionFilters?: { filterType: string; filter: string }[];
  lifecyclePolicyText?: string;
  layerDigest?: string;
  filter?: { tagStatus?: string };
  maxResults?: number;
  nextToken?: string;
  resourceArn?: string;
  tags?: { Key: string; Value: string }[];
}
