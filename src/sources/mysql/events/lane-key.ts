import type { Value } from '../../../core/change.ts';
import type { Key } from '../../../core/plain-rows.ts';
import type { Column, TableSchema } from '../../../core/table-schema.ts';

/** The lane a key's events must stay in; null when the key may equal one in another lane, so that its event must run alone. */
export type LaneOf = (key: Key | null) => string | null;

/**
 * How keys of a table are told apart when events of different keys run side by side.
 *
 * Two keys that the server holds to be equal must never get two lanes (I3), and equality is the collation's: under
 * `utf8mb4_general_ci` the keys `A` and `a` are one row. Lanes may be coarser than keys, never finer. So text keys share a lane
 * when they differ in case or trailing spaces only, a text that is not plain ASCII runs alone (`ß` may equal `ss`), and a
 * collation with rules of its own (in Lithuanian ones `i` equals `y`) puts all keys of its column into one lane.
 */
export function laneOfTable(table: TableSchema): LaneOf {
  const lane = JSON.stringify([table.database, table.name]);
  const identities = table.key.map((index) => identityOf(table.columns[index]));
  // Nothing tells the rows of a table without a key apart: they keep their order among themselves.
  if (identities.length === 0) return () => lane;
  return (key) => {
    const values = Array.isArray(key) ? (key as readonly Value[]) : [key as Value];
    let path = lane;
    for (const [i, identity] of identities.entries()) {
      const text = identity(values[i] ?? null);
      if (text === null) return null;
      path += `${text.length}:${text}`;
    }
    return path;
  };
}

type Identity = (value: Value) => string | null;

function identityOf(column: Column | undefined): Identity {
  if (column === undefined) return () => '';
  switch (column.type) {
    case 'char':
    case 'varchar':
    case 'text':
      return textIdentity(column.collation ?? '');
    default:
      return exact;
  }
}

/** Key columns hold no objects other than bytes; one that did would keep its rows in one lane. */
function textOf(value: Value): string {
  return typeof value === 'object' ? '' : String(value);
}

function exact(value: Value): string {
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
    : textOf(value);
}

function textIdentity(collation: string): Identity {
  if (collation === 'binary') return exact;
  // Most _bin collations pad with spaces, so 'a' equals 'a '.
  if (collation.endsWith('_bin')) return (value) => textOf(value).trimEnd();
  if (FOLDING.test(collation)) {
    return (value) => {
      const text = textOf(value);
      return PLAIN.test(text) ? text.trimEnd().toLowerCase() : null;
    };
  }
  return () => '';
}

/** Collations under which printable ASCII texts are equal only if they differ in case and trailing spaces alone. */
const FOLDING =
  /^([a-z0-9]+_)?(general|unicode|unicode_520|general_mysql500)_(nopad_)?c[is]$|^([a-z0-9]+_)?(0900|uca1400)_(nopad_)?a[is]_c[is]$|^latin1_swedish_ci$/u;
const PLAIN = /^[\x20-\x7e]*$/u;
