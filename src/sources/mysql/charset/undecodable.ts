import { TidingsError } from '../../../core/errors.ts';

/**
 * The error for bytes to which a character set gives no character. `at` is the absolute offset of the first such byte; the error
 * counts from the start of the value. The bytes themselves are a row's value and stay out of it (I10).
 */
export function undecodable(charset: string, at: number, start: number, end: number): TidingsError {
  const details = { charset, offsetBytes: at - start, lengthBytes: end - start };
  return new TidingsError('TEXT_UNDECODABLE', `text is not ${charset} at byte ${at - start} of ${end - start}`, {
    details,
  });
}
