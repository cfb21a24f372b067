import { isTidingsError, TidingsError } from '../../../core/errors.ts';
import type { Key } from '../../../core/plain-rows.ts';
import type { TableName } from './names.ts';
import type { TextRowViews } from './text-rows/text-row-batch.ts';

/** @throws TidingsError SNAPSHOT_KEYS_INVALID naming the first key that can be none of the table */
export function checkKeys(views: TextRowViews, keys: readonly Key[]): void {
  for (const [index, key] of keys.entries()) {
    try {
      views.valueLiterals(key);
    } catch (error) {
      if (!isTidingsError(error)) throw error;
      throw new TidingsError(error.code, `key ${index + 1} of the list: ${error.message}`, {
        cause: error,
        hint: error.hint,
        details: { ...error.details, key: index + 1 },
      });
    }
  }
}

/** The server takes a key for none. Its own words would quote the value (I10). */
export function keysRefused({ database, table }: TableName, number: number): TidingsError {
  const name = `${database}.${table}`;
  return new TidingsError('SNAPSHOT_KEYS_INVALID', `the server refuses a value in a key of ${name} (error ${number})`, {
    hint: 'A date or a time in the list is none that there can be.',
    details: { table: name, serverError: number },
  });
}
