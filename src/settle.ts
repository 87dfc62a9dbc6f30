import { asError, isAbort, Problems } from './errors.ts';

/**
 * Waits for all of `works`, which were started side by side, and only then fails: a resource that a
 * late success acquired is recorded for clean-up, and two failures are told together.
 *
 * @throws the only real failure, or Problems when there are several. An abort counts only when there
 *   is nothing else: it follows from another's failure or from a cancel.
 */
export async function settle<const T extends readonly unknown[]>(
  works: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(works);
  const errors = results.flatMap((result) =>
    result.status === 'rejected' ? [asError(result.reason)] : [],
  );
  // One failure may reach several works that wait for it.
  const failures = [...new Set(errors.filter((error) => !isAbort(error)))];
  if (failures.length > 1) throw new Problems('Several things failed:', failures);
  const [first = errors[0]] = failures;
  if (first !== undefined) throw first;
  return results.map((result) => (result.status === 'fulfilled' ? result.value : undefined)) as {
    -readonly [K in keyof T]: Awaited<T[K]>;
  };
}

/** Keeps a promise that is awaited later from counting as unhandled until then. */
export function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {
    // Whoever awaits it later gets the failure; until then it is nobody's.
  });
  return promise;
}
