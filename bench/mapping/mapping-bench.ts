import type { Row } from '../../src/core/change.ts';
import type { StreamChange } from '../../src/core/consumer.ts';
import type { Mapper } from '../../src/core/mapper.ts';
import { createMapper } from '../../src/mapping/mapper.ts';
import type { MappingConfig } from '../../src/mapping/mapping-config.ts';
import { tableOf } from '../../src/testing/tables.ts';
import { spread } from '../support/statistics.ts';

/**
 * What a mapping costs by itself: `node bench/mapping/mapping-bench.ts`. Changes go in as a consumer gets them, rows come out as a sink gets them. The figures are
 * processor time, garbage collection included, of the rounds after the first third, and the best round's wall time.
 */

const ROWS = 5000;
const ROUNDS = 60;

const required = { nullable: false } as const;
const ORDERS = tableOf(
  'shop.orders',
  {
    id: { type: 'bigint', ...required },
    customer_id: { type: 'int', ...required },
    status: { type: 'varchar', length: 20, ...required },
    quantity: { type: 'int' },
    price: { type: 'decimal', length: 10, scale: 2, ...required },
    email: { type: 'varchar', length: 100 },
    street: { type: 'varchar', length: 100 },
    city: { type: 'varchar', length: 60 },
    ordered_at: { type: 'datetime', length: 0, ...required },
    changed_at: { type: 'timestamp', length: 6, ...required },
    details: { type: 'json', ...required },
    note: { type: 'text', length: 65_535 },
  },
  ['id'],
);

const STATUSES = ['open', 'paid', 'shipped', 'cancelled'];

function orderOf(id: number): Row {
  return {
    id,
    customer_id: id % 997,
    status: STATUSES[id % 4] as string,
    quantity: id % 17,
    price: `${id % 9999}.${String(id % 100).padStart(2, '0')}`,
    email: `customer-${id % 997}@example.com`,
    street: `Long Street ${id % 200}`,
    city: id % 3 === 0 ? 'Köln' : 'London',
    ordered_at: '2026-11-20 09:15:02',
    changed_at: '2026-11-20T09:15:02.123456Z',
    details: `{"sku": ${id}, "tags": ["a", "b"]}`,
    note: id % 5 === 0 ? null : `note ${id} `.repeat(6),
  };
}

function changeOf(id: number, kind: 'insert' | 'update'): StreamChange {
  const after = orderOf(id);
  const before = kind === 'insert' ? null : { ...after, quantity: 99 };
  return { kind, table: ORDERS, scn: id, key: { id }, before, after, statement: null, committedAtUs: 1.76e15 };
}

const MAPPINGS: Readonly<Record<string, MappingConfig>> = {
  'as it is': {},
  'other names': { tables: { 'shop.orders': { to: 'sales.orders', rename: 'camel' } } },
  'rename, cast, filter': {
    tables: {
      'shop.orders': {
        to: 'sales.orders',
        where: "status <> 'cancelled' and price >= 1.50",
        columns: { order_id: 'id', amount: { expr: 'price * quantity' }, price: { cast: 'double' } },
        exclude: ['note'],
      },
    },
  },
  'rename, cast, filter, nested': {
    tables: {
      'shop.orders': {
        to: 'sales.orders',
        where: "status <> 'cancelled' and price >= 1.50",
        columns: {
          order_id: 'id',
          amount: { expr: 'price * quantity' },
          price: { cast: 'double' },
          'customer.id': 'customer_id',
          'customer.email': 'email',
          'customer.address.street': 'street',
          'customer.address.city': 'city',
          'lines[].details': 'details',
          'lines[].quantity': { from: 'quantity' },
        },
      },
    },
  },
  'hash of one column': { tables: { 'shop.orders': { columns: { email: { hash: 'sha256' } } } } },
  'route by value': { tables: { 'shop.orders': { to: 'sales.orders_{status}' } } },
};

/** Processor time per change, so that what else the machine does is not in it. */
function measure(name: string, mapper: Mapper, changes: readonly StreamChange[]): void {
  const times: number[] = [];
  let rows = 0;
  let started = process.cpuUsage();
  for (let i = 0; i < ROUNDS; i++) {
    if (i === ROUNDS / 3) started = process.cpuUsage();
    const before = process.hrtime.bigint();
    rows = 0;
    for (const change of changes) rows += (mapper.map(change) as readonly unknown[]).length;
    times.push(Number(process.hrtime.bigint() - before) / changes.length);
  }
  const { user, system } = process.cpuUsage(started);
  const perChange = ((user + system) * 1000) / (changes.length * ROUNDS * (2 / 3));
  const best = spread(times).min.toFixed(0);
  console.log(
    `${name.padEnd(40)} ${perChange.toFixed(0).padStart(6)} ns of CPU per change (best round ${best} ns), ${String(Math.round(1e6 / perChange)).padStart(6)} k changes/s, ${rows} rows`,
  );
}

const ids = Array.from({ length: ROWS }, (_, i) => 1_234_000 + i);
console.log(`${ROWS} changes of a table of ${ORDERS.columns.length} columns`);
for (const kind of ['insert', 'update'] as const) {
  const changes = ids.map((id) => changeOf(id, kind));
  for (const [name, mapping] of Object.entries(MAPPINGS)) {
    measure(`${kind}: ${name}`, createMapper({ mapping, sink: 'bench' }), changes);
  }
}
