/** The parts of an ECR lifecycle policy that decide about one image. */
interface Rule {
  readonly rulePriority?: number;
  readonly description?: string;
  readonly selection?: {
    readonly tagStatus?: string;
    readonly tagPrefixList?: readonly string[];
    readonly tagPatternList?: readonly string[];
    readonly countType?: string;
    readonly countNumber?: number;
    readonly countUnit?: string;
    readonly storageClass?: string;
  };
  readonly action?: { readonly type?: string };
}

/**
 * What a repository's lifecycle policy will do to an image that functions run.
 *
 * Rules apply by priority, and an image that one rule has selected is left alone by later ones
 * (https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html). An image listed by
 * an index lives as long as the index, so `tags` are those of what was pushed.
 *
 * @param policy text of the policy. @param tags on the pushed digest; none: it is untagged.
 * @returns one sentence, or undefined when no rule removes the image.
 */
export function lifecycleThreat(policy: string, tags: readonly string[]): string | undefined {
  let rules: readonly Rule[];
  try {
    rules = (JSON.parse(policy) as { rules?: readonly Rule[] }).rules ?? [];
  } catch {
    return 'The lifecycle policy of the repository is no JSON; whether it removes deployed images is unknown.';
  }
  const rule = rules
    .toSorted((a, b) => (a.rulePriority ?? 0) - (b.rulePriority ?? 0))
    .find((one) => selects(one, tags));
  if (rule === undefined || (rule.action?.type ?? 'expire') !== 'expire') return undefined;
  const { selection } = rule;
  const count = selection?.countNumber ?? 0;
  const when =
    selection?.countType === 'imageCountMoreThan'
      ? `once ${count} newer images are there`
      : `${count} ${selection?.countUnit ?? 'days'} after its push`;
  const name = rule.description === undefined ? '' : ` ("${rule.description}")`;
  return `Lifecycle rule ${rule.rulePriority ?? '?'}${name} of the repository will remove the deployed image ${when}, even while functions run it: they then fail with ImageDeleted. Exempt deployed images by a rule of higher priority, for example for a tag prefix of their own.`;
}

function selects(rule: Rule, tags: readonly string[]): boolean {
  const { tagStatus, tagPrefixList = [], tagPatternList = [] } = rule.selection ?? {};
  if (tagStatus === 'untagged') return tags.length === 0;
  if (tagStatus === 'any') return true;
  if (tags.length === 0) return false;
  // All prefixes (patterns) of a rule must be met, each by some tag.
  const prefixes = tagPrefixList.every((prefix) => tags.some((tag) => tag.startsWith(prefix)));
  const patterns = tagPatternList.every((pattern) =>
    tags.some((tag) => wildcard(pattern).test(tag)),
  );
  return prefixes && patterns && tagPrefixList.length + tagPatternList.length > 0;
}

function wildcard(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
