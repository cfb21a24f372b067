import type { ChangeKind, Row, Value } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { MappedRow } from '../core/mapper.ts';
import { keyNames } from '../core/plain-rows.ts';
import type { SinkTarget } from '../core/sink.ts';
import { parseTablePattern, type TablePattern } from '../core/table-pattern.ts';
import type { Column, TableSchema } from '../core/table-schema.ts';
import { parseCastType } from './expression/cast-type.ts';
import { ValueFault } from './faults.ts';
import type { HookName } from './hook-calls.ts';
import type { HookRow, HookTarget, MappingHooks } from './hooks.ts';
import { compileKey, isSameValue, type PickKey } from './row-image.ts';
import { isSameKey } from './rule-program.ts';
import type { Targets } from './targets.ts';

const KINDS: readonly ChangeKind[] = ['insert', 'update', 'delete', 'upsert'];

/** What rows of a table look like. */
interface RowForm {
  readonly columns: ReadonlyMap<string, Column>;
  readonly pickKey: PickKey | null;
}

/** So many targets of hooks are remembered. */
const TARGETS_MAX = 10_000;

/** Looks at what hooks answer: nothing that they get wrong reaches a sink. */
export class HookRows {
  readonly #hooks: MappingHooks;
  readonly #targets: Targets;
  readonly #adds: readonly { readonly pattern: TablePattern; readonly columns: readonly Column[] }[];
  /** By definition: with what `before` adds. */
  readonly #extended = new WeakMap<TableSchema, TableSchema>();
  readonly #shapes = new WeakMap<TableSchema, RowForm>();
  readonly #made = new Map<string, SinkTarget>();

  /** @throws TidingsError MAPPING_INVALID when the module's tables are none */
  constructor(hooks: MappingHooks, targets: Targets) {
    this.#hooks = hooks;
    this.#targets = targets;
    this.#adds = Object.entries(hooks.adds ?? {}).map(([pattern, columns]) => ({
      pattern: parseTablePattern(pattern),
      columns: columnsOf(columns, []),
    }));
    for (const target of Object.values(hooks.targets ?? {})) columnsOf(target.columns, target.key ?? []);
  }

  /** A table's definition with the columns that `before` adds to it. */
  extend(table: TableSchema): TableSchema {
    let extended = this.#extended.get(table);
    if (extended === undefined) {
      const known = new Set(table.columns.map(({ name }) => name));
      const added = this.#adds
        .filter(({ pattern }) => pattern.matches(table.database, table.name))
        .flatMap(({ columns }) => columns.filter(({ name }) => !known.has(name)));
      extended = added.length === 0 ? table : { ...table, columns: [...table.columns, ...added] };
      this.#extended.set(table, extended);
    }
    return extended;
  }

  /** What `before` answered for a change. */
  changes(answer: unknown, change: StreamChange, hook: HookName): StreamChange[] {
    const table = this.extend(change.table);
    return listOf(answer, hook).map((item) => {
      const made = item as Partial<StreamChange>;
      if (made.scn !== change.scn || !KINDS.includes(made.kind as ChangeKind)) {
        wrong(hook, 'what it answered is no change');
      }
      if (made.table !== change.table && made.table !== table) wrong(hook, 'it put the change into another table');
      const before = this.#row(made.before ?? null, table, hook);
      const after = this.#row(made.after ?? null, table, hook);
      const result = { ...(item as StreamChange), table, before, after };
      if (this.#hooks.keepsKeys !== false) {
        for (const name of keyNames(table)) {
          if (differ(before?.[name], change.before?.[name]) || differ(after?.[name], change.after?.[name])) {
            keyChanged(hook);
          }
        }
      }
      return result;
    });
  }

  /** What `map` answered for a change. */
  made(answer: unknown, change: StreamChange, hook: HookName): MappedRow[] {
    return listOf(answer, hook).map((item) => {
      const { to, kind = change.kind, before = null, after = null } = item as HookRow;
      const definition = this.#hooks.targets?.[to];
      if (definition === undefined || !Object.hasOwn(this.#hooks.targets ?? {}, to)) {
        return wrong(
          hook,
          `it made a row for a target that is none of ${Object.keys(this.#hooks.targets ?? {}).join(', ') || 'its targets, as there are none'}`,
        );
      }
      const target = this.#target(to, definition, change);
      return this.#finished(
        { target, kind, key: null, before, after, scn: change.scn, change, keepsKey: false },
        hook,
        {
          sourceKey: change.key,
        },
      );
    });
  }

  /** What `after` answered for a row. */
  changed(answer: unknown, row: MappedRow, hook: HookName): MappedRow[] {
    return listOf(answer, hook).map((item) => {
      const made = item as Partial<MappedRow>;
      if (made.target !== row.target || made.scn !== row.scn) {
        wrong(hook, 'what it answered is no row of the same target and change');
      }
      const { kind = row.kind, before = null, after = null, patches } = made;
      const base = { ...row, kind, before, after };
      const changed = patches === undefined ? base : { ...base, patches };
      return this.#finished(changed, hook, { targetKey: row.key });
    });
  }

  #target(
    name: string,
    { database, table, columns, key = [], options = {} }: HookTarget,
    change: StreamChange,
  ): SinkTarget {
    const id = JSON.stringify([name, change.table.database, change.table.name]);
    const known = this.#made.get(id);
    if (known !== undefined) return known;
    const definitions = columnsOf(columns, key);
    const target = this.#targets.of(
      { database: database ?? change.table.database, name: table ?? name },
      {
        columns: definitions,
        key: key.map((part) => definitions.findIndex((column) => column.name === part)),
        options,
        patched: [],
      },
      { table: `${change.table.database}.${change.table.name}`, rule: 'hooks', merge: 'any' },
    );
    if (this.#made.size >= TARGETS_MAX) this.#made.clear();
    this.#made.set(id, target);
    return target;
  }

  #formOf(table: TableSchema): RowForm {
    let form = this.#shapes.get(table);
    if (form === undefined) {
      const names = keyNames(table);
      const columns = new Map(table.columns.map((column) => [column.name, column]));
      form = { columns, pickKey: names.length === 0 ? null : compileKey(names) };
      this.#shapes.set(table, form);
    }
    return form;
  }

  #finished(
    row: MappedRow,
    hook: HookName,
    expected: { readonly sourceKey: Row | null } | { readonly targetKey: Row | null },
  ): MappedRow {
    const { table } = row.target;
    if (!KINDS.includes(row.kind)) wrong(hook, 'what it answered has no kind');
    const isDelete = row.kind === 'delete';
    const after = isDelete ? null : this.#row(row.after, table, hook);
    let before =
      row.kind === 'insert' || row.kind === 'upsert'
        ? null
        : this.#row(row.before ?? (isDelete ? row.after : null), table, hook);
    const { pickKey } = this.#formOf(table);
    const keyed = isDelete ? before : after;
    if (keyed === null) return wrong(hook, 'the row that it answered has no columns');
    const key = pickKey === null ? null : pickedKey(pickKey, keyed, hook);
    if (row.kind === 'update' && before === null) before = key;
    const keepsKey = this.#hooks.keepsKeys !== false;
    if (keepsKey) {
      const isSame =
        'targetKey' in expected
          ? isSameKeyOrNone(key, expected.targetKey)
          : hasSameValues(Object.values(key ?? {}), Object.values(expected.sourceKey ?? {}));
      if (!isSame) keyChanged(hook);
    }
    return {
      ...row,
      before,
      after,
      key,
      keepsKey: keepsKey && ('targetKey' in expected ? row.keepsKey : key !== null),
    };
  }

  /** Only columns that the table has, with values that the stream could have. */
  #row(row: Row | null, table: TableSchema, hook: HookName): Row | null {
    if (row === null) return null;
    if (typeof row !== 'object') return wrong(hook, 'what it answered as a row is none');
    const { columns } = this.#formOf(table);
    const checked: Record<string, Value> = {};
    for (const [name, value] of Object.entries(row as Readonly<Record<string, unknown>>)) {
      if (value === undefined) continue;
      const column = columns.get(name);
      if (column === undefined) {
        wrong(
          hook,
          `it set "${name}", which ${table.database}.${table.name} does not have: declare the column (adds, targets)`,
        );
      } else checked[name] = valueOf(value, column, hook);
    }
    return checked;
  }
}

function valueOf(value: unknown, { name, type }: Column, hook: HookName): Value {
  switch (typeof value) {
    case 'string':
    case 'bigint':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : wrong(hook, `it set "${name}" to a number that is not finite`);
    case 'boolean':
      return type === 'json' ? String(value) : Number(value);
    case 'object':
      if (value === null || value instanceof Uint8Array || value instanceof Float32Array) return value;
      if (type === 'json') {
        try {
          return JSON.stringify(value);
        } catch {
          return wrong(hook, `what it set "${name}" to is no JSON`);
        }
      }
      break;
    default:
      break;
  }
  return wrong(hook, `what it set "${name}" to is no value`);
}

/** A hook that forgets to answer must not look like one that leaves the row out. */
function listOf(answer: unknown, hook: HookName): readonly object[] {
  if (answer === null) return [];
  const list: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
  for (const item of list) {
    if (typeof item !== 'object' || item === null) wrong(hook, 'it answered nothing: it is null that leaves a row out');
  }
  return list as readonly object[];
}

/** @throws TidingsError MAPPING_INVALID */
function columnsOf(types: Readonly<Record<string, string>>, key: readonly string[]): Column[] {
  const unknown = key.find((name) => !Object.hasOwn(types, name));
  if (unknown !== undefined) {
    throw new TidingsError('MAPPING_INVALID', `a target of the hooks has no column "${unknown}" for its key`, {
      hint: `Its columns are ${Object.keys(types).join(', ')}.`,
    });
  }
  return Object.entries(types).map(([name, text]) => {
    const { isBoolean: _, ...type } = parseCastType(text).type;
    return { ...type, name, nullable: !key.includes(name) };
  });
}

function pickedKey(pickKey: PickKey, row: Row, hook: HookName): Row {
  try {
    return pickKey(row);
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error;
    return wrong(hook, 'the row that it answered lacks a column of the key, or has NULL there');
  }
}

function isSameKeyOrNone(a: Row | null, b: Row | null): boolean {
  return a === null || b === null ? a === b : isSameKey(a, b);
}

function hasSameValues(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((value, index) => isSameValue(value, b[index]));
}

function differ(made: Value | undefined, given: Value | undefined): boolean {
  return !isSameValue(made ?? null, given ?? null);
}

function keyChanged(hook: HookName): never {
  return wrong(
    hook,
    'it changed a key, or made a row with another one: a module that does so exports keepsKeys = false, and its rows are written one after the other',
  );
}

function wrong(hook: HookName, what: string): never {
  throw new TidingsError('MAPPING_FAILED', `the hook "${hook}": ${what}`, {
    hint: 'Mend the hook, then let the row be tried again.',
    details: { hook },
  });
}
