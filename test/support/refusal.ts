import { isTidingsError, type TidingsError } from '../../src/core/errors.ts';

/** What a reading or a start is refused with; fails when it is not. */
export async function refusal(attempt: Promise<unknown>): Promise<TidingsError> {
  const error: unknown = await attempt.then(
    () => new Error('it was not refused'),
    (cause: unknown) => cause,
  );
  if (!isTidingsError(error)) throw error;
  return error;
}
