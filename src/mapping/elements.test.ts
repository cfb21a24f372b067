import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changeOf, rowsOf, shown } from '../../test/support/mapped.ts';
import type { Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import type { MappedRow } from '../core/mapper.ts';
import type { NestedKey, NestedPatch } from '../core/sink.ts';
import { tableOf } from '../testing/tables.ts';
import { createMapper } from './mapper.ts';
import type { MappingConfig, RuleConfig } from './mapping-config.ts';

const ORDERS = tableOf('shop.orders', { id: { type: 'int', nullable: false }, name: 'varchar' }, ['id']);
const LINES = tableOf(
  'shop.lines',
  {
    order_id: { type: 'int', nullable: false },
    line: { type: 'int', nullable: false },
    sku: 'varchar',
    price: { type: 'decimal', length: 8, scale: 2 },
  },
  ['order_id', 'line'],
);

const LINES_RULE: RuleConfig = { to: 'orders', into: 'doc.lines[]', key: { id: 'order_id' }, columns: { no: 'line' } };
const MAPPING: MappingConfig = {
  tables: { 'shop.orders': { merge: 'any' }, 'shop.lines': LINES_RULE },
};
const options = { patches: true } as const;

const line: Row = { order_id: 1, line: 2, sku: 'x', price: '1.50' };
const element = '{"no":2,"sku":"x","price":"1.50"}';

describe("a row that is an element of another table's document", () => {
  test('is put where its key says, into a document that may not be there yet', () => {
    const [row] = rowsOf(MAPPING, changeOf(LINES, { after: line }), options);
    expect(shown(row === undefined ? [] : [row])).toEqual([
      {
        to: 'shop.orders',
        kind: 'upsert',
        key: { id: 1 },
        after: { id: 1 },
        patches: [{ kind: 'put', path: ['doc', 'lines'], key: { no: '2' }, element }],
      },
    ]);
    expect(row?.keepsKey).toBe(false);
    expect(row?.target.patched).toEqual(['doc']);
    expect(row?.target.table.columns.map(({ name, type }) => `${name} ${type}`)).toEqual(['id int', 'doc json']);
  });

  test('is removed with its row, and a document is not made for that', () => {
    expect(shown(rowsOf(MAPPING, changeOf(LINES, { before: line }), options))).toEqual([
      {
        to: 'shop.orders',
        kind: 'update',
        key: { id: 1 },
        before: { id: 1 },
        after: { id: 1 },
        patches: [{ kind: 'remove', path: ['doc', 'lines'], key: { no: '2' } }],
      },
    ]);
  });

  test('moves to another place of its list in one step, and to another document in two', () => {
    const within = rowsOf(MAPPING, changeOf(LINES, { before: line, after: { ...line, line: 3 } }), options);
    expect(within.map(({ kind, key, patches }) => [kind, key, patches?.map((patch) => patch.kind)])).toEqual([
      ['upsert', { id: 1 }, ['remove', 'put']],
    ]);
    const across = rowsOf(MAPPING, changeOf(LINES, { before: line, after: { ...line, order_id: 9 } }), options);
    expect(across.map(({ kind, key, patches }) => [kind, key, patches?.map((patch) => patch.kind)])).toEqual([
      ['update', { id: 1 }, ['remove']],
      ['upsert', { id: 9 }, ['put']],
    ]);
  });

  test('is refused before the first row by a sink that cannot change a part of a document', () => {
    expect(() => rowsOf(MAPPING, changeOf(LINES, { after: line }))).toThrow(
      expect.objectContaining({
        code: 'MAPPING_INVALID',
        message: expect.stringContaining('the sink cannot change a part of a document'),
      }),
    );
  });

  test('cannot share the target of a table whose rule does not say so', () => {
    const mapper = createMapper({
      mapping: { tables: { 'shop.orders': {}, 'shop.lines': LINES_RULE } },
      sink: 's',
      ...options,
    });
    void mapper.map(changeOf(ORDERS, { after: { id: 1, name: 'a' } }));
    expect(() => mapper.map(changeOf(LINES, { after: line }))).toThrow(
      'rows of shop.orders and shop.lines go to one target, shop.orders',
    );
  });

  test.each<[rule: RuleConfig, message: string]>([
    [{ ...LINES_RULE, elementKey: ['x'] }, 'the element has no such member to tell it from the others'],
    [{ ...LINES_RULE, key: { id: 'order_id', no: 'line' }, columns: {} }, 'nothing tells one element from another'],
  ])('needs a key in its list: %j', (rule, message) => {
    expect(() => rowsOf({ tables: { 'shop.lines': rule } }, changeOf(LINES, { after: line }), options)).toThrow(
      message,
    );
  });

  test('cannot be marked as deleted, where that is what holds for the sink', () => {
    const mapping: MappingConfig = { ...MAPPING, delete: { soft: { gone: true } } };
    expect(() => rowsOf(mapping, changeOf(LINES, { after: line }), options)).toThrow(
      'elements are removed, not marked',
    );
    const removing: MappingConfig = { ...mapping, tables: { 'shop.lines': { ...LINES_RULE, delete: 'delete' } } };
    expect(rowsOf(removing, changeOf(LINES, { after: line }), options)).toHaveLength(1);
  });

  test('is truncated by nobody: the sink stops', () => {
    const mapper = createMapper({ mapping: MAPPING, sink: 's', ...options });
    expect(() => mapper.targetsOf('shop', 'lines')).toThrow("its rows are elements of another table's documents");
    expect(() => mapper.targetsOf('shop', 'orders')).toThrow("other tables' rows are in its target, too");
  });
});

// The oracle: two tables become one document each. Whatever happens to them, in the order in which it happens, a store of documents to which the patches were
// applied holds each order with its lines.

interface Doc {
  readonly columns: Record<string, unknown>;
  readonly lines: Record<string, unknown>[];
}

function applyPatch(doc: Doc, patch: NestedPatch): void {
  if (patch.kind === 'set') throw new Error('rows of whole images need no parts');
  const isIt = (found: Record<string, unknown>, key: NestedKey): boolean =>
    Object.entries(key).every(([name, json]) => JSON.stringify(found[name]) === json);
  const at = doc.lines.findIndex((found) => isIt(found, patch.key));
  if (patch.kind === 'remove') {
    if (at >= 0) doc.lines.splice(at, 1);
    return;
  }
  const made = JSON.parse(patch.element) as Record<string, unknown>;
  if (at >= 0) doc.lines[at] = made;
  else doc.lines.push(made);
}

function apply(store: Map<string, Doc>, { kind, key, after, patches }: MappedRow): void {
  const place = JSON.stringify(key);
  if (kind === 'delete') {
    store.delete(place);
    return;
  }
  let doc = store.get(place);
  if (doc === undefined) {
    if (kind === 'update') return;
    doc = { columns: {}, lines: [] };
    store.set(place, doc);
  }
  Object.assign(doc.columns, after);
  for (const patch of patches ?? []) applyPatch(doc, patch);
}

const small = fc.integer({ min: 1, max: 3 });
const order = fc.record({ id: small, name: fc.constantFrom('a', 'b') });
const lineRow = fc.record({
  order_id: small,
  line: small,
  sku: fc.constantFrom('x', 'y', null),
  price: fc.constantFrom('1.00', '2.50'),
});
type Operation =
  | { readonly table: 'orders'; readonly row: { readonly id: number; readonly name: string } }
  | {
      readonly table: 'lines';
      readonly at: number;
      readonly row: {
        readonly order_id: number;
        readonly line: number;
        readonly sku: string | null;
        readonly price: string;
      };
    }
  | { readonly table: 'remove'; readonly at: number };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ table: fc.constant('orders' as const), row: order }),
  { weight: 3, arbitrary: fc.record({ table: fc.constant('lines' as const), at: fc.nat(5), row: lineRow }) },
  fc.record({ table: fc.constant('remove' as const), at: fc.nat(5) }),
);

test('whatever happens to orders and lines, each document has its order and its lines', () => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 30 }),
      fc.constantFrom(undefined, "sku = 'x'"),
      (operations, where) => {
        const rule = where === undefined ? LINES_RULE : { ...LINES_RULE, where };
        const mapper = createMapper({
          mapping: { tables: { 'shop.orders': { merge: 'any' }, 'shop.lines': rule } },
          sink: 's',
          ...options,
        });
        const orders = new Map<number, Row>();
        const lines: Row[] = [];
        const store = new Map<string, Doc>();
        const happen = (change: StreamChange): void => {
          for (const row of mapper.map(change) as readonly MappedRow[]) apply(store, row);
        };
        for (const [scn, step] of operations.entries()) {
          if (step.table === 'orders') {
            const old = orders.get(step.row.id) ?? null;
            orders.set(step.row.id, step.row);
            happen(changeOf(ORDERS, { before: old, after: step.row, scn }));
          } else if (step.table === 'remove') {
            const [gone] = lines.splice(step.at, 1);
            if (gone !== undefined) happen(changeOf(LINES, { before: gone, scn }));
          } else {
            // A line has an order, as a foreign key would see to, and a key of its own.
            const { row, at } = step;
            const isTaken = lines.some(
              (other, index) => index !== at && other['order_id'] === row.order_id && other['line'] === row.line,
            );
            if (!orders.has(row.order_id) || isTaken) continue;
            const old = lines[at] ?? null;
            if (old === null) lines.push(row);
            else lines[at] = row;
            happen(changeOf(LINES, { before: old, after: row, scn }));
          }
        }
        for (const [id, row] of orders) {
          const doc = store.get(JSON.stringify({ id }));
          expect(doc?.columns).toEqual(row);
          const expected = lines
            .filter((one) => one['order_id'] === id && (where === undefined || one['sku'] === 'x'))
            .map((one) => ({ no: one['line'], sku: one['sku'], price: one['price'] }));
          const byNumber = (a: Record<string, unknown>, b: Record<string, unknown>): number =>
            Number(a['no']) - Number(b['no']);
          expect(doc?.lines.toSorted(byNumber)).toEqual(expected.toSorted(byNumber));
        }
      },
    ),
    { numRuns: 500 },
  );
});
