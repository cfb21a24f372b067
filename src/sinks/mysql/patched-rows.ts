import { applyNestedPatches, DocumentUnfit } from '../../core/nested-patches.ts';
import type { Row } from '../../core/change.ts';
import type { NestedPatch, SinkRow } from '../../core/sink.ts';
import type { ColumnType } from '../../core/table-schema.ts';
import { nestedText, ValueUnfit } from './literals.ts';
import { RowUnfit } from './row-unfit.ts';
import { keySql, type TablePlan, type WriteColumn } from './table-plan.ts';
import type { TargetConnection } from './target-connection.ts';

export interface PatchOptions {
  readonly connection: TargetConnection;
  readonly planOf: (row: SinkRow) => TablePlan;
}

const WHOLE_NUMBERS: ReadonlySet<ColumnType | undefined> = new Set([
  'tinyint',
  'smallint',
  'mediumint',
  'int',
  'bigint',
]);

/**
 * The rows in pieces, each of which can be planned when the ones before it are written. Nearly always that is all of them; what a document is cannot be known
 * beforehand where two keys can be one row to the target (texts), or its foreign keys change rows by themselves: there the changes of one key stand alone.
 *
 * @throws RowUnfit
 */
export function patchPieces(rows: readonly SinkRow[], planOf: PatchOptions['planOf']): readonly (readonly SinkRow[])[] {
  if (!rows.some(isPatched)) return [rows];
  const plans = rows.map(planOf);
  const unforeseeable = new Set(plans.flatMap((plan) => (isForeseeable(plan) ? [] : plan.table)));
  const pieces: SinkRow[][] = [];
  let alone: string | null = null;
  for (const [i, row] of rows.entries()) {
    const plan = plans[i] as TablePlan;
    const former: string | null = alone;
    alone = isPatched(row) && unforeseeable.has(plan.table) ? `${plan.label} ${placesOf(row, plan).from}` : null;
    const piece = pieces.at(-1);
    if (piece === undefined || former !== alone) pieces.push([row]);
    else piece.push(row);
  }
  return pieces;
}

/**
 * The same rows with whole documents instead of patches. They are read in the transaction that writes them, locked until its end, and changed here: the
 * functions of the servers can neither find an element by its key nor keep the digits of every number.
 *
 * @throws RowUnfit, TidingsError
 */
export async function withWholeDocuments(
  rows: readonly SinkRow[],
  { connection, planOf }: PatchOptions,
): Promise<readonly SinkRow[]> {
  if (!rows.some(isPatched)) return rows;
  const planned = rows.map((row) => ({ row, plan: planOf(row) }));
  const tables = new Map<string, PatchedTable>();
  for (const { row, plan } of planned) {
    if (!isPatched(row)) continue;
    const table = tables.get(plan.table) ?? new PatchedTable();
    tables.set(plan.table, table);
    for (const [column] of patchesByColumn(row, plan)) table.columns.add(column.quoted);
  }
  for (const { row, plan } of planned) tables.get(plan.table)?.willNeed(row, plan);
  for (const [name, table] of tables) {
    // oxlint-disable-next-line no-await-in-loop -- over one connection
    await table.read(connection, name);
  }
  const whole: SinkRow[] = [];
  for (const { row, plan } of planned) {
    const table = tables.get(plan.table);
    if (table === undefined) whole.push(row);
    else table.take(row, plan, whole);
  }
  for (const table of tables.values()) table.end(whole);
  return whole;
}

/** What a row of the target has in the columns of which parts are changed. */
interface Stored {
  readonly isThere: boolean;
  readonly documents: ReadonlyMap<string, string | null>;
}

const NOT_THERE: Stored = { isThere: false, documents: new Map() };

/** One table of the target within a batch, perhaps with rows of several definitions. Columns go by their quoted names there, rows by the condition that finds them. */
class PatchedTable {
  readonly columns = new Set<string>();
  readonly #stored = new Map<string, Stored>();
  /** The last state of a document that was changed several times, as long as no other row touches it. */
  readonly #waiting = new Map<string, SinkRow>();

  willNeed(row: SinkRow, plan: TablePlan): void {
    const { from, to } = placesOf(row, plan);
    if (isPatched(row) || from !== to) this.#stored.set(from, NOT_THERE);
  }

  async read(connection: TargetConnection, table: string): Promise<void> {
    const columns = [...this.columns];
    const places = [...this.#stored.keys()];
    // Under names of ours: the driver refuses some of a table's. One that is always there, as patches of columns that are not written leave none.
    const shown = ['1', ...columns].map((sql, i) => `${sql} AS c${i}`).join(',');
    const results = await connection.rawResults(
      // Each by itself: no answer needs to be matched with a key, whatever the collation.
      places.map((place) => `SELECT ${shown} FROM ${table} WHERE ${place} FOR UPDATE`),
    );
    for (const [i, place] of places.entries()) {
      const found = results[i]?.[0];
      if (found === undefined) continue;
      const documents = new Map(columns.map((column, j) => [column, found[j + 1]?.toString('utf8') ?? null]));
      this.#stored.set(place, { isThere: true, documents });
    }
  }

  take(row: SinkRow, plan: TablePlan, out: SinkRow[]): void {
    const { from, to } = placesOf(row, plan);
    if (row.kind === 'delete') {
      this.#release(to, out);
      this.#stored.set(to, NOT_THERE);
      out.push(row);
      return;
    }
    const stored = this.#stored.get(from) ?? NOT_THERE;
    const whole = isPatched(row) ? patched(row, plan, stored) : row;
    if (whole === null) return;
    if (from !== to) this.#stored.set(from, NOT_THERE);
    this.#stored.set(to, after(whole, plan, stored));
    const earlier = this.#waiting.get(to);
    if (isPatched(row) && from === to && (earlier === undefined || earlier.target === row.target)) {
      const { kind, before } = earlier ?? whole;
      this.#waiting.set(to, { ...whole, kind, before, after: { ...earlier?.after, ...whole.after } });
      return;
    }
    this.#release(from, out);
    this.#release(to, out);
    out.push(whole);
  }

  end(out: SinkRow[]): void {
    out.push(...this.#waiting.values());
    this.#waiting.clear();
  }

  #release(place: string, out: SinkRow[]): void {
    const row = this.#waiting.get(place);
    if (row === undefined) return;
    this.#waiting.delete(place);
    out.push(row);
  }
}

function isPatched({ patches }: SinkRow): boolean {
  return patches !== undefined && patches.length > 0;
}

/** Whether what rows of a batch do to a row can be told by their keys' text alone. */
function isForeseeable({ target: { table }, foreignKeys }: TablePlan): boolean {
  return !foreignKeys.ordered && table.key.every((i) => WHOLE_NUMBERS.has(table.columns[i]?.type));
}

/** The row with its documents as they are then; null when there is nothing to be done. @throws RowUnfit */
function patched(row: SinkRow, plan: TablePlan, { isThere, documents }: Stored): SinkRow | null {
  const { kind, patches = [] } = row;
  if (kind === 'update' && !isThere) {
    // In what is not there is no such element.
    if (patches.every((patch) => patch.kind === 'remove')) return null;
    throw new RowUnfit(row, 'the target does not have the row of which it changes a part', { missing: true });
  }
  const texts = [...patchesByColumn(row, plan)].map(([{ name, quoted }, own]) => {
    try {
      return [name, applyNestedPatches(documents.get(quoted) ?? null, own)] as const;
    } catch (error) {
      throw error instanceof DocumentUnfit ? new RowUnfit(row, `column ${name}: ${error.message}`) : error;
    }
  });
  return {
    ...row,
    kind: isThere ? 'update' : kind,
    before: kind === 'update' ? row.before : null,
    after: { ...row.after, ...Object.fromEntries(texts) },
    patches: [],
  };
}

function after(row: SinkRow, plan: TablePlan, { documents }: Stored): Stored {
  const written = plan.columns.flatMap(({ name, quoted }) => {
    const value = row.after?.[name];
    return value === undefined ? [] : [[quoted, documentText(value)] as const];
  });
  return { isThere: true, documents: new Map([...documents, ...written]) };
}

function documentText(value: Row[string]): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : nestedText(value);
}

/** A row's patches by the column that they change; those of columns that the target is not to have are left out. */
function patchesByColumn(
  { patches = [] }: SinkRow,
  { columns }: TablePlan,
): ReadonlyMap<WriteColumn, readonly NestedPatch[]> {
  const byColumn = Map.groupBy(patches, ({ path: [name] }) => columns.find((column) => column.name === name));
  return new Map([...byColumn].flatMap(([column, own]) => (column === undefined ? [] : [[column, own] as const])));
}

/** The conditions that find the row before and after. @throws RowUnfit */
function placesOf(row: SinkRow, plan: TablePlan): { readonly from: string; readonly to: string } {
  try {
    const to = placeOf(plan, row.key ?? row.after ?? row.before ?? {});
    const { kind, before } = row;
    const tells = kind === 'update' && before !== null && plan.key.every(({ name }) => before[name] !== undefined);
    return { from: tells ? placeOf(plan, before) : to, to };
  } catch (error) {
    throw error instanceof ValueUnfit ? new RowUnfit(row, error.message) : error;
  }
}

function placeOf(plan: TablePlan, key: Row): string {
  const values = keySql(plan, key);
  const parts = plan.key.map(({ quoted }, i) => `${quoted}=${values[i]}`);
  // Definitions may name the columns of one key in another order.
  return parts.toSorted().join(' AND ');
}
