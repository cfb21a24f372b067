import { TidingsError } from '../../core/errors.ts';
import type {
  PartState,
  Snapshot,
  SnapshotFailure,
  SnapshotPart,
  SnapshotSpec,
  SnapshotState,
} from '../../core/snapshots/snapshot-state.ts';
import type { SnapshotOf } from './state-operations.ts';
import type { StatementCache } from './statement-cache.ts';

/** A stream keeps so many snapshots that are over, for whoever wants to see how they went. Initial ones say which tables have had theirs. */
const KEPT = 20;

/** The snapshots of a stream as rows of the relay's state. */
export class SnapshotRows {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  load(stream: string): readonly Snapshot[] {
    const parts = new Map<number, SnapshotPart[]>();
    for (const row of this.#statements.all(
      `SELECT snapshot, database_name, table_name, state, after, row_count, estimate, error FROM snapshot_parts
        WHERE stream = ? ORDER BY database_name, table_name`,
      stream,
    )) {
      const id = Number(row['snapshot']);
      const of = parts.get(id) ?? [];
      const { after, error } = row;
      of.push({
        database: String(row['database_name']),
        table: String(row['table_name']),
        state: String(row['state']) as PartState,
        after: typeof after === 'string' ? after : null,
        rows: Number(row['row_count']),
        estimate: Number(row['estimate']),
        error: typeof error === 'string' ? (JSON.parse(error) as SnapshotFailure) : null,
      });
      parts.set(id, of);
    }
    return this.#statements
      .all(
        'SELECT id, state, spec, created_ms, ended_ms, error, planned FROM snapshots WHERE stream = ? ORDER BY id',
        stream,
      )
      .map((row) => {
        const { ended_ms: endedMs, error } = row;
        const id = Number(row['id']);
        return {
          id,
          state: String(row['state']) as SnapshotState,
          spec: JSON.parse(String(row['spec'])) as SnapshotSpec,
          createdMs: Number(row['created_ms']),
          endedMs: typeof endedMs === 'number' ? endedMs : null,
          error: typeof error === 'string' ? (JSON.parse(error) as SnapshotFailure) : null,
          parts: row['planned'] === 1 ? (parts.get(id) ?? []) : null,
        };
      });
  }

  save({ stream, snapshot, parts: withParts }: SnapshotOf): void {
    const { id, state, spec, createdMs, endedMs, error, parts } = snapshot;
    this.#statements.run(
      `INSERT INTO snapshots (stream, id, state, spec, created_ms, ended_ms, error, planned)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET state = excluded.state, spec = excluded.spec, ended_ms = excluded.ended_ms, error = excluded.error, planned = excluded.planned`,
      stream,
      id,
      state,
      JSON.stringify(spec),
      createdMs,
      endedMs,
      error === null ? null : JSON.stringify(error),
      parts === null ? 0 : 1,
    );
    if (withParts) for (const part of parts ?? []) this.#insert(stream, id, part);
    this.#statements.run(
      `DELETE FROM snapshots WHERE stream = ? AND ended_ms IS NOT NULL AND id <= ? - ${KEPT}
        AND json_extract(spec, '$.reason') <> 'initial'`,
      stream,
      id,
    );
  }

  savePart(stream: string, id: number, part: SnapshotPart): void {
    const changed = this.#statements.run(
      `UPDATE snapshot_parts SET state = ?, after = ?, row_count = ?, estimate = ?, error = ?
        WHERE stream = ? AND snapshot = ? AND database_name = ? AND table_name = ?`,
      part.state,
      part.after,
      part.rows,
      part.estimate,
      part.error === null ? null : JSON.stringify(part.error),
      stream,
      id,
      part.database,
      part.table,
    );
    // Never "durable" for a place that is nowhere.
    if (changed !== 1) {
      throw new TidingsError(
        'SNAPSHOT_UNKNOWN',
        `stream ${stream} has no snapshot ${id} of ${part.database}.${part.table}`,
      );
    }
  }

  #insert(stream: string, id: number, part: SnapshotPart): void {
    this.#statements.run(
      `INSERT INTO snapshot_parts (stream, snapshot, database_name, table_name, state, after, row_count, estimate, error)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      stream,
      id,
      part.database,
      part.table,
      part.state,
      part.after,
      part.rows,
      part.estimate,
      part.error === null ? null : JSON.stringify(part.error),
    );
  }
}
