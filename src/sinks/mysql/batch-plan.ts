import type { Row } from '../../core/change.ts';
import type { SinkRow } from '../../core/sink.ts';
import { ValueUnfit } from './literals.ts';
import { RowUnfit } from './row-unfit.ts';
import {
  deleteRows,
  deleteWholeRow,
  insertRows,
  type KeyedRow,
  leniently,
  patchRow,
  patchWholeRow,
  type Statement,
  upsertRows,
  writeInPlace,
} from './statements.ts';
import { isIn, keySql, type TablePlan } from './table-plan.ts';

/** What becomes of one key of a table within a batch. */
interface KeyState {
  readonly key: readonly string[];
  /** What has the key at the beginning is deleted. */
  removed: boolean;
  /** The columns that are written then; null when nothing is. */
  after: Row | null;
  /** The last row that had a part in it. */
  row: SinkRow;
}

export interface PlanOptions {
  readonly planOf: (row: SinkRow) => TablePlan;
  /** A statement's longest text. */
  readonly bytesMax: number;
}

/**
 * Statements after which the target is as if each row had been written one by one, in order.
 *
 * Within a table rows of different keys do not depend on each other, so that only the last state of each key is written: what goes is deleted first, then
 * what is there in the end is written. Unique keys are thereby compared in their last state alone: values that change places between rows
 * are no conflict. What this is not true of is written at its place, behind all that came before in its table:
 * - a row of a table that has columns which the rows do not have, and further unique keys: it can be neither replaced nor upserted;
 * - an update of some columns that has nothing to be merged with: the row stays where it is, and changes there;
 * - rows that the target's foreign keys act upon: the order is kept, across all the tables that are linked by them.
 *
 * @throws RowUnfit
 */
export function planBatch(rows: readonly SinkRow[], options: PlanOptions): readonly Statement[] {
  return new BatchPlanner(options).plan(rows);
}

class BatchPlanner {
  readonly #options: PlanOptions;
  readonly #open = new Map<TablePlan, Map<string, KeyState>>();
  readonly #statements: Statement[] = [];
  /** The first half of a moved key, whose second half is next. */
  #movedFrom: SinkRow | null = null;

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  plan(rows: readonly SinkRow[]): readonly Statement[] {
    for (const row of rows) this.#take(row);
    this.#settleMove(null);
    for (const plan of this.#open.keys()) this.#flushPlan(plan);
    return this.#statements;
  }

  /** A moved key comes to a group as a delete and an insert; what foreign keys make of a move is not what they make of the two. */
  #take(row: SinkRow): void {
    const from = this.#settleMove(row);
    if (from !== null) {
      this.#add({ ...row, kind: 'update', before: from.before });
      return;
    }
    const waits = row.change.moved === 'from' && this.#options.planOf(row).foreignKeys.actsOnUpdate.size > 0;
    if (waits) this.#movedFrom = row;
    else this.#add(row);
  }

  /** The first half, if this row is the second one; otherwise it is written by itself. */
  #settleMove(row: SinkRow | null): SinkRow | null {
    const from = this.#movedFrom;
    this.#movedFrom = null;
    if (from === null) return null;
    if (row?.change.moved === 'to' && row.scn === from.scn && row.target === from.target) return from;
    this.#add(from);
    return null;
  }

  #add(row: SinkRow): void {
    const plan = this.#options.planOf(row);
    if (plan.foreignKeys.ordered) this.#flushOtherOrdered(plan);
    try {
      if (plan.style === 'append') this.#addKeyless(row, plan);
      else if (row.kind === 'delete') this.#delete(row, plan);
      else this.#write(row, plan);
    } catch (error) {
      throw error instanceof ValueUnfit ? new RowUnfit(row, error.message) : error;
    }
  }

  #delete(row: SinkRow, plan: TablePlan): void {
    const key = keySql(plan, row.key ?? row.before ?? {});
    if (!plan.foreignKeys.actsOnDelete || row.change.moved === 'from') {
      this.#remove(row, plan, key);
      return;
    }
    this.#flush(plan);
    this.#push(deleteRows(plan, [key], { bytesMax: this.#options.bytesMax, withForeignKeys: true }));
  }

  #write(row: SinkRow, plan: TablePlan): void {
    const after = row.after ?? {};
    const key = keySql(plan, row.key ?? after);
    const oldKey = oldKeyOf(row, plan) ?? key;
    const moved = oldKey.some((value, i) => value !== key[i]);
    if (row.kind === 'update' && actsOnUpdate(plan, row)) {
      this.#flush(plan);
      this.#push(patchRow(plan, { row, key: oldKey, after: changedOnly(row) }, { withForeignKeys: true }));
      return;
    }
    const isWhole = hasAll(plan, after);
    // A part of a document was made whole: the row's other columns are known nowhere else.
    if (row.kind === 'update' && (!isWhole || row.patches !== undefined)) {
      this.#patch(row, plan, { oldKey, moved });
      return;
    }
    if (!isWhole && row.change.moved === 'to') {
      throw new RowUnfit(row, 'its key moved, and only some of its columns were logged (binlog_row_image is not FULL)');
    }
    if (plan.style === 'in-place') {
      this.#flush(plan);
      this.#push(this.#lenientIfNeeded(plan, after, writeInPlace(plan, { key, after, row }, oldKey)));
      return;
    }
    if (moved) this.#remove(row, plan, oldKey);
    this.#put(row, plan, { key, isWhole });
  }

  /** Some columns of a row: merged with what is to be written of it, or changed where it is. */
  #patch(row: SinkRow, plan: TablePlan, { oldKey, moved }: { oldKey: readonly string[]; moved: boolean }): void {
    const after = row.after ?? {};
    const state = this.#open.get(plan)?.get(oldKey.join());
    if (!moved && state !== undefined && state.after !== null) {
      state.after = { ...state.after, ...after };
      state.row = row;
      return;
    }
    this.#flush(plan);
    this.#push(
      this.#lenientIfNeeded(plan, after, patchRow(plan, { row, key: oldKey, after }, { withForeignKeys: false })),
    );
  }

  #put(row: SinkRow, plan: TablePlan, { key, isWhole }: { key: readonly string[]; isWhole: boolean }): void {
    const state = this.#stateOf(plan, key, row);
    state.after = state.after === null || isWhole ? row.after : { ...state.after, ...row.after };
  }

  #remove(row: SinkRow, plan: TablePlan, key: readonly string[]): void {
    const state = this.#stateOf(plan, key, row);
    state.removed = true;
    state.after = null;
  }

  #stateOf(plan: TablePlan, key: readonly string[], row: SinkRow): KeyState {
    let states = this.#open.get(plan);
    if (states === undefined) {
      this.#flush(plan);
      states = new Map();
      this.#open.set(plan, states);
    }
    const text = key.length === 1 ? (key[0] ?? '') : key.join();
    let state = states.get(text);
    if (state === undefined) {
      state = { key, removed: false, after: null, row };
      states.set(text, state);
    }
    state.row = row;
    return state;
  }

  /** A table without a key: rows are told apart by all of their values. */
  #addKeyless(row: SinkRow, plan: TablePlan): void {
    const { kind, before, after } = row;
    const { bytesMax } = this.#options;
    if (kind === 'insert' || kind === 'upsert') {
      const insert = insertRows(plan, [{ key: [], after: after ?? {}, row }], bytesMax);
      this.#push(this.#lenientIfNeeded(plan, after ?? {}, insert));
      return;
    }
    if (before === null || !hasAll(plan, before)) {
      throw new RowUnfit(
        row,
        'the table has no key, and not all of its old values were logged (binlog_row_image is not FULL)',
      );
    }
    if (kind === 'delete') {
      this.#push([deleteWholeRow(plan, row, before)]);
      return;
    }
    const update = patchWholeRow(plan, row, { before, after: after ?? {} });
    this.#push(this.#lenientIfNeeded(plan, after ?? {}, [update]));
  }

  #flushOtherOrdered(plan: TablePlan): void {
    for (const other of this.#open.keys()) if (other !== plan && other.foreignKeys.ordered) this.#flush(other);
  }

  /** Whatever is open of the plan's table: rows of two definitions may have one key. */
  #flush({ table }: TablePlan): void {
    for (const plan of this.#open.keys()) if (plan.table === table) this.#flushPlan(plan);
  }

  #flushPlan(plan: TablePlan): void {
    const states = [...(this.#open.get(plan)?.values() ?? [])];
    this.#open.delete(plan);
    const { bytesMax } = this.#options;
    const removed = plan.style === 'replace' ? states : states.filter((state) => state.removed);
    const keys = removed.map(({ key }) => key);
    this.#push(deleteRows(plan, keys, { bytesMax, withForeignKeys: false }));
    const written = states.filter((state): state is KeyState & KeyedRow => state.after !== null);
    if (!plan.hasLenient) {
      this.#push(this.#written(plan, written));
      return;
    }
    const { strict = [], lenient = [] } = Object.groupBy(written, ({ after }) =>
      lenientColumns(plan, after).size > 0 ? 'lenient' : 'strict',
    );
    this.#push(this.#written(plan, strict));
    for (const state of lenient) this.#push(this.#lenientIfNeeded(plan, state.after, this.#written(plan, [state])));
  }

  #written(plan: TablePlan, rows: readonly KeyedRow[]): readonly Statement[] {
    const { bytesMax } = this.#options;
    switch (plan.style) {
      case 'upsert':
        return upsertRows(plan, rows, bytesMax);
      case 'replace':
        return insertRows(plan, rows, bytesMax);
      case 'append':
      case 'in-place':
        // Written at their place, one by one.
        return [];
    }
  }

  #lenientIfNeeded(plan: TablePlan, after: Row, statements: readonly Statement[]): readonly Statement[] {
    if (!plan.hasLenient) return statements;
    const columns = lenientColumns(plan, after);
    return columns.size === 0 ? statements : leniently(statements, columns);
  }

  #push(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statements.push(statement);
  }
}

/** Null where the change does not tell. */
function oldKeyOf({ kind, before }: SinkRow, plan: TablePlan): readonly string[] | null {
  if (kind !== 'update' || before === null) return null;
  return plan.key.every((column) => isIn(before, column)) ? keySql(plan, before) : null;
}

function hasAll({ columns }: TablePlan, row: Row): boolean {
  for (const column of columns) if (!column.optional && !isIn(row, column)) return false;
  return true;
}

function lenientColumns({ columns }: TablePlan, after: Row): ReadonlySet<string> {
  return new Set(
    columns
      .filter(({ name, lenientValue }) => lenientValue !== undefined && after[name] === lenientValue)
      .map(({ name }) => name),
  );
}

/** Whether an update changes a column that the target's foreign keys follow. */
function actsOnUpdate({ foreignKeys, columns }: TablePlan, { before, after }: SinkRow): boolean {
  if (foreignKeys.actsOnUpdate.size === 0 || before === null || after === null) return false;
  return columns.some((column) => {
    const { name, compared } = column;
    if (!foreignKeys.actsOnUpdate.has(name) || !isIn(before, column) || !isIn(after, column)) return false;
    const [old = null, now = null] = [before[name], after[name]];
    return old === null || now === null ? old !== now : compared(old) !== compared(now);
  });
}

/** The columns that an update has changed: with the others the target's foreign keys would look at what is none of their business. */
function changedOnly({ before, after }: SinkRow): Row {
  return Object.fromEntries(
    Object.entries(after ?? {}).filter(
      ([name, value]) => before === null || !Object.hasOwn(before, name) || before[name] !== value,
    ),
  );
}
