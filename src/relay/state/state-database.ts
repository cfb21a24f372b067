import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TidingsError } from '../../core/errors.ts';
import { failpoint } from '../../core/failpoint.ts';
import type { StoredCheckpoint, StoredGroup } from '../groups/group-store.ts';
import { directoryInUse, removeLockInfo, writeLockInfo } from './directory-lock.ts';
import { explainSqliteError, isSqliteBusy } from '../../drivers/sqlite/sqlite-errors.ts';
import type { GroupOf, StateOperation } from './state-operations.ts';
import { StatementCache } from './statement-cache.ts';
import { SnapshotRows } from './snapshot-rows.ts';
import { STATE_FILE } from './state-file.ts';
import { migrateState, recognizeState } from './state-schema.ts';

/** How one operation of several went. */
export type Outcome = { readonly answer: unknown } | { readonly error: unknown };

/** Two relays that start at the same moment may both see the other's lock; whoever waits this long has met a running one. */
const LOCK_WAIT_MS = 250;

/**
 * The file `state.db` of a data directory. Blocks while the disk works: it lives in a thread of its own (`state-worker.ts`).
 *
 * It is opened with SQLite's exclusive lock, which is the lock of the whole directory.
 */
export class StateDatabase {
  readonly #directory: string;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: StatementCache;
  readonly #snapshots: SnapshotRows;

  /** @throws TidingsError DIRECTORY_IN_USE, DIRECTORY_UNUSABLE, DISK_FULL, DISK_ERROR, STATE_DAMAGED, STATE_NEWER */
  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, STATE_FILE);
    let database: DatabaseSync | null = null;
    let locked = false;
    try {
      checkAccess(directory, this.#path);
      database = new DatabaseSync(this.#path, { timeout: LOCK_WAIT_MS });
      lock(database);
      locked = true;
      writeLockInfo(directory);
      recognizeState(database, this.#path);
      makeDurable(database);
      migrateState(database);
    } catch (error) {
      if (locked) removeLockInfo(directory);
      database?.close();
      throw isSqliteBusy(error)
        ? directoryInUse(directory, error)
        : explainSqliteError(error, { path: this.#path, starting: true });
    }
    this.#database = database;
    this.#statements = new StatementCache(database);
    this.#snapshots = new SnapshotRows(this.#statements);
  }

  /**
   * Runs operations in their order as one transaction: durable when this returns. One that cannot be carried out does not stop the
   * others.
   */
  run(operations: readonly StateOperation[]): readonly Outcome[] {
    try {
      return this.#transaction(operations);
    } catch (error) {
      const explained = explainSqliteError(error, { path: this.#path });
      const [only] = operations;
      // What the disk refused together it would refuse one by one.
      if (only === undefined || operations.length === 1 || isOfTheDisk(explained)) {
        return operations.map(() => ({ error: explained }));
      }
      return operations.flatMap((operation) => this.run([operation]));
    }
  }

  close(): void {
    // While the lock is held: afterwards the file may be the next relay's.
    removeLockInfo(this.#directory);
    this.#database.close();
  }

  #transaction(operations: readonly StateOperation[]): readonly Outcome[] {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const outcomes = operations.map((operation) => ({ answer: this.#perform(operation) }));
      this.#database.exec('COMMIT');
      return outcomes;
    } catch (error) {
      // Some failures, a full disk among them, have rolled back already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #perform(operation: StateOperation): unknown {
    switch (operation.kind) {
      case 'load-stream':
        return {
          paused:
            this.#statements.get('SELECT paused FROM streams WHERE stream = ?', operation.stream)?.['paused'] === 1,
        };
      case 'pause-stream':
        this.#statements.run(
          'INSERT INTO streams (stream, paused) VALUES (?, ?) ON CONFLICT DO UPDATE SET paused = excluded.paused',
          operation.stream,
          operation.paused ? 1 : 0,
        );
        return null;
      case 'load-groups':
        return this.#loadGroups(operation.stream);
      case 'create-group': {
        const { stream, group, partitions, scn, epochLimit, createdMs } = operation;
        this.#statements.run(
          'INSERT INTO groups (stream, name, paused, epoch_limit, created_ms) VALUES (?, ?, 0, ?, ?)',
          stream,
          group,
          epochLimit,
          createdMs,
        );
        for (let partition = 0; partition < partitions; partition++) {
          this.#insertCheckpoint(operation, { partition, scn, committedMs: null, epoch: 0 });
        }
        failpoint('checkpoint-write');
        return null;
      }
      case 'save-checkpoints':
        for (const checkpoint of operation.checkpoints) this.#updateCheckpoint(operation, checkpoint);
        failpoint('checkpoint-write');
        return null;
      case 'replace-checkpoints':
        this.#statements.run(
          'DELETE FROM checkpoints WHERE stream = ? AND group_name = ?',
          operation.stream,
          operation.group,
        );
        for (const checkpoint of operation.checkpoints) this.#insertCheckpoint(operation, checkpoint);
        failpoint('checkpoint-write');
        return null;
      case 'raise-epoch-limit':
        this.#updateGroup(
          operation,
          this.#statements.run(
            'UPDATE groups SET epoch_limit = ? WHERE stream = ? AND name = ?',
            operation.epochLimit,
            operation.stream,
            operation.group,
          ),
        );
        return null;
      case 'pause-group':
        this.#updateGroup(
          operation,
          this.#statements.run(
            'UPDATE groups SET paused = ? WHERE stream = ? AND name = ?',
            operation.paused ? 1 : 0,
            operation.stream,
            operation.group,
          ),
        );
        return null;
      case 'remove-group':
        this.#statements.run('DELETE FROM groups WHERE stream = ? AND name = ?', operation.stream, operation.group);
        return null;
      case 'load-snapshots':
        return this.#snapshots.load(operation.stream);
      case 'save-snapshot':
        this.#snapshots.save(operation);
        return null;
      case 'save-snapshot-part':
        this.#snapshots.savePart(operation.stream, operation.id, operation.part);
        failpoint('snapshot-noted');
        return null;
      case 'load-tables':
        return this.#statements
          .all('SELECT database_name, table_name FROM seen_tables WHERE stream = ?', operation.stream)
          .map((row) => ({ database: String(row['database_name']), name: String(row['table_name']) }));
      case 'add-tables':
        for (const { database, name } of operation.tables) {
          this.#statements.run(
            'INSERT INTO seen_tables (stream, database_name, table_name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
            operation.stream,
            database,
            name,
          );
        }
        return null;
    }
  }

  #loadGroups(stream: string): readonly StoredGroup[] {
    const checkpoints = new Map<string, StoredCheckpoint[]>();
    for (const row of this.#statements.all(
      'SELECT group_name, "partition", scn, committed_ms, epoch FROM checkpoints WHERE stream = ? ORDER BY "partition"',
      stream,
    )) {
      const name = String(row['group_name']);
      const of = checkpoints.get(name) ?? [];
      const committedMs = row['committed_ms'];
      of.push({
        partition: Number(row['partition']),
        scn: Number(row['scn']),
        committedMs: typeof committedMs === 'number' ? committedMs : null,
        epoch: Number(row['epoch']),
      });
      checkpoints.set(name, of);
    }
    return this.#statements
      .all('SELECT name, paused, epoch_limit FROM groups WHERE stream = ? ORDER BY name', stream)
      .map((row) => ({
        group: String(row['name']),
        paused: row['paused'] === 1,
        epochLimit: Number(row['epoch_limit']),
        checkpoints: checkpoints.get(String(row['name'])) ?? [],
      }));
  }

  #insertCheckpoint({ stream, group }: GroupOf, { partition, scn, committedMs, epoch }: StoredCheckpoint): void {
    this.#statements.run(
      'INSERT INTO checkpoints (stream, group_name, "partition", scn, committed_ms, epoch) VALUES (?, ?, ?, ?, ?, ?)',
      stream,
      group,
      partition,
      scn,
      committedMs,
      epoch,
    );
  }

  #updateCheckpoint({ stream, group }: GroupOf, { partition, scn, committedMs, epoch }: StoredCheckpoint): void {
    const changed = this.#statements.run(
      'UPDATE checkpoints SET scn = ?, committed_ms = ?, epoch = ? WHERE stream = ? AND group_name = ? AND "partition" = ?',
      scn,
      committedMs,
      epoch,
      stream,
      group,
      partition,
    );
    // Never "durable" for a checkpoint that is nowhere.
    this.#updateGroup({ stream, group }, changed);
  }

  #updateGroup({ stream, group }: GroupOf, changed: number): void {
    if (changed === 1) return;
    throw new TidingsError('GROUP_UNKNOWN', `stream ${stream} has no group ${group}`, { details: { stream, group } });
  }
}

/** SQLite would open what it may only read, and fail later with words that name neither file nor reason. */
function checkAccess(directory: string, path: string): void {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new TidingsError('DIRECTORY_UNUSABLE', `the data directory ${directory} cannot be used`, {
      cause: error,
      details: { directory },
    });
  }
}

/** From here on until `close` nobody else, not even another connection of this process, can open the file. */
function lock(database: DatabaseSync): void {
  // Before anything touches the file: a write-ahead log that is first opened in this mode has its index in the connection's own
  // memory, so that nothing is shared that a crash could leave behind.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.exec('BEGIN EXCLUSIVE');
  database.exec('COMMIT');
}

function makeDurable(database: DatabaseSync): void {
  database.exec('PRAGMA journal_mode = WAL');
  // With FULL the write-ahead log is synced before COMMIT returns; with NORMAL it would be some time later.
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA foreign_keys = ON');
}

function isOfTheDisk(error: unknown): boolean {
  return error instanceof TidingsError && (error.code === 'DISK_FULL' || error.code === 'DISK_ERROR');
}
