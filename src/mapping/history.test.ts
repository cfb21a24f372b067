import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import { isTidingsError } from '../core/errors.ts';
import type { MappedRow } from '../core/mapper.ts';
import { tableOf } from '../testing/tables.ts';
import { createMapper } from './mapper.ts';
import type { MappingConfig, RuleConfig } from './mapping-config.ts';

// The oracle of the mapping: whatever happens to a table, a target to which the mapped rows were applied one after the other holds what the mapping makes of the
// table as it stands. The expected side knows nothing of changes: it maps whole rows by functions written down here.

interface Source {
  readonly id: number;
  readonly code: number;
  readonly region: string;
  readonly n: number | null;
  readonly text: string | null;
}

const TABLE = tableOf(
  'shop.things',
  {
    id: { type: 'int', nullable: false },
    code: { type: 'int', nullable: false },
    region: { type: 'varchar', length: 10, nullable: false },
    n: 'int',
    text: { type: 'varchar', length: 10 },
  },
  ['id'],
);

/** A part of a rule, and the same in JavaScript. */
interface Choice<T> {
  readonly rule: RuleConfig;
  readonly is: T;
}

const CONDITIONS: readonly Choice<(row: Source) => boolean>[] = [
  { rule: {}, is: () => true },
  { rule: { where: 'n >= 2' }, is: ({ n }) => n !== null && n >= 2 },
  { rule: { where: "text = 'x' or n is null" }, is: ({ n, text }) => text === 'x' || n === null },
  {
    rule: { where: "not (text = 'x') and code <> 3" },
    is: ({ text, code }) => text !== null && text !== 'x' && code !== 3,
  },
];

const TARGETS: readonly Choice<(row: Source) => string>[] = [
  { rule: {}, is: () => 'shop.things' },
  { rule: { to: 'copy.{region}' }, is: ({ region }) => `copy.${region}` },
  { rule: { to: 'by_n.{coalesce(n, 0)}' }, is: ({ n }) => `by_n.${n ?? 0}` },
];

const KEYS: readonly Choice<(row: Source) => Row>[] = [
  { rule: {}, is: ({ id }) => ({ id }) },
  { rule: { key: ['code'] }, is: ({ code }) => ({ code }) },
  { rule: { key: ['region', 'id'] }, is: ({ region, id }) => ({ region, id }) },
];

const SHAPES: readonly Choice<(row: Source) => Row>[] = [
  { rule: {}, is: (row) => ({ ...row }) },
  {
    rule: { columns: { double: { expr: 'n * 2' }, 'doc.text': 'text', 'doc.n': { expr: 'n' } } },
    is: ({ text, ...row }) => ({
      ...row,
      double: row.n === null ? null : row.n * 2,
      doc: JSON.stringify({ text, n: row.n }),
    }),
  },
  {
    rule: { exclude: ['text'] },
    is: (row) => {
      const { text: _, ...others } = row;
      return others;
    },
  },
];

type Policy = 'delete' | 'ignore' | 'soft';
const POLICIES: Readonly<Record<Policy, RuleConfig>> = {
  delete: {},
  ignore: { delete: 'ignore' },
  soft: { delete: { soft: { gone: true, gone_at: { expr: 'scn()' } } } },
};

interface Rule {
  readonly config: RuleConfig;
  readonly isIn: (row: Source) => boolean;
  readonly target: (row: Source) => string;
  readonly key: (row: Source) => Row;
  readonly row: (row: Source) => Row;
  readonly policy: Policy;
  /** Rows depend on their key alone. */
  readonly isPlain: boolean;
}

const anyRule: fc.Arbitrary<Rule> = fc
  .record({
    condition: fc.constantFrom(...CONDITIONS),
    target: fc.constantFrom(...TARGETS),
    key: fc.constantFrom(...KEYS),
    shape: fc.constantFrom(...SHAPES),
    policy: fc.constantFrom<Policy>('delete', 'ignore', 'soft'),
  })
  .map(({ condition, target, key, shape, policy }) => ({
    config: { ...condition.rule, ...target.rule, ...key.rule, ...shape.rule, ...POLICIES[policy] },
    isIn: condition.is,
    target: target.is,
    key: key.is,
    row: shape.is,
    policy,
    isPlain:
      condition === CONDITIONS[0] &&
      target === TARGETS[0] &&
      key === KEYS[0] &&
      shape === SHAPES[0] &&
      policy === 'delete',
  }));

/** What is asked of the table; what makes no sense as it stands is left out. */
type Operation =
  | { readonly kind: 'insert'; readonly row: Source }
  | { readonly kind: 'update'; readonly id: number; readonly row: Source }
  | { readonly kind: 'delete'; readonly id: number }
  /** A row is read as it stands. */
  | { readonly kind: 'snapshot'; readonly id: number }
  /** A change of a source that cannot tell what was before. */
  | { readonly kind: 'upsert'; readonly id: number; readonly text: string | null };

const small = fc.integer({ min: 1, max: 4 });
const anyText = fc.option(fc.constantFrom('x', 'y'));
const anyRow: fc.Arbitrary<Source> = fc.record({
  id: small,
  code: small,
  region: fc.constantFrom('eu', 'us'),
  n: fc.option(fc.integer({ min: 0, max: 3 })),
  text: anyText,
});

const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('insert' as const), row: anyRow }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('update' as const), id: small, row: anyRow }) },
  fc.record({ kind: fc.constant('delete' as const), id: small }),
  fc.record({ kind: fc.constant('snapshot' as const), id: small }),
  fc.record({ kind: fc.constant('upsert' as const), id: small, text: anyText }),
);

interface Step {
  readonly scn: number;
  readonly changes: readonly StreamChange[];
  /** The table behind it. */
  readonly table: readonly Source[];
}

interface Delivery {
  /** Updates that move the key come in halves, as to a group's member. */
  readonly halves: boolean;
  /** NOBLOB: `text` is there only where it has changed. */
  readonly images: 'FULL' | 'MINIMAL' | 'NOBLOB';
}

/** Carries the operations out as a database would: ids and codes are unique. */
function historyOf(operations: readonly Operation[], delivery: Delivery): Step[] {
  const rows = new Map<number, Source>();
  const isFree = (row: Source, besides: number | null): boolean =>
    ![...rows.values()].some(({ id, code }) => id !== besides && (id === row.id || code === row.code));
  return operations.flatMap((operation, index): Step[] => {
    const scn = index + 1;
    const old = rows.get(operation.kind === 'insert' ? operation.row.id : operation.id);
    const change = (parts: Pick<StreamChange, 'kind' | 'before' | 'after'>): StreamChange => {
      const row = { ...parts.before, ...parts.after };
      const common = { table: TABLE, scn, statement: null, committedAtUs: scn * 1_000_000 };
      return { ...common, ...parts, key: { id: row['id'] ?? null } };
    };
    const step = (...changes: StreamChange[]): Step[] => [{ scn, changes, table: [...rows.values()] }];
    if (operation.kind === 'insert') {
      const { row } = operation;
      if (old !== undefined || !isFree(row, null)) return [];
      rows.set(row.id, row);
      return step(change({ kind: 'insert', before: null, after: { ...row } }));
    }
    if (old === undefined) return [];
    switch (operation.kind) {
      case 'delete':
        rows.delete(old.id);
        return step(change({ kind: 'delete', before: imageOf(old, delivery), after: null }));
      case 'snapshot':
        return step({ ...change({ kind: 'upsert', before: null, after: { ...old } }), snapshot: true });
      case 'upsert': {
        // Nothing of it but what no key and no target depends on: of a former one nobody could know.
        const row = { ...old, text: operation.text };
        rows.set(row.id, row);
        return step(change({ kind: 'upsert', before: null, after: { ...row } }));
      }
      case 'update': {
        const { row } = operation;
        if (!isFree(row, old.id)) return [];
        rows.delete(old.id);
        rows.set(row.id, row);
        const update = change({
          kind: 'update',
          before: imageOf(old, delivery),
          after: imageAfter(old, row, delivery),
        });
        const whole = { ...update, key: { id: row.id } };
        return step(...(delivery.halves && old.id !== row.id ? halves(whole, old.id) : [whole]));
      }
    }
  });
}

function imageOf(row: Source, { images }: Delivery): Row {
  const { text: _, ...others } = row;
  return images === 'FULL' ? { ...row } : images === 'NOBLOB' ? others : { id: row.id };
}

function imageAfter(old: Source, row: Source, { images }: Delivery): Row {
  const isThere = (name: string): boolean =>
    images === 'FULL' ||
    (images === 'NOBLOB' && name !== 'text') ||
    old[name as keyof Source] !== row[name as keyof Source];
  return Object.fromEntries(Object.entries(row).filter(([name]) => isThere(name))) as Row;
}

function halves(change: StreamChange, id: number): StreamChange[] {
  return [
    { ...change, kind: 'delete', key: { id }, after: null, moved: 'from' },
    { ...change, kind: 'insert', before: null, moved: 'to' },
  ];
}

/** Rows by target and key. */
type Store = Map<string, Row>;

function placeOf(target: string, key: Row): string {
  return `${target} ${JSON.stringify(key)}`;
}

/** What a target does with an update of a row that it does not have: nothing, or it takes it where it is whole. Both are right. */
type Updates = 'strict' | 'lenient';

function apply(store: Store, { target, kind, key, before, after }: MappedRow, updates: Updates): void {
  const { table } = target;
  const name = `${table.database}.${table.name}`;
  const keyNames = table.key.map((index) => table.columns[index]?.name ?? '');
  const keyIn = (row: Row): Row => Object.fromEntries(keyNames.map((column) => [column, row[column] ?? null]));
  expect(key).not.toBeNull();
  const place = placeOf(name, key ?? {});
  for (const column of Object.keys(after ?? {})) expect(table.columns.map((known) => known.name)).toContain(column);
  switch (kind) {
    case 'insert':
    case 'upsert':
      store.set(place, { ...store.get(place), ...after });
      return;
    case 'delete':
      store.delete(place);
      return;
    case 'update': {
      const oldPlace = placeOf(name, keyIn(before ?? {}));
      const old = store.get(oldPlace);
      const isWhole = Object.keys(after ?? {}).length === table.columns.length;
      if (old === undefined && !(updates === 'lenient' && isWhole)) return;
      store.delete(oldPlace);
      store.set(place, { ...old, ...after });
    }
  }
}

/** What the table as it stands makes of a target; rows that are no more, as the policy has it. */
function settle(store: Store, { table, scn }: Step, { isIn, target, key, row, policy }: Rule): void {
  const present = new Map(
    table
      .filter(isIn)
      .map((source) => [
        placeOf(target(source), key(source)),
        policy === 'soft' ? { ...row(source), gone: 0, gone_at: null } : row(source),
      ]),
  );
  for (const [place, old] of store) {
    if (present.has(place)) continue;
    if (policy === 'delete') store.delete(place);
    else if (policy === 'soft' && old['gone'] === 0) store.set(place, { ...old, gone: 1, gone_at: scn });
  }
  for (const [place, values] of present) store.set(place, values);
}

/** Of an upsert nobody can know since when a row has been marked. */
function forPolicy({ policy }: Rule, operations: readonly Operation[]): readonly Operation[] {
  return policy === 'soft' ? operations.filter(({ kind }) => kind !== 'upsert') : operations;
}

function sorted(store: Store): Record<string, Row> {
  return Object.fromEntries([...store].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function mapperOf(rule: Rule): (change: StreamChange) => readonly MappedRow[] {
  const mapping: MappingConfig = { tables: { 'shop.things': rule.config } };
  const mapper = createMapper({ mapping, sink: 'test' });
  return (change) => mapper.map(change) as readonly MappedRow[];
}

const operations = fc.array(anyOperation, { minLength: 1, maxLength: 25 });
const anyDelivery: fc.Arbitrary<Delivery> = fc.record({
  halves: fc.boolean(),
  images: fc.constantFrom('MINIMAL' as const, 'NOBLOB' as const),
});
const updates = fc.constantFrom<Updates>('strict', 'lenient');

describe('whatever happens to a table, a target of its mapped rows', () => {
  test('holds after every change what the mapping makes of the table, whole or in halves, with condition, route, key and policy', () => {
    fc.assert(
      fc.property(anyRule, operations, fc.boolean(), updates, (rule, list, halvesWanted, how) => {
        const map = mapperOf(rule);
        const store: Store = new Map();
        const expected: Store = new Map();
        for (const step of historyOf(forPolicy(rule, list), { halves: halvesWanted, images: 'FULL' })) {
          for (const change of step.changes) for (const row of map(change)) apply(store, row, how);
          settle(expected, step, rule);
          expect(sorted(store)).toEqual(sorted(expected));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('never differs from it where columns were not logged: a row comes out right, or not at all', () => {
    let mapped = 0;
    fc.assert(
      fc.property(anyRule, operations, anyDelivery, updates, (rule, list, delivery, how) => {
        const map = mapperOf(rule);
        const store: Store = new Map();
        const expected: Store = new Map();
        for (const step of historyOf(forPolicy(rule, list), delivery)) {
          try {
            for (const change of step.changes) for (const row of map(change)) apply(store, row, how);
          } catch (error) {
            // The half of a moved key lies under the old one; everything else of a plain copy is known.
            if (rule.isPlain && !delivery.halves) throw error;
            expect(isTidingsError(error) && error.code).toBe('MAPPING_FAILED');
            return;
          }
          settle(expected, step, rule);
          expect(sorted(store)).toEqual(sorted(expected));
          mapped += 1;
        }
      }),
      { numRuns: 2000 },
    );
    expect(mapped).toBeGreaterThan(1000);
  });

  test('ends with it when a part of the stream comes again', () => {
    fc.assert(
      fc.property(anyRule, operations, fc.nat(), updates, (rule, list, from, how) => {
        const map = mapperOf(rule);
        const store: Store = new Map();
        const expected: Store = new Map();
        const steps = historyOf(forPolicy(rule, list), { halves: false, images: 'FULL' });
        const rows = steps.flatMap(({ changes }) => changes.flatMap((change) => map(change)));
        for (const row of rows) apply(store, row, how);
        for (const row of rows.slice(rows.length === 0 ? 0 : from % rows.length)) apply(store, row, how);
        for (const step of steps) settle(expected, step, rule);
        expect(sorted(store)).toEqual(sorted(expected));
      }),
      { numRuns: 1000 },
    );
  });
});
