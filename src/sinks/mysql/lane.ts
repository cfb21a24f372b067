import { TidingsError } from '../../core/errors.ts';
import { type RefusedRow, RowsRefused, type SinkBatch, type SinkContext, type SinkRow } from '../../core/sink.ts';
import { planBatch } from './batch-plan.ts';
import type { Checkpoints } from './checkpoints.ts';
import { patchPieces, withWholeDocuments } from './patched-rows.ts';
import { findRefused, rowFailure, runStatements } from './run-statements.ts';
import type { TablePlan } from './table-plan.ts';
import { STRICT_MODE, type TargetConnection } from './target-connection.ts';
import type { TargetServer } from './target-server.ts';
import { isConflict } from './write-errors.ts';

export interface LaneOptions {
  readonly context: SinkContext;
  readonly connect: () => Promise<TargetConnection>;
  readonly checkpoints: Checkpoints;
  readonly server: () => TargetServer;
  readonly planOf: (row: SinkRow) => TablePlan;
  /** Names that may stand in messages. */
  readonly names: ReadonlySet<string>;
  /** A multi-row statement's longest text. */
  readonly statementBytesMax: number;
}

/** Before the target ends a session that was silent for two minutes. */
const IDLE_MAX_MS = 60_000;
const CONFLICTS_MAX = 8;
const CONFLICT_PAUSE_MS = 20;
const REFUSED_MAX = 100;
/** Rows of a transaction that goes on are kept up to here, so that it can be written again. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

/** One lane's connection, and the transaction that is open on it. */
export class Lane {
  readonly #options: LaneOptions;
  #connection: TargetConnection | null = null;
  #usedAtMs = 0;
  /** The batches of a source's transaction that is not at its end. */
  #begun: { readonly rows: (readonly SinkRow[])[]; bytes: number; isOpen: boolean } | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** @throws RowsRefused; TidingsError */
  async write(batch: SinkBatch): Promise<void> {
    const { clock, signal } = this.#options.context;
    for (let conflicts = 1; ; conflicts++) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- attempts follow one another
        await this.#attempt(batch);
        return;
      } catch (error) {
        // oxlint-disable-next-line no-await-in-loop
        if (!(error instanceof RowsRefused)) await this.#undo();
        if (!isConflict(error) || conflicts >= CONFLICTS_MAX) throw error;
        // oxlint-disable-next-line no-await-in-loop
        await clock.sleep(CONFLICT_PAUSE_MS * conflicts * (0.5 + Math.random()), signal);
      }
    }
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
    if (this.#begun !== null) this.#begun.isOpen = false;
  }

  async #attempt(batch: SinkBatch): Promise<void> {
    const connection = await this.#connected();
    const { checkpoints } = this.#options;
    const continues = this.#begun !== null;
    if (!continues && batch.rows.length === 0 && batch.checkpoints.length === 0) return;
    if (!(await this.#begin(connection, batch))) return;
    try {
      const bytes = await this.#run(connection, batch.rows);
      if (batch.endsTransaction) await this.#end(connection, batch);
      else this.#keep(batch, bytes);
    } catch (error) {
      if (rowFailure(error) === null) throw error;
      throw await this.#refused(connection, batch, continues);
    }
    if (batch.endsTransaction) {
      checkpoints.moved(batch.checkpoints);
      this.#begun = null;
    }
    this.#usedAtMs = this.#options.context.clock.nowMs();
  }

  async #connected(): Promise<TargetConnection> {
    const { clock } = this.#options.context;
    const isIdle = this.#begun?.isOpen !== true && clock.nowMs() - this.#usedAtMs > IDLE_MAX_MS;
    if (this.#connection !== null && (this.#connection.closed || isIdle)) this.close();
    this.#connection ??= await this.#options.connect();
    this.#usedAtMs = clock.nowMs();
    return this.#connection;
  }

  /** Opens the transaction, unless it is open. False when the batch turns out to be in the target already. */
  async #begin(connection: TargetConnection, batch: SinkBatch): Promise<boolean> {
    const { checkpoints } = this.#options;
    const begun = this.#begun;
    if (begun?.isOpen === true) {
      await connection.execute('SAVEPOINT tidings_batch', 'set a savepoint');
      return true;
    }
    const movesNow = begun === null && batch.endsTransaction && batch.checkpoints.length > 0;
    const first = movesNow
      ? checkpoints.moveSql(batch.checkpoints)
      : checkpoints.holdSql(begun === null ? partitionsOf(batch) : [], batch.lane === 'serial');
    const results = await connection.execute(`START TRANSACTION;${first.sql}`, 'move the checkpoints');
    if (results[1]?.matched !== first.matches) {
      if (await this.#isDone(connection, batch)) return false;
      throw checkpoints.fenced();
    }
    if (begun !== null) {
      if (await this.#isDone(connection, batch, { keepsOpen: true })) return false;
      if (begun.bytes > KEPT_BYTES_MAX) {
        throw new TidingsError(
          'SINK_TRANSACTION_LOST',
          'the connection was lost inside a long transaction of the source',
        );
      }
      for (const rows of begun.rows) {
        // oxlint-disable-next-line no-await-in-loop -- in the order in which they came
        await this.#run(connection, rows);
      }
      begun.isOpen = true;
      await connection.execute('SAVEPOINT tidings_batch', 'set a savepoint');
    }
    return true;
  }

  /** Whether the commit of this very batch was done, and only its answer lost. */
  async #isDone(connection: TargetConnection, batch: SinkBatch, { keepsOpen = false } = {}): Promise<boolean> {
    const { checkpoints } = this.#options;
    if (!keepsOpen) await connection.execute('ROLLBACK', 'roll back');
    if (!(await checkpoints.areThere(connection, batch.checkpoints))) return false;
    if (keepsOpen) await connection.execute('ROLLBACK', 'roll back');
    checkpoints.moved(batch.checkpoints);
    this.#begun = null;
    return true;
  }

  /** Writes rows in the open transaction, and returns how much text that took. @throws RowsFailed, RowUnfit, TidingsError */
  async #run(connection: TargetConnection, rows: readonly SinkRow[], { oneByOne = false } = {}): Promise<number> {
    const { planOf, statementBytesMax, server, names } = this.#options;
    const { packetBytesMax } = server();
    // A unit of text may take three bytes on the way.
    const bytesMax = Math.min(statementBytesMax, Math.floor(packetBytesMax / 4));
    let length = 0;
    for (const piece of patchPieces(rows, planOf)) {
      // oxlint-disable-next-line no-await-in-loop -- in order, over one connection
      const whole = await withWholeDocuments(piece, { connection, planOf });
      const statements = planBatch(whole, { planOf, bytesMax });
      // oxlint-disable-next-line no-await-in-loop -- as above
      await runStatements(connection, statements, { packetBytesMax, names, oneByOne });
      length += statements.reduce((sum, { sql }) => sum + sql.length, 0);
    }
    return length;
  }

  async #end(connection: TargetConnection, batch: SinkBatch): Promise<void> {
    const { checkpoints } = this.#options;
    if (this.#begun !== null && batch.checkpoints.length > 0) {
      const move = checkpoints.moveSql(batch.checkpoints);
      const [result] = await connection.execute(move.sql, 'move the checkpoints');
      if (result?.matched !== move.matches) throw checkpoints.fenced();
    }
    await connection.execute('COMMIT', 'commit');
  }

  #keep({ rows }: SinkBatch, bytes: number): void {
    this.#begun ??= { rows: [], bytes: 0, isOpen: true };
    this.#begun.bytes += bytes;
    if (this.#begun.bytes <= KEPT_BYTES_MAX) this.#begun.rows.push(rows);
    else this.#begun.rows.length = 0;
  }

  /** Finds the rows that failed, and undoes the batch. */
  async #refused(connection: TargetConnection, batch: SinkBatch, continues: boolean): Promise<RowsRefused> {
    const restore = `SET SESSION sql_mode='${STRICT_MODE}', foreign_key_checks=0`;
    await connection.execute(
      `${continues ? 'ROLLBACK TO SAVEPOINT tidings_batch' : 'ROLLBACK;START TRANSACTION'};${restore}`,
      'roll back',
    );
    const found = await findRefused(batch.rows, {
      connection,
      refusedMax: REFUSED_MAX,
      attempt: async (rows, options) => {
        try {
          await this.#run(connection, rows, options);
        } catch (error) {
          if (rowFailure(error) !== null) await connection.execute(restore, 'set up the session');
          throw error;
        }
      },
    });
    await connection.execute(continues ? 'ROLLBACK TO SAVEPOINT tidings_batch' : 'ROLLBACK', 'roll back');
    if (found.length === 0) {
      // Written in halves the rows do no harm: whatever was in their way has gone meanwhile.
      throw new TidingsError('SINK_BUSY', 'rows were refused that are not when they are written again');
    }
    return new RowsRefused(
      found.map((refusal) => this.#refusedRow(batch.rows[refusal.index] as SinkRow, refusal)),
      { areOthersDurable: false },
    );
  }

  #refusedRow(
    row: SinkRow,
    { index, reason, missing }: { index: number; reason: string; missing: boolean },
  ): RefusedRow {
    const { label } = this.#options.planOf(row);
    const error = new TidingsError(
      missing ? 'SINK_ROW_MISSING' : 'SINK_ROW_REFUSED',
      `${label}: a row is refused: ${reason}`,
      {
        details: { target: label, scn: row.scn },
      },
    );
    return { index, error };
  }

  /** After a failure nothing of the transaction stands: what was begun is written again with the next attempt. */
  async #undo(): Promise<void> {
    const connection = this.#connection;
    if (this.#begun !== null) this.#begun.isOpen = false;
    if (connection === null || connection.closed) return;
    await connection
      .execute(`ROLLBACK;SET SESSION sql_mode='${STRICT_MODE}', foreign_key_checks=0`, 'roll back')
      .catch(() => this.close());
  }
}

function partitionsOf({ rows }: SinkBatch): readonly number[] {
  return rows.flatMap(({ change: { partition } }) => (partition === undefined ? [] : [partition]));
}
