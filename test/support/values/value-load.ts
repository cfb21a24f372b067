import type { Connection } from 'mysql2/promise';
import type { ChangeKind, Value } from '../../../src/core/change.ts';
import type { TestServer } from '../servers/test-server.ts';
import type { Dice } from './dice.ts';
import { BUMP, ROW_ID, type RandomTable, type TableColumn } from './random-table.ts';
import { bytesLiteral, quoteName } from './texts.ts';

/** A row as SELECT shows it. */
export type ShownRow = ReadonlyMap<string, Value>;

/** A change that must come out of the stream. */
export interface ExpectedChange {
  readonly table: RandomTable;
  readonly kind: ChangeKind;
  readonly image: RowImage;
  readonly before: ShownRow | null;
  readonly after: ShownRow | null;
}

/** Reads all rows of a table as a snapshot does. */
export interface SnapshotTaker {
  take(table: RandomTable, shown: ReadonlyMap<number, ShownRow>): Promise<void>;
}

export type RowImage = 'FULL' | 'FULL_NODUP' | 'MINIMAL' | 'NOBLOB';

/** Modes that differ in what they let into a column, or how they read a literal's text. */
const SQL_MODES = [
  '',
  '',
  'ALLOW_INVALID_DATES',
  'STRICT_ALL_TABLES',
  'NO_ZERO_DATE,NO_ZERO_IN_DATE',
  'ANSI_QUOTES,NO_BACKSLASH_ESCAPES',
  'ALLOW_INVALID_DATES,STRICT_TRANS_TABLES',
];
const TIME_ZONES = ['+00:00', '+05:45', '-11:00', '+13:00', 'SYSTEM'];

/**
 * Writes random rows into random tables, and notes what each statement must come out as. The notes are made from SELECT alone, over
 * a connection of its own that gets bytes and whose time zone is UTC; nothing of the code under test has a part in them.
 */
export class ValueLoad implements AsyncDisposable {
  readonly changes: ExpectedChange[] = [];
  /** Statements that the server refused, by error code: a table is too wide, a value not allowed. */
  readonly refused: Map<string, number> = new Map();
  /** Statements in all. */
  statements = 0;
  readonly #dice: Dice;
  readonly #writer: Connection;
  readonly #reader: Connection;

  private constructor(dice: Dice, writer: Connection, reader: Connection) {
    this.#dice = dice;
    this.#writer = writer;
    this.#reader = reader;
  }

  static async open(server: TestServer, dice: Dice, database: string): Promise<ValueLoad> {
    const writer = await server.connection({ charset: 'utf8mb4', database });
    const reader = await server.connection({
      charset: 'utf8mb4',
      database,
      typeCast: (field) => field.buffer(),
      rowsAsArray: true,
    });
    await reader.query("SET SESSION time_zone = '+00:00', sql_mode = ''");
    return new ValueLoad(dice, writer, reader);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.end();
    await this.#reader.end();
  }

  async set(sql: string): Promise<void> {
    await this.#writer.query(sql);
  }

  /** True when the server has taken it. */
  async create(table: RandomTable): Promise<boolean> {
    return await this.run(table.create);
  }

  /** Inserts, updates one by one and all at once, and (unless `keep`) deletes again. */
  async fill(
    table: RandomTable,
    {
      rows,
      image,
      firstId,
      keep,
      snapshot,
    }: { rows: number; image: RowImage; firstId: number; keep: boolean; snapshot: SnapshotTaker },
  ): Promise<void> {
    const dice = this.#dice;
    const literal = "''";
    await this.set(
      `SET SESSION binlog_row_image = ${image}, time_zone = '${dice.pick(TIME_ZONES)}', sql_mode = ${literal}`,
    );
    await this.set(`SET SESSION sql_mode = '${dice.pick(SQL_MODES)}'`);
    const none = await this.#select(table);
    for (let id = firstId; id < firstId + rows;) {
      const count = Math.min(firstId + rows - id, dice.pick([1, 3, 10]));
      await this.run(this.#insert(table, id, { count, image }));
      id += count;
    }
    const inserted = await this.#select(table);
    this.#note(table, {
      kind: 'insert',
      image,
      from: none,
      to: inserted,
      ids: [...inserted.keys()].filter((id) => !none.has(id)),
    });

    await snapshot.take(table, inserted);

    const single = dice.shuffled([...inserted.keys()]).slice(0, rows);
    for (const id of single) {
      await this.run(
        `UPDATE IGNORE ${quoteName(table.name)} SET ${this.#assignments(table)} WHERE ${quoteName(ROW_ID)} = ${id}`,
      );
    }
    const updated = await this.#select(table);
    this.#note(table, { kind: 'update', image, from: inserted, to: updated, ids: single });

    await this.run(
      `UPDATE IGNORE ${quoteName(table.name)} SET ${this.#assignments(table)} ORDER BY ${quoteName(ROW_ID)}`,
    );
    const again = await this.#select(table);
    this.#note(table, { kind: 'update', image, from: updated, to: again, ids: [...again.keys()] });

    await snapshot.take(table, again);

    const first = dice.shuffled([...again.keys()]).slice(0, rows >> 1);
    for (const id of first) {
      await this.run(`DELETE FROM ${quoteName(table.name)} WHERE ${quoteName(ROW_ID)} = ${id}`);
    }
    const left = [...again.keys()].filter((id) => !first.includes(id));
    if (!keep) await this.run(`DELETE FROM ${quoteName(table.name)} ORDER BY ${quoteName(ROW_ID)}`);
    const remaining = await this.#select(table);
    const gone = [...first, ...left].filter((id) => !remaining.has(id));
    this.#note(table, { kind: 'delete', image, from: again, to: remaining, ids: gone });
  }

  /** Runs a statement that the server may refuse; true when it did not. */
  async run(sql: string): Promise<boolean> {
    this.statements++;
    try {
      await this.#writer.query(sql);
      return true;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined || code === 'ER_PARSE_ERROR') throw error;
      this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
      return false;
    }
  }

  #note(
    table: RandomTable,
    {
      kind,
      image,
      from,
      to,
      ids,
    }: { kind: 'insert' | 'update' | 'delete'; image: RowImage; from: Shown; to: Shown; ids: readonly number[] },
  ): void {
    for (const id of ids) {
      const before = kind === 'insert' ? null : (from.get(id) ?? null);
      const after = kind === 'delete' ? null : (to.get(id) ?? null);
      // Not bumped: the statement was refused, or left the row alone as its new key is taken.
      if (kind === 'update' && before?.get(BUMP) === after?.get(BUMP)) continue;
      this.changes.push({ table, kind, image, before, after });
    }
  }

  #insert(table: RandomTable, from: number, { count, image }: { count: number; image: RowImage }): string {
    const dice = this.#dice;
    const some = image !== 'FULL' && dice.oneIn(2);
    const columns = writable(table).filter(
      ({ name }) => !some || name === ROW_ID || name === BUMP || table.key.includes(name) || dice.oneIn(2),
    );
    const rows = dice.list(
      count,
      (i) =>
        `(${columns.map((column) => (column.name === ROW_ID ? String(from + i) : this.#value(column, table))).join(', ')})`,
    );
    return `INSERT IGNORE INTO ${quoteName(table.name)} (${columns.map(({ name }) => quoteName(name)).join(', ')}) VALUES ${rows.join(', ')}`;
  }

  #assignments(table: RandomTable): string {
    const dice = this.#dice;
    const able = writable(table).filter(({ name }) => name !== ROW_ID && name !== BUMP);
    const chosen = dice.shuffled(able).slice(0, dice.pick([0, 1, 2, able.length]));
    const own = chosen.map((column) => {
      const name = quoteName(column.name);
      const isChange = column.type.change !== undefined && dice.oneIn(2);
      return `${name} = ${isChange ? column.type.change?.(name, dice) : this.#value(column, table)}`;
    });
    return [...own, `${quoteName(BUMP)} = ${quoteName(BUMP)} + ${dice.between(1, 1000)}`].join(', ');
  }

  #value(column: TableColumn, table: RandomTable): string {
    if (column.nullable && !table.key.includes(column.name) && this.#dice.oneIn(6)) return 'NULL';
    return column.type.value(this.#dice);
  }

  async #select(table: RandomTable): Promise<Shown> {
    const columns = table.columns.map(({ name, type }, i) => `${type.select(quoteName(name))} AS v${i}`);
    const [rows] = await this.#reader.query(
      `SELECT ${[quoteName(ROW_ID), ...columns].join(', ')} FROM ${quoteName(table.name)} ORDER BY ${quoteName(ROW_ID)}`,
    );
    const shown = new Map<number, ShownRow>();
    for (const [id, ...raw] of rows as unknown as (Buffer | null)[][]) {
      const values = table.columns.map(({ name, type }, i): [string, Value] => {
        const bytes = raw[i] ?? null;
        return [name, bytes === null ? null : type.expected(bytes)];
      });
      shown.set(Number(String(id)), new Map(values));
    }
    return shown;
  }
}

type Shown = ReadonlyMap<number, ShownRow>;

function writable(table: RandomTable): readonly TableColumn[] {
  return table.columns.filter(({ generated }) => generated === null);
}

/** For messages: a value as its bytes, so that nothing is hidden. */
export function described(value: Value | undefined): string {
  if (value === undefined) return 'absent';
  if (typeof value === 'string') return `${JSON.stringify(value)} ${Buffer.from(value).toString('hex')}`;
  if (value instanceof Uint8Array) return bytesLiteral(value);
  if (value instanceof Float32Array) return `Float32Array ${[...value].join()}`;
  return `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`;
}
