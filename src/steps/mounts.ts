export interface MountsState {
  readonly stub?: true;
}
export async function restoreMountsFor(_job: unknown, _more: unknown): Promise<void> {}
export async function saveMountsOf(_state: MountsState, _more: unknown): Promise<void> {}
