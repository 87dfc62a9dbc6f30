/** S3 with compare-and-set, for the order's register. `etag` is passed back as it came. */
export interface ObjectStore {
  get(key: string): Promise<{ body: string; etag: string } | undefined>;
  /**
   * Writes when the object is as expected: `etag` undefined: it must not exist yet.
   * @returns 'written', or 'changed' when somebody else was first (412, or 409 to be tried again).
   */
  put(key: string, body: string, etag: string | undefined): Promise<'written' | 'changed'>;
  delete(key: string): Promise<void>;
}
