import { DatabaseSync } from 'node:sqlite';
import { TidingsError } from '../../core/errors.ts';

/** `TDGS`: tells the file from other SQLite databases. */
const APPLICATION_ID = 0x5444_4753;

/**
 * What leads from each version of the schema to the next; `PRAGMA user_version` counts how many were applied. Never changed once
 * released: only added to.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE streams (
    stream TEXT NOT NULL PRIMARY KEY,
    paused INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE groups (
    stream TEXT NOT NULL,
    name TEXT NOT NULL,
    paused INTEGER NOT NULL,
    epoch_limit INTEGER NOT NULL, -- no higher epoch was ever given to a member
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE checkpoints (
    stream TEXT NOT NULL,
    group_name TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    scn INTEGER NOT NULL,
    committed_ms INTEGER, -- null: where the group began
    epoch INTEGER NOT NULL,
    PRIMARY KEY (stream, group_name, "partition"),
    FOREIGN KEY (stream, group_name) REFERENCES groups (stream, name) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE snapshots (
    stream TEXT NOT NULL,
    id INTEGER NOT NULL,
    state TEXT NOT NULL,
    spec TEXT NOT NULL, -- JSON
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    error TEXT, -- JSON
    planned INTEGER NOT NULL, -- its tables are known
    PRIMARY KEY (stream, id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE snapshot_parts (
    stream TEXT NOT NULL,
    snapshot INTEGER NOT NULL,
    database_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    state TEXT NOT NULL,
    after TEXT, -- where the next chunk begins
    row_count INTEGER NOT NULL,
    estimate INTEGER NOT NULL,
    error TEXT, -- JSON
    PRIMARY KEY (stream, snapshot, database_name, table_name),
    FOREIGN KEY (stream, snapshot) REFERENCES snapshots (stream, id) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE seen_tables ( -- rows of them went into the stream
    stream TEXT NOT NULL,
    database_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    PRIMARY KEY (stream, database_name, table_name)
  ) STRICT, WITHOUT ROWID;
  `,
];

/**
 * Whether the file is a state that this version can work on, and whole. Changes nothing.
 *
 * @throws TidingsError STATE_NEWER, STATE_DAMAGED
 */
export function recognizeState(database: DatabaseSync, path: string): void {
  const version = pragma(database, 'user_version');
  const application = pragma(database, 'application_id');
  if (application !== APPLICATION_ID && (application !== 0 || version !== 0 || hasTables(database))) {
    throw new TidingsError('STATE_DAMAGED', `${path} is a database of something else`, { details: { path } });
  }
  if (version > MIGRATIONS.length) {
    throw new TidingsError(
      'STATE_NEWER',
      `${path} has version ${version} of the state, and this relay knows none after ${MIGRATIONS.length}`,
      { details: { path, version, known: MIGRATIONS.length } },
    );
  }
  checkPages(database, path);
  checkTables(database, { path, version });
}

/** Brings the file to this version's schema, all steps at once or none. */
export function migrateState(database: DatabaseSync): void {
  const version = pragma(database, 'user_version');
  if (version === MIGRATIONS.length) return;
  database.exec('BEGIN IMMEDIATE');
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`);
  database.exec('COMMIT');
}

function checkPages(database: DatabaseSync, path: string): void {
  // Keys that are there twice, too: the file is small.
  const [finding] = Object.values(database.prepare('PRAGMA integrity_check(1)').get() ?? {});
  if (finding !== 'ok') throw damaged(path, String(finding));
}

/** Pages that are whole may hold other tables than were made, and rows that belong to nothing: SQLite keeps no checksums. */
function checkTables(database: DatabaseSync, { path, version }: { path: string; version: number }): void {
  const made = new DatabaseSync(':memory:');
  try {
    for (const migration of MIGRATIONS.slice(0, version)) made.exec(migration);
    if (tablesOf(made) !== tablesOf(database)) throw damaged(path, 'its tables are not those that were made');
  } finally {
    made.close();
  }
  const orphan = database.prepare('PRAGMA foreign_key_check').get();
  if (orphan !== undefined) throw damaged(path, `a row of ${String(orphan['table'])} belongs to nothing`);
}

/** Without those that SQLite makes when somebody has it ANALYZE the file. */
function tablesOf(database: DatabaseSync): string {
  const tables = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*' ORDER BY name";
  return JSON.stringify(database.prepare(tables).all());
}

function damaged(path: string, finding: string): TidingsError {
  return new TidingsError('STATE_DAMAGED', `the relay's state is damaged: ${path}`, {
    cause: new Error(finding),
    details: { path },
  });
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

function hasTables(database: DatabaseSync): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() !== undefined;
}
