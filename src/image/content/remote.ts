const scpLike = /^[a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:/;

/** Whether `ADD` fetches this source: a URL, or a Git repository by SSH. */
export function isRemoteSource(source: string): boolean {
  return /^(?:https?|git|ssh):\/\//i.test(source) || scpLike.test(source);
}

/**
 * Whether a build context is not a folder: a URL, a Git repository (`github.com/owner/name` too,
 * which buildx reads as one), or the standard input.
 */
export function isRemoteContext(context: string): boolean {
  return context === '-' || context.startsWith('github.com/') || isRemoteSource(context);
}
