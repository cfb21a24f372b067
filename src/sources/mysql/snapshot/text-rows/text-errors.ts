import { TidingsError } from '../../../../core/errors.ts';

/** A row that is not what its columns promise. Says what was looked for, and nothing of what was there (I10). */
export function badText(wanted: string): TidingsError {
  return new TidingsError('PROTOCOL_VIOLATION', `a value of a result row is not ${wanted}`);
}

export function shortRow(): never {
  throw new TidingsError('PROTOCOL_VIOLATION', 'a result row ends before its last column');
}

export function longRow(): never {
  throw new TidingsError('PROTOCOL_VIOLATION', 'a result row has more columns than were asked for');
}
