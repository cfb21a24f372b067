import type { Column } from '../../../core/table-schema.ts';
import type { CharsetAndCollation, TableDefinition } from '../schema/table-definition.ts';
import { isHashColumn } from '../schema/table-definition.ts';
import type { AlterClause, AlterStatement, ColumnPosition } from './alter-clauses.ts';
import { IMPLICIT_ROW_PERIOD, periodColumns, tableCharset, uniqueColumns, uniqueKeys } from './build-table.ts';
import { resolveCharset } from './charsets.ts';
import type { WrittenColumn } from './column-parser.ts';
import type { DdlContext } from './effect.ts';
import { foldName } from './fold-name.ts';
import { refuseLongerUnique, refuseLongUnique } from './long-unique.ts';
import { findColumn, notNull, requireColumn, resolveKey } from './primary-key.ts';
import { convertColumn, resolveColumn } from './resolve-column.ts';
import type { KeyPart, TableElement } from './table-elements.ts';
import { NotUnderstood } from './token-reader.ts';

/** A column on its way through ALTER TABLE. `original` is its index before, -1 for a new one. */
interface Slot {
  readonly column: Column;
  readonly original: number;
}

/** A column that a clause puts somewhere: a new one, or an old one that moves. */
interface Placement extends Slot {
  readonly position: ColumnPosition;
}

const GENERATED_KEY = 'my_row_id';

const STRUCTURAL: ReadonlySet<AlterClause['op']> = new Set([
  'add',
  'change',
  'drop-column',
  'rename-column',
  'set-invisible',
  'drop-primary-key',
  'drop-index',
  'convert',
  'add-versioning',
  'drop-versioning',
]);

/**
 * The definition after ALTER TABLE: `before` itself when nothing in it changes. Throws NotUnderstood.
 *
 * As the servers do (`mysql_prepare_alter_table` in both), the clauses are not carried out one by one. First the old columns
 * are gone through in order, dropping, changing and renaming; names in DROP, MODIFY, CHANGE and RENAME COLUMN are the old ones.
 * Then the new columns and those with FIRST or AFTER are put in their places in the order of the clauses; names in AFTER and in
 * keys are the new ones.
 */
export function alterDefinition(before: TableDefinition, alter: AlterStatement, context: DdlContext): TableDefinition {
  if (!alter.clauses.some((clause) => STRUCTURAL.has(clause.op))) return withDefault(before, alter, context);
  if (before.schema.columns.some((column) => isHashColumn(column.name))) {
    throw new NotUnderstood('a hidden hash column');
  }
  if (before.columnsOnly === true) throw new NotUnderstood('perhaps a row period');
  return new Alteration(before, alter, context).run();
}

function withDefault(before: TableDefinition, alter: AlterStatement, context: DdlContext): TableDefinition {
  const defaultCharset = tableCharset({ charset: alter.charset, versioned: false }, before.defaultCharset, context);
  return defaultCharset === before.defaultCharset ? before : { ...before, defaultCharset };
}

class Alteration {
  readonly #before: TableDefinition;
  readonly #context: DdlContext;
  readonly #clauses: readonly AlterClause[];
  readonly #convertTo: CharsetAndCollation | null;
  readonly #defaultCharset: CharsetAndCollation | null;
  /** The columns that information_schema lists, before. */
  readonly #visible: readonly Column[];
  readonly #elements: readonly TableElement[];

  constructor(before: TableDefinition, alter: AlterStatement, context: DdlContext) {
    this.#before = before;
    this.#context = context;
    const { columns } = before.schema;
    this.#visible = columns.slice(0, columns.length - before.hiddenColumns);
    for (const clause of alter.clauses) this.#refuseConditionalKey(clause);
    this.#clauses = alter.clauses.filter((clause) => !this.#isIdle(clause));
    for (const clause of this.#clauses) this.#refuseReplacement(clause);
    this.#elements = this.#clauses.flatMap((clause) => (clause.op === 'add' ? [clause.element] : []));
    this.#convertTo = this.#conversion();
    const options = { charset: alter.charset, versioned: false };
    this.#defaultCharset = this.#convertTo ?? tableCharset(options, before.defaultCharset, context);
  }

  run(): TableDefinition {
    const { schema, defaultCharset } = this.#before;
    if (this.#elements.some((element) => element.kind === 'system-period')) throw new NotUnderstood('a row period');
    const slots = this.#placed(this.#kept());
    if (slots.length === 0) throw new NotUnderstood('no column is left');
    const names = new Set(slots.map((slot) => foldName(slot.column.name)));
    if (names.size !== slots.length) throw new NotUnderstood('two columns of one name');

    const rowEnd = this.#rowEnd();
    const hidden = this.#hidden(rowEnd);
    const columns = [...slots.map((slot) => slot.column), ...hidden];
    const key = this.#key(columns, slots);
    if (rowEnd !== null && key.length > 0) key.push(requireColumn(columns, rowEnd));
    for (const element of this.#uniqueKeys()) refuseLongUnique(columns, element, this.#context);
    return {
      schema: {
        database: schema.database,
        name: schema.name,
        columns: notNull(columns, [...key, ...periodColumns(columns, this.#elements)]),
        key,
      },
      defaultCharset: this.#defaultCharset ?? defaultCharset,
      rowEnd,
      hiddenColumns: hidden.length,
      doubtfulMembers: this.#doubtful(slots),
      uniqueColumns: this.#uniqueColumns(columns, slots),
    };
  }

  /** The old ones under their new names, and those of new UNIQUE keys. One that a dropped key leaves behind does no harm. */
  #uniqueColumns(columns: readonly Column[], slots: readonly Slot[]): string[] {
    const old = slots.filter((slot) => this.#before.uniqueColumns.includes(this.#visible[slot.original]?.name ?? ''));
    const names = new Set([...old.map((slot) => slot.column.name), ...uniqueColumns(columns, this.#uniqueKeys())]);
    refuseLongerUnique(
      slots
        .filter((slot) => names.has(slot.column.name))
        .map((slot) => [this.#visible[slot.original] ?? null, slot.column]),
      this.#context,
    );
    return columns.map((column) => column.name).filter((name) => names.has(name));
  }

  /** Columns that kept the members they had, under whatever name. */
  #doubtful(slots: readonly Slot[]): string[] {
    return slots
      .filter(({ original, column }) => {
        const before = this.#visible[original];
        return (
          before !== undefined &&
          column.members === before.members &&
          this.#before.doubtfulMembers.includes(before.name)
        );
      })
      .map((slot) => slot.column.name);
  }

  /** MariaDB makes or leaves out the key that stands at such a column by rules of its own, whether it is there or not. */
  #refuseConditionalKey(clause: AlterClause): void {
    if ((clause.op !== 'add' || !clause.ifNotExists) && (clause.op !== 'change' || !clause.ifExists)) return;
    const column = writtenColumn(clause);
    if (column === null || column.primaryKey || column.unique) throw new NotUnderstood('a key under a condition');
  }

  /** A column of a key that is dropped while one of its name is added: the key may stay, and stand at the new one. */
  #refuseReplacement(clause: AlterClause): void {
    if (clause.op !== 'drop-column') return;
    const name = foldName(clause.name);
    const { schema, uniqueColumns: unique } = this.#before;
    const keyed = [...schema.key.map((index) => schema.columns[index]?.name ?? ''), ...unique];
    if (!keyed.some((each) => foldName(each) === name)) return;
    const isAdded = this.#clauses.some(
      (each) => each.op === 'add' && each.element.kind === 'column' && foldName(each.element.column.name) === name,
    );
    if (isAdded) throw new NotUnderstood('a column of a key that is dropped and added');
  }

  /** MariaDB's IF [NOT] EXISTS, decided by the columns before the statement. */
  #isIdle(clause: AlterClause): boolean {
    const has = (name: string): boolean => findColumn(this.#visible, name) >= 0;
    switch (clause.op) {
      case 'add':
        if (clause.element.kind === 'column') return clause.ifNotExists && has(clause.element.column.name);
        return (
          clause.element.kind === 'primary-key' && clause.element.ifNotExists && this.#before.schema.key.length > 0
        );
      case 'change':
      case 'rename-column':
        return clause.ifExists && !has(clause.from);
      case 'drop-column':
        return clause.ifExists && !has(clause.name);
      case 'drop-primary-key':
        return clause.ifExists && this.#before.schema.key.length === 0;
      default:
        return false;
    }
  }

  #conversion(): CharsetAndCollation | null {
    const conversions = this.#clauses.filter((clause) => clause.op === 'convert');
    if (conversions.length > 1) throw new NotUnderstood('two conversions');
    const conversion = conversions[0];
    if (conversion === undefined || conversion.op !== 'convert') return null;
    // A column that comes with the conversion is converted or not depending on the server.
    if (this.#clauses.some((clause) => clause.op === 'change' || clause.op === 'add')) {
      throw new NotUnderstood('a conversion beside other columns');
    }
    return resolveCharset(conversion.charset, null, this.#context);
  }

  /** The first walk: what becomes of the old columns that stay in place. */
  #kept(): Slot[] {
    const slots: Slot[] = [];
    for (const [original, column] of this.#visible.entries()) {
      if (this.#find('drop-column', column.name) !== null) continue;
      const change = this.#find('change', column.name);
      if (change !== null && change.position !== null) continue;
      if (change !== null) slots.push({ column: this.#resolve(change.column), original });
      else slots.push({ column: this.#altered(column), original });
    }
    this.#refuseStrangers();
    return slots;
  }

  /** The second walk: new columns, and old ones that move. */
  #placed(slots: Slot[]): Slot[] {
    for (const clause of this.#clauses) {
      const placement = this.#placement(clause);
      if (placement === null) continue;
      if (placement.position?.after === null) this.#refuseGeneratedKey(slots);
      slots.splice(indexFor(slots, placement.position), 0, placement);
    }
    return slots;
  }

  #placement(clause: AlterClause): Placement | null {
    if (clause.op === 'add' && clause.element.kind === 'column') {
      if (clause.element.column.rowPeriod !== null) throw new NotUnderstood('a row period');
      return { column: this.#resolve(clause.element.column), original: -1, position: clause.position };
    }
    if (clause.op !== 'change' || clause.position === null) return null;
    const original = requireColumn(this.#visible, clause.from);
    return { column: this.#resolve(clause.column), original, position: clause.position };
  }

  /** MySQL keeps a generated invisible primary key in front, also of a column that is to come FIRST. */
  #refuseGeneratedKey(slots: readonly Slot[]): void {
    const isGenerated = foldName(slots[0]?.column.name ?? '') === GENERATED_KEY;
    if (isGenerated && this.#context.flavour === 'mysql') throw new NotUnderstood('FIRST with a generated primary key');
  }

  #resolve(column: WrittenColumn): Column {
    if (column.versioned) throw new NotUnderstood('versioning by column');
    return resolveColumn(column, this.#defaultCharset, this.#context);
  }

  /** A column that is not redefined: renamed, hidden, converted or as it was. */
  #altered(column: Column): Column {
    const rename = this.#find('rename-column', column.name);
    const visibility = this.#find('set-invisible', column.name);
    const converted = this.#convertTo === null ? column : convertColumn(column, this.#convertTo, this.#context.flavour);
    if (rename === null && visibility === null) return converted;
    return { ...converted, name: rename?.to ?? column.name, invisible: visibility?.invisible ?? column.invisible };
  }

  #find<O extends 'drop-column' | 'change' | 'rename-column' | 'set-invisible'>(
    op: O,
    name: string,
  ): Extract<AlterClause, { op: O }> | null {
    const folded = foldName(name);
    const found = this.#clauses.filter((clause) => clause.op === op && foldName(clauseColumn(clause) ?? '') === folded);
    if (found.length > 1) throw new NotUnderstood('one column twice');
    return (found[0] ?? null) as Extract<AlterClause, { op: O }> | null;
  }

  /**
   * A clause about a column that is not there was understood wrongly. Of two clauses about the same column (MariaDB takes CHANGE
   * and DROP together) the order decides in ways of the server's own.
   */
  #refuseStrangers(): void {
    const seen = new Set<number>();
    for (const clause of this.#clauses) {
      const name = clauseColumn(clause);
      if (name === null) continue;
      const index = requireColumn(this.#visible, name);
      if (seen.has(index)) throw new NotUnderstood('one column twice');
      seen.add(index);
    }
  }

  #rowEnd(): string | null {
    const { rowEnd, hiddenColumns } = this.#before;
    if (this.#has('add-versioning')) {
      if (rowEnd !== null) throw new NotUnderstood('versioned already');
      return 'row_end';
    }
    if (!this.#has('drop-versioning')) return rowEnd;
    if (hiddenColumns === 0) throw new NotUnderstood('named row period');
    return null;
  }

  #hidden(rowEnd: string | null): readonly Column[] {
    if (rowEnd === null) return [];
    return this.#before.hiddenColumns > 0 || this.#has('add-versioning') ? IMPLICIT_ROW_PERIOD : [];
  }

  /** The primary key without a versioned table's row end. */
  #key(columns: readonly Column[], slots: readonly Slot[]): number[] {
    const added = this.#addedKey(columns);
    const dropped = this.#has('drop-primary-key');
    if (added !== null) {
      if (!dropped && this.#before.schema.key.length > 0) throw new NotUnderstood('two primary keys');
      return added;
    }
    if (dropped) return [];
    const { key } = this.#before.schema;
    const rowEnd = this.#before.rowEnd === null ? -1 : findColumn(this.#before.schema.columns, this.#before.rowEnd);
    // A dropped column leaves the key, and a key without columns is none.
    return key
      .filter((index) => index !== rowEnd)
      .map((index) => slots.findIndex((slot) => slot.original === index))
      .filter((index) => index >= 0);
  }

  #addedKey(columns: readonly Column[]): number[] | null {
    const keys = this.#clauses.flatMap((clause): readonly (readonly KeyPart[])[] => {
      const column = writtenColumn(clause);
      if (column?.primaryKey === true) return [[{ column: column.name, prefix: null, period: false }]];
      return clause.op === 'add' && clause.element.kind === 'primary-key' ? [clause.element.parts] : [];
    });
    if (keys.length > 1) throw new NotUnderstood('two primary keys');
    return keys[0] === undefined ? null : resolveKey(columns, keys[0], this.#elements);
  }

  #uniqueKeys(): TableElement[] {
    const changed = this.#clauses.flatMap((clause): TableElement[] =>
      clause.op === 'change' ? [{ kind: 'column', column: clause.column }] : [],
    );
    return uniqueKeys([...this.#elements, ...changed]);
  }

  #has(op: AlterClause['op']): boolean {
    return this.#clauses.some((clause) => clause.op === op);
  }
}

/** The definition that a clause gives to a column. */
function writtenColumn(clause: AlterClause): WrittenColumn | null {
  if (clause.op === 'change') return clause.column;
  return clause.op === 'add' && clause.element.kind === 'column' ? clause.element.column : null;
}

/** The old column that a clause is about. */
function clauseColumn(clause: AlterClause): string | null {
  switch (clause.op) {
    case 'drop-column':
    case 'set-invisible':
      return clause.name;
    case 'change':
    case 'rename-column':
      return clause.from;
    default:
      return null;
  }
}

function indexFor(slots: readonly Slot[], position: ColumnPosition): number {
  if (position === null) return slots.length;
  if (position.after === null) return 0;
  const folded = foldName(position.after);
  const index = slots.findIndex((slot) => foldName(slot.column.name) === folded);
  if (index < 0) throw new NotUnderstood('AFTER an unknown column');
  return index + 1;
}
