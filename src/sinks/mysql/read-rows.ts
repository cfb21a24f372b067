import { float32 } from '../../base/float32.ts';
import type { Row, Value } from '../../core/change.ts';
import type { Column } from '../../core/table-schema.ts';
import { keySql, type TablePlan } from './table-plan.ts';
import type { TargetConnection } from './target-connection.ts';

/** The rows under these keys as the value model has them, in the keys' order; null where there is none. */
export async function readRows(
  connection: TargetConnection,
  plan: TablePlan,
  keys: readonly Row[],
): Promise<readonly (Row | null)[]> {
  const columns = plan.target.table.columns.filter(({ name }) => plan.columns.some((column) => column.name === name));
  // Under names of ours: the driver refuses some of a table's.
  const shown = columns.map(({ name, type }, i) => {
    const quoted = plan.columns.find((column) => column.name === name)?.quoted ?? '';
    // MySQL prints a FLOAT with six digits, and its product with a double with all of them. BIT comes as bytes.
    const sql = type === 'float' ? `${quoted}*1e0` : type === 'bit' ? `${quoted}+0` : quoted;
    return `${sql} AS c${i}`;
  });
  // Each by itself: no answer needs to be matched with a key, whatever the collation.
  const queries = keys.map((key) => {
    const values = keySql(plan, key);
    const where = plan.key.map(({ quoted }, i) => `${quoted}=${values[i]}`).join(' AND ');
    return `SELECT ${shown.join(',')} FROM ${plan.table} WHERE ${where}`;
  });
  return (await connection.rawResults(queries)).map(([found]) =>
    found === undefined
      ? null
      : Object.fromEntries(columns.map((column, i) => [column.name, valueOf(column, found[i] ?? null)])),
  );
}

function valueOf({ type }: Column, raw: Buffer | null): Value {
  if (raw === null) return null;
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit': {
      const value = BigInt(raw.toString('latin1'));
      return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
        ? Number(value)
        : value;
    }
    case 'float':
      return float32(Number(raw.toString('latin1')));
    case 'double':
      return Number(raw.toString('latin1'));
    case 'timestamp':
      return `${raw.toString('latin1').replace(' ', 'T')}Z`;
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return new Uint8Array(raw);
    case 'vector':
      return Float32Array.from({ length: raw.length / 4 }, (_, i) => raw.readFloatLE(i * 4));
    case 'decimal':
    case 'date':
    case 'datetime':
    case 'time':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return raw.toString('utf8');
  }
}
