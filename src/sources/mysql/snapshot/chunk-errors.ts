import { isTidingsError, TidingsError } from '../../../core/errors.ts';
import type { TableName } from './names.ts';

/** A table that is altered so often while its chunk is read is left alone for a while. */
export const ATTEMPTS_MAX: number = 5;

/**
 * The server's error numbers that mean something of their own for a chunk.
 *
 * Source: MySQL, share/messages_to_clients.txt; MariaDB, sql/share/errmsg-utf8.txt.
 */
const TABLE_CHANGED: ReadonlySet<number> = new Set([
  1049, // unknown database
  1051, // unknown table
  1054, // unknown column
  1109, // unknown table in a clause
  1146, // no such table
  1176, // the key does not exist
  1412, // the definition has changed since the view was opened
]);
const DEFINITION_CHANGED = 1412;
const GONE: ReadonlySet<number> = new Set([1049, 1051, 1146]);
const BUSY: ReadonlySet<number> = new Set([
  1205, // lock wait timeout
  1213, // deadlock
  1317, // the statement was killed
]);
/** The server's own troubles, whatever the condition. */
const TROUBLES: ReadonlySet<number> = new Set([
  1021, 1023, 1026, 1030, 1034, 1037, 1038, 1041, 1105, 1114, 1153, 1194, 1195, 1317, 1969, 3024,
]);
/** Values that a literal cannot have: the server says which. */
const WRONG_VALUE: ReadonlySet<number> = new Set([1292, 1367, 1525]);
/** They quote names of the condition, or the statement from where it goes wrong, and no values of rows (I10). */
const QUOTABLE: ReadonlySet<number> = new Set([1054, 1064, 1109, 1146, 1305, 1582, 1630]);

/** The server's number of an error that it has answered a statement with; null for every other error. */
export function serverNumber(error: unknown): number | null {
  if (!isTidingsError(error)) return null;
  const { serverError } = error.details;
  return typeof serverError === 'number' ? serverError : null;
}

/** Whether the table may be another one than was known, or none. */
export function mayHaveChanged(number: number): boolean {
  return TABLE_CHANGED.has(number);
}

/** Whether a new view of the same table helps. */
export function isDefinitionChanged(number: number): boolean {
  return number === DEFINITION_CHANGED;
}

export function isGone(number: number | null): boolean {
  return number !== null && GONE.has(number);
}

/** Whether a value of the statement is none for the server. */
export function isWrongValue(number: number): boolean {
  return WRONG_VALUE.has(number);
}

/** Why the condition is to blame for the error that the server answered a SELECT with, which is right without it; null: it is not. */
export function conditionFault(error: TidingsError, number: number): string | null {
  if (error.code !== 'SERVER_ERROR' && !TABLE_CHANGED.has(number)) return null;
  if (BUSY.has(number) || TROUBLES.has(number)) return null;
  return QUOTABLE.has(number) ? error.message : `the server refuses it (error ${number})`;
}

/** What passes by itself is not an operator's business. */
export function asBusy(error: unknown): unknown {
  const number = serverNumber(error);
  if (number === null || !BUSY.has(number)) return error;
  return new TidingsError('SERVER_BUSY', `the server has ended a read of a snapshot (error ${number})`, {
    cause: error,
    hint: 'Tidings reads the chunk again by itself. If it happens often, look for transactions that hold locks for long, or that end what runs for long.',
    details: { serverError: number },
  });
}

export function alteredAgainAndAgain({ database, table }: TableName): TidingsError {
  const name = `${database}.${table}`;
  return new TidingsError('SERVER_BUSY', `${name} was altered ${ATTEMPTS_MAX} times while a chunk of it was read`, {
    hint: 'Tidings reads the chunk again by itself.',
    details: { table: name },
  });
}
