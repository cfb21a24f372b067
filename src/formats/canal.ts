import type { SchemaChange, Truncation } from '../core/change.ts';
import type { RowBatch, TransactionPart } from '../core/source.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { canalEncoding, canalMysqlType, canalSqlType } from './canal-values.ts';
import { changedColumns } from './changed-columns.ts';
import { jsonString } from './json-text.ts';
import type { LineEncoder, LineEncoderOptions, LineSink } from './line-encoder.ts';
import { TableEncoders } from './row-encoder.ts';

const TYPES = { insert: 'INSERT', upsert: 'INSERT', update: 'UPDATE', delete: 'DELETE' } as const;

/** What Canal calls a statement, by how it begins; `QUERY` for every other. */
const STATEMENTS: readonly (readonly [RegExp, string])[] = [
  [/^(?:create|drop)\s+(?:database|schema)\b/i, 'QUERY'],
  [/^create\s+(?:\w+\s+){0,2}index\b/i, 'CINDEX'],
  [/^create\s+(?:or\s+replace\s+)?(?:temporary\s+)?table\b/i, 'CREATE'],
  [/^alter\s+table\b/i, 'ALTER'],
  [/^drop\s+(?:temporary\s+)?table\b/i, 'ERASE'],
  [/^drop\s+index\b/i, 'DINDEX'],
  [/^rename\s+table\b/i, 'RENAME'],
  [/^truncate\b/i, 'TRUNCATE'],
];

const LEADING_COMMENTS = /^(?:\s+|\/\*[\s\S]*?\*\/|--[ \t][^\n]*\n|#[^\n]*\n)+/;

/**
 * The flat JSON messages of Alibaba's Canal (`canal.mq.flatMessage = true`), with one row each. docs/formats/canal.md says what differs.
 *
 *     {"data":[{…}],"database":"shop","es":…,"gtid":"…","id":0,"isDdl":false,"mysqlType":{…},"old":[{…}],"pkNames":["id"],
 *      "sql":"","sqlType":{…},"table":"orders","ts":…,"type":"UPDATE"}
 *
 * `data` is the whole row (the row that went, for a delete), `old` the former values of the columns that an update changed. Values are text.
 */
export class CanalEncoder implements LineEncoder {
  readonly #nowUs: () => number;
  readonly #tables: TableEncoders = new TableEncoders(canalEncoding);
  readonly #heads: WeakMap<TableSchema, TableTexts> = new WeakMap();

  constructor({ nowUs = () => Date.now() * 1000 }: Pick<LineEncoderOptions, 'nowUs'>) {
    this.#nowUs = nowUs;
  }

  encode(part: TransactionPart, emit: LineSink): void {
    const { id, committedAtUs } = part.transaction;
    const executed = `"es":${Math.floor(committedAtUs / 1000)},"gtid":${jsonString(id ?? '')},"id":0,"isDdl":`;
    const now = `"ts":${Math.floor(this.#nowUs() / 1000)},"type":`;
    for (const entry of part.entries) {
      if (entry.type === 'rows') this.#rows(entry, { executed, now, emit });
      else emit(statementLine(entry, { executed, now }));
    }
  }

  #rows(batch: RowBatch, { executed, now, emit }: Stamps & { readonly emit: LineSink }): void {
    const { table, kind } = batch;
    const encoder = this.#tables.of(table);
    const texts = this.#textsOf(table);
    const middle = `],"database":${jsonString(table.database)},${executed}false,${texts.mysqlType}"old":`;
    const tail = `,${texts.pkNames}"sql":"",${texts.sqlType}"table":${jsonString(table.name)},${now}"${TYPES[kind]}"}`;
    const { before, after, count } = batch.rows();
    for (let row = 0; row < count; row++) {
      const old = before?.[row] ?? null;
      const changed = after?.[row] ?? null;
      // What a partial after image leaves out was not changed, so the before image has its value.
      const data = encoder.object(old !== null && changed !== null ? { ...old, ...changed } : (changed ?? old ?? {}));
      const former =
        old === null || changed === null ? 'null' : `[${encoder.object(changedColumns(old, changed) ?? {})}]`;
      emit(`{"data":[${data}${middle}${former}${tail}`);
    }
  }

  #textsOf(table: TableSchema): TableTexts {
    let texts = this.#heads.get(table);
    if (texts === undefined) {
      texts = tableTexts(table);
      this.#heads.set(table, texts);
    }
    return texts;
  }
}

interface Stamps {
  /** From `es` to the name of `isDdl`. */
  readonly executed: string;
  /** `ts`, and the name of `type`. */
  readonly now: string;
}

/** What the messages of one table have in common, each with its name and the comma behind it. */
interface TableTexts {
  readonly mysqlType: string;
  readonly pkNames: string;
  readonly sqlType: string;
}

function tableTexts({ columns, key }: TableSchema): TableTexts {
  const members = (text: (column: (typeof columns)[number]) => string): string =>
    columns.map((column) => `${jsonString(column.name)}:${text(column)}`).join(',');
  const names = key.map((index) => jsonString(columns[index]?.name ?? ''));
  return {
    mysqlType: `"mysqlType":{${members((column) => jsonString(canalMysqlType(column)))}},`,
    pkNames: `"pkNames":${names.length === 0 ? 'null' : `[${names.join(',')}]`},`,
    sqlType: `"sqlType":{${members((column) => String(canalSqlType(column)))}},`,
  };
}

function statementLine(entry: SchemaChange | Truncation, { executed, now }: Stamps): string {
  const { database, table, sql } = entry;
  const bare = sql.replace(LEADING_COMMENTS, '');
  const type =
    entry.type === 'truncate' ? 'TRUNCATE' : (STATEMENTS.find(([begins]) => begins.test(bare))?.[1] ?? 'QUERY');
  return (
    `{"data":null,"database":${jsonString(database)},${executed}true,"mysqlType":null,"old":null,"pkNames":null,` +
    `"sql":${jsonString(sql)},"sqlType":null,"table":${jsonString(table ?? '')},${now}"${type}"}`
  );
}
