import { isDeepStrictEqual } from 'node:util';
import type { Row, Value } from '../../../src/core/change.ts';
import type { RowShape } from '../../../src/core/rows/row-shape.ts';
import type { RowBatch } from '../../../src/core/source.ts';
import type { Column, TableSchema } from '../../../src/core/table-schema.ts';
import { parseMysqlUrl } from '../../../src/drivers/mysql/mysql-url.ts';
import { QueryConnection } from '../../../src/drivers/mysql/connect.ts';
import { DumpConnection } from '../../../src/sources/mysql/protocol/dump-connection.ts';
import { readTableDefinitions } from '../../../src/sources/mysql/schema/read-table-schemas.ts';
import { readServer, type Server } from '../../../src/sources/mysql/server.ts';
import { ResultReader } from '../../../src/sources/mysql/snapshot/result-reader.ts';
import { RowBuffer as ResultBuffer } from '../../../src/sources/mysql/snapshot/row-buffer.ts';
import { type Comparison, comparison } from '../../../src/sources/mysql/snapshot/text-rows/key-comparison.ts';
import { sessionStatements } from '../../../src/sources/mysql/snapshot/text-rows/session-statements.ts';
import { TextRowBatch, TextRowViews } from '../../../src/sources/mysql/snapshot/text-rows/text-row-batch.ts';
import { wrongRows } from '../rows/check-rows.ts';
import { RowBuffer, type WrittenRow } from '../rows/row-buffer.ts';
import type { TestServer } from '../servers/test-server.ts';
import type { Dice } from './dice.ts';
import { ROW_ID, type RandomTable } from './random-table.ts';
import { quoteName } from './texts.ts';
import { described, type ShownRow } from './value-load.ts';

/** So many rows are taken a time when a table is walked through by its key. */
const STEP = 3;
const DIFFERENCES_MAX = 20;

interface TakenRow {
  readonly shape: RowShape;
  readonly written: WrittenRow;
}

/**
 * The third leg of the comparison: rows as a snapshot reads them, over a connection whose session was set to other things before. They must
 * be what SELECT shows, and in the log the very bytes that the stream's rows are.
 */
export class SnapshotLeg implements AsyncDisposable {
  readonly differences: string[] = [];
  rows = 0;
  values = 0;
  /** Rows whose bytes in the log were compared with the stream's. */
  bytesCompared = 0;
  /** Of these, those whose shapes are the same to the last letter. */
  shapesEqual = 0;
  readonly #server: Server;
  readonly #queries: QueryConnection;
  readonly #reader: ResultReader;
  readonly #dice: Dice;
  readonly #database: string;
  readonly #json: 'text' | 'parsed';
  readonly #taken = new WeakMap<ShownRow, TakenRow>();

  private constructor(
    connections: { server: Server; queries: QueryConnection; reader: ResultReader },
    { dice, database, json }: { dice: Dice; database: string; json: 'text' | 'parsed' },
  ) {
    this.#server = connections.server;
    this.#queries = connections.queries;
    this.#reader = connections.reader;
    this.#dice = dice;
    this.#database = database;
    this.#json = json;
  }

  /** @param session what the session is set to before it becomes a snapshot's */
  static async open(
    server: TestServer,
    options: { dice: Dice; database: string; json: 'text' | 'parsed'; session: readonly string[] },
  ): Promise<SnapshotLeg> {
    const address = parseMysqlUrl(server.url);
    const queries = await QueryConnection.open(address);
    const known = await readServer(queries);
    const connection = await DumpConnection.open(address);
    const reader = new ResultReader(connection.takeOver(), { answerTimeoutMs: 60_000 });
    for (const sql of [...options.session.map((setting) => `SET SESSION ${setting}`), ...sessionStatements(known)]) {
      // oxlint-disable-next-line no-await-in-loop -- statements of one connection
      await reader.query(sql);
    }
    return new SnapshotLeg({ server: known, queries, reader }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queries.close();
    this.#reader.close();
  }

  /** Reads the table, which nobody writes to meanwhile, and compares its rows with what SELECT shows of them, by row id. */
  async take(table: RandomTable, shown: ReadonlyMap<number, ShownRow>): Promise<void> {
    const { definitions } = await readTableDefinitions((sql) => this.#queries.query(sql), {
      flavour: this.#server.flavour,
      tables: [{ database: this.#database, table: table.name }],
    });
    const schema = definitions[0]?.schema;
    if (schema === undefined) throw new Error(`${table.name} cannot be read`);
    const views = new TextRowViews(schema, {
      selected: schema.columns.map(() => true),
      json: this.#json,
      server: this.#server,
      keyColumns: schema.key,
    });
    const from = `FROM ${quoteName(this.#database)}.${quoteName(table.name)}`;
    const order = schema.key.map((index) => quoteName(nameOf(schema, index)));
    // The index of a prefix does not have the order of the whole values.
    const isOrdered = schema.key.length > 0 && !/PRIMARY KEY \(.*`\(\d+\)/.test(table.create);
    const along = isOrdered ? `${from} FORCE INDEX (PRIMARY)` : from;
    const rows = await this.#select(
      `SELECT ${views.selectList} ${along}${isOrdered ? ` ORDER BY ${order.join(', ')}` : ''}`,
    );
    const batch = new TextRowBatch(views, rows, null);
    for (const problem of wrongRows(batch, this.#json)) this.#differ(table, problem);
    const after = batch.rows().after ?? [];
    const target = new RowBuffer();
    batch.writeTo(target);
    const written = target.finish();
    if (after.length !== shown.size) this.#differ(table, `${after.length} rows, SELECT shows ${shown.size}`);
    for (const [i, row] of after.entries()) {
      const expected = shown.get(Number(row[ROW_ID]));
      if (expected === undefined) {
        this.#differ(table, `row ${i} has an id that SELECT does not show`);
        continue;
      }
      this.#taken.set(expected, { shape: batch.shape, written: written[i] as WrittenRow });
      this.#row(table, schema, { row, expected });
    }
    if (after.length > 1 && isOrdered) await this.#walk(table, schema, { views, from: along, order, after });
    await this.#some(table, { views, rows, batch, after });
  }

  /** An insert of the stream, which must have the bytes of the row that was taken. */
  compare(batch: RowBatch, index: number, { written, shown }: { written: WrittenRow; shown: ShownRow }): void {
    const taken = this.#taken.get(shown);
    if (taken === undefined || !isComparable(batch.shape, taken.shape)) return;
    this.bytesCompared++;
    if (batch.shape.text === taken.shape.text) this.shapesEqual++;
    if (!taken.written.avro.equals(written.avro)) {
      this.differences.push(`${batch.table.name}, row ${index}: the log has other bytes of it than of the stream's`);
    }
    if (taken.written.hash !== written.hash) {
      this.differences.push(`${batch.table.name}, row ${index}: it is in another partition than the stream's`);
    }
  }

  #row(table: RandomTable, schema: TableSchema, { row, expected }: { row: Row; expected: ShownRow }): void {
    this.rows++;
    for (const [name, value] of expected) {
      this.values++;
      const actual = row[name];
      const isJson = schema.columns.some((column) => column.name === name && column.type === 'json');
      if (
        isJson && this.#json === 'parsed' && typeof value === 'string'
          ? isDeepStrictEqual(actual, JSON.parse(value))
          : same(actual, value)
      ) {
        continue;
      }
      const definition = table.columns.find((column) => column.name === name)?.definition.slice(0, 200);
      this.#differ(table, `${name} is ${described(actual)}, SELECT shows ${described(value)} [${definition}]`);
    }
    for (const name of Object.keys(row)) if (!expected.has(name)) this.#differ(table, `there is a column ${name}`);
  }

  /** Goes through the table chunk by chunk as a snapshot does: the server's own order, and no row twice or never. */
  async #walk(
    table: RandomTable,
    schema: TableSchema,
    {
      views,
      from,
      order,
      after,
    }: { views: TextRowViews; from: string; order: readonly string[]; after: readonly Row[] },
  ): Promise<void> {
    const compared = (at: number, operator: Comparison, literals: readonly string[]): string =>
      comparison(schema.columns[schema.key[at] ?? 0] as Column, operator, {
        quoted: order[at] as string,
        literal: literals[at] as string,
      });
    const expected = after.map((row) => row[ROW_ID]);
    const seen: unknown[] = [];
    let condition = '';
    let where = '';
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
      const rows = await this.#select(
        `SELECT ${views.selectList} ${from} ${condition} ORDER BY ${order.join(', ')} LIMIT ${STEP}`,
      );
      if (rows.count === 0) break;
      where = condition;
      seen.push(...(new TextRowBatch(views, rows, null).rows().after ?? []).map((row) => row[ROW_ID]));
      const literals = views.keyLiterals(rows, rows.count - 1);
      const branches = literals.map((_, i) =>
        [...literals.slice(0, i).map((__, at) => compared(at, '=', literals)), compared(i, '>', literals)].join(
          ' AND ',
        ),
      );
      condition = `WHERE (${branches.join(') OR (')})`;
      if (!isDeepStrictEqual(seen, expected.slice(0, seen.length))) break;
    }
    if (!isDeepStrictEqual(seen, expected)) {
      const key = schema.key.map((index) => JSON.stringify(schema.columns[index]).slice(0, 200)).join('; ');
      this.#differ(
        table,
        `by its key it has the rows ${seen.join()}, all in one ${expected.join()}, behind ${where} [${key}]`,
      );
    }
    // The same rows are found by the values of their keys.
    const wanted = this.#dice.between(0, after.length - 1);
    const keys = new TextRowBatch(views, await this.#select(`SELECT ${views.selectList} ${from} ORDER BY ${order.join(', ')}`), null).keys(); // prettier-ignore
    const literals = views.valueLiterals(keys?.[wanted] ?? null);
    const found = await this.#select(
      `SELECT ${views.selectList} ${from} WHERE ${literals.map((_, at) => compared(at, '=', literals)).join(' AND ')}`,
    );
    const ids = (new TextRowBatch(views, found, null).rows().after ?? []).map((row) => row[ROW_ID]);
    if (!isDeepStrictEqual(ids, [expected[wanted]])) {
      this.#differ(
        table,
        `row ${String(expected[wanted])} looked for by its key's values is ${ids.join()}: ${literals.join()}`,
      );
    }
  }

  /** Some of the rows are the same rows. */
  async #some(
    table: RandomTable,
    {
      views,
      rows,
      batch,
      after,
    }: { views: TextRowViews; rows: ResultBuffer; batch: TextRowBatch; after: readonly Row[] },
  ): Promise<void> {
    const left = Uint32Array.from([...after.keys()].filter(() => this.#dice.oneIn(2)));
    const some = new TextRowBatch(views, rows, left);
    const [allKeys, allChanges] = [batch.keys(), batch.changes()];
    const [keys, changes] = [some.keys(), some.changes()];
    const picked = <T>(all: readonly T[]): T[] => [...left].map((i) => all[i] as T);
    if (
      !isDeepStrictEqual(some.rows().after, picked(after)) ||
      !isDeepStrictEqual(keys, allKeys === null ? null : picked(allKeys)) ||
      !isDeepStrictEqual(changes, picked(allChanges)) ||
      some.rows().count !== left.length ||
      wrongRows(some, this.#json).length > 0
    ) {
      this.#differ(table, 'some of the rows are not the same rows');
    }
    for (const [i, change] of changes.entries()) {
      if (
        change.kind !== 'upsert' ||
        change.snapshot !== true ||
        !isDeepStrictEqual(change.after, after[left[i] ?? 0])
      ) {
        this.#differ(table, 'changes() are not the upserts of rows()');
      }
    }
  }

  async #select(sql: string): Promise<ResultBuffer> {
    const buffer = new ResultBuffer();
    await this.#reader.select(sql, buffer);
    await this.#reader.rows({ bytes: Number.MAX_SAFE_INTEGER, count: Number.MAX_SAFE_INTEGER });
    return buffer;
  }

  #differ(table: RandomTable, message: string): void {
    if (this.differences.length < DIFFERENCES_MAX) this.differences.push(`${table.name} in a snapshot: ${message}`);
  }
}

function nameOf(schema: TableSchema, index: number): string {
  return schema.columns[index]?.name ?? '';
}

function same(actual: Value | undefined, shown: Value): boolean {
  if (shown instanceof Uint8Array || shown instanceof Float32Array) return isDeepStrictEqual(actual, shown);
  return Object.is(actual, shown);
}

/** Whether rows of both have the same layout: the binlog does not tell all that a definition says. */
function isComparable(a: RowShape, b: RowShape): boolean {
  const layout = ({ table, after }: RowShape): unknown => ({
    after,
    key: table.key,
    columns: table.columns.map(({ name, type, nullable, unsigned }) => ({ name, type, nullable, unsigned })),
  });
  return isDeepStrictEqual(layout(a), layout(b));
}
