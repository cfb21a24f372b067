import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { deserialize, serialize } from 'node:v8';
import type { StreamChange } from '../core/consumer.ts';
import type { DeadLetter, DeadLetterReason } from '../core/sink-service.ts';
import { TidingsError } from '../core/errors.ts';
import { explainSqliteError } from '../drivers/sqlite/sqlite-errors.ts';

export interface ReaderName {
  readonly name: string;
  /** Where reading under it begins. */
  readonly after: number;
  /** The one before, for as long as the store's checkpoint has not come to `after`. */
  readonly former: string | null;
}

export type NewDeadLetter = Pick<DeadLetter, 'sink' | 'chain' | 'target' | 'change' | 'reason' | 'parkedMs'>;

/** `TDGD` */
const APPLICATION_ID = 0x5444_4744;
const VERSION = 3;
const WHAT = 'the dead letters';
const SCHEMA = `
  CREATE TABLE letters (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    sink TEXT NOT NULL,
    chain TEXT NOT NULL,
    target TEXT,
    scn INTEGER NOT NULL,
    half TEXT NOT NULL, -- of an update that moved the key: 'from' or 'to'
    change BLOB NOT NULL,
    reason TEXT, -- JSON
    attempts INTEGER NOT NULL,
    parked_ms INTEGER NOT NULL,
    tried_ms INTEGER,
    edited INTEGER NOT NULL,
    UNIQUE (sink, chain, scn, half)
  ) STRICT;
  CREATE TABLE sinks (
    name TEXT NOT NULL PRIMARY KEY,
    paused INTEGER NOT NULL DEFAULT 0,
    reader TEXT, -- JSON: the name under which a reader without a group has begun
    written INTEGER NOT NULL DEFAULT 0, -- an SCN that the store has
    begins INTEGER NOT NULL DEFAULT 0 -- 1: its group was new, and its store does not know of it yet
  ) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};
`;

/** From each version to the next, from version 1 on. */
const MIGRATIONS = [
  'ALTER TABLE sinks ADD COLUMN written INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE sinks ADD COLUMN begins INTEGER NOT NULL DEFAULT 0',
];

/**
 * Dead letters, and what is to be remembered of sinks, in the file `sinks.db` of a data directory. Everything is durable when a call returns:
 * calls block for as long as the disk takes, which is why only what is rare goes through here.
 */
export class DeadLetterStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws TidingsError STATE_DAMAGED, STATE_NEWER, DISK_ERROR */
  constructor(directory: string) {
    const path = join(directory, 'sinks.db');
    this.#path = path;
    try {
      this.#database = new DatabaseSync(path, { timeout: 1000 });
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      this.#prepareSchema(path);
    } catch (error) {
      throw explainSqliteError(error, { path, what: WHAT });
    }
  }

  /** What was set aside before is left as it is. Returns for each whether it is new. */
  add(letters: readonly NewDeadLetter[]): readonly boolean[] {
    const isNew: boolean[] = [];
    this.#transaction(() => {
      for (const { sink, chain, target, change, reason, parkedMs } of letters) {
        const changes = this.#run(
          `INSERT OR IGNORE INTO letters (sink, chain, target, scn, half, change, reason, attempts, parked_ms, edited)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
          [
            sink,
            chain,
            target,
            change.scn,
            change.moved ?? '',
            serialize(change),
            reason === null ? null : JSON.stringify(reason),
            reason === null ? 0 : 1,
            parkedMs,
          ],
        );
        isNew.push(changes > 0);
      }
    });
    return isNew;
  }

  /** By number; those of one chain in the order in which they are to be written. */
  list(
    sink: string,
    {
      chain,
      after = 0,
      limit = -1,
    }: { readonly chain?: string; readonly after?: number; readonly limit?: number } = {},
  ): readonly DeadLetter[] {
    const sql =
      chain === undefined
        ? 'SELECT * FROM letters WHERE sink = ? AND id > ? ORDER BY id LIMIT ?'
        : 'SELECT * FROM letters WHERE sink = ? AND id > ? AND chain = ? ORDER BY scn, half, id LIMIT ?';
    const values = [sink, after, ...(chain === undefined ? [] : [chain]), limit];
    return this.#all(sql, values).map((row) => letterOf(row as unknown as LetterRow));
  }

  get(sink: string, id: number): DeadLetter | null {
    const [row] = this.#all('SELECT * FROM letters WHERE sink = ? AND id = ?', [sink, id]);
    return row === undefined ? null : letterOf(row as unknown as LetterRow);
  }

  /** How many changes each chain has. */
  chains(sink: string): ReadonlyMap<string, number> {
    const rows = this.#all('SELECT chain, COUNT(*) AS letters FROM letters WHERE sink = ? GROUP BY chain', [sink]);
    return new Map(rows.map(({ chain, letters }) => [String(chain), Number(letters)]));
  }

  tried(id: number, reason: DeadLetterReason, triedMs: number): void {
    this.#run('UPDATE letters SET reason = ?, attempts = attempts + 1, tried_ms = ? WHERE id = ?', [
      JSON.stringify(reason),
      triedMs,
      id,
    ]);
  }

  edit(id: number, change: StreamChange): void {
    this.#run('UPDATE letters SET change = ?, edited = 1 WHERE id = ?', [serialize(change), id]);
  }

  remove(ids: readonly number[]): void {
    this.#transaction(() => {
      for (const id of ids) this.#run('DELETE FROM letters WHERE id = ?', [id]);
    });
  }

  isPaused(sink: string): boolean {
    return this.#all('SELECT paused FROM sinks WHERE name = ?', [sink])[0]?.['paused'] === 1;
  }

  setPaused(sink: string, paused: boolean): void {
    this.#run(
      'INSERT INTO sinks (name, paused) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused',
      [sink, paused ? 1 : 0],
    );
  }

  /** Under which name the sink reads without a group, and since which SCN; null: it has not begun so. */
  reader(sink: string): ReaderName | null {
    const text = this.#all('SELECT reader FROM sinks WHERE name = ?', [sink])[0]?.['reader'];
    return typeof text === 'string' ? (JSON.parse(text) as ReaderName) : null;
  }

  setReader(sink: string, reader: ReaderName): void {
    this.#run(
      'INSERT INTO sinks (name, reader) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET reader = excluded.reader',
      [sink, JSON.stringify(reader)],
    );
  }

  /** An SCN that the sink's store has had; 0: none is known. */
  written(sink: string): number {
    return Number(this.#all('SELECT written FROM sinks WHERE name = ?', [sink])[0]?.['written'] ?? 0);
  }

  setWritten(sink: string, scn: number): void {
    this.#run(
      'INSERT INTO sinks (name, written) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET written = excluded.written',
      [sink, scn],
    );
  }

  /** The sink has begun with a group that was new, and its store may not know of it yet. */
  begins(sink: string): boolean {
    return this.#all('SELECT begins FROM sinks WHERE name = ?', [sink])[0]?.['begins'] === 1;
  }

  setBegins(sink: string, begins: boolean): void {
    this.#run(
      'INSERT INTO sinks (name, begins) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET begins = excluded.begins',
      [sink, begins ? 1 : 0],
    );
  }

  close(): void {
    this.#database.close();
  }

  #prepareSchema(path: string): void {
    const version = this.#pragma('user_version');
    const application = this.#pragma('application_id');
    const isEmpty = this.#database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    if (version === 0 && application === 0 && isEmpty) {
      this.#transaction(() => this.#database.exec(SCHEMA));
      return;
    }
    if (application !== APPLICATION_ID) {
      throw new TidingsError('STATE_DAMAGED', `${path} is a database of something else`, { details: { path } });
    }
    for (const [index, sql] of MIGRATIONS.entries()) {
      const to = index + 2;
      if (version < to) this.#transaction(() => this.#database.exec(`${sql}; PRAGMA user_version = ${to}`));
    }
    if (version > VERSION) {
      throw new TidingsError(
        'STATE_NEWER',
        `${path} has version ${version}, and this version knows none after ${VERSION}`,
        {
          details: { path, version, known: VERSION },
        },
      );
    }
  }

  #pragma(name: 'user_version' | 'application_id'): number {
    return Number(this.#database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw explainSqliteError(error, { path: this.#path, what: WHAT });
    }
  }

  /** Returns how many rows it has changed. */
  #run(sql: string, values: readonly SQLInputValue[]): number {
    try {
      return Number(this.#statement(sql).run(...values).changes);
    } catch (error) {
      throw explainSqliteError(error, { path: this.#path, what: WHAT });
    }
  }

  #all(sql: string, values: readonly SQLInputValue[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

interface LetterRow {
  readonly id: number;
  readonly sink: string;
  readonly chain: string;
  readonly target: string | null;
  readonly change: Uint8Array;
  readonly reason: string | null;
  readonly attempts: number;
  readonly parked_ms: number;
  readonly tried_ms: number | null;
  readonly edited: number;
}

function letterOf(row: LetterRow): DeadLetter {
  return {
    id: row.id,
    sink: row.sink,
    chain: row.chain,
    target: row.target,
    change: deserialize(row.change) as StreamChange,
    reason: row.reason === null ? null : (JSON.parse(row.reason) as DeadLetterReason),
    attempts: row.attempts,
    parkedMs: row.parked_ms,
    triedMs: row.tried_ms,
    edited: row.edited === 1,
  };
}
