import type { Connection } from 'mysql2/promise';
import { COLOURS, GOODS, NOTES, SHOP_TABLES } from './shop.ts';
import { money, pick, random, skuOf, someone } from './shop-values.ts';

/** What the shop has before anybody follows it. */
export interface Stock {
  readonly customers: number;
  readonly products: number;
  /** Numbers of the orders: even ones. */
  readonly orders: readonly number[];
  /** Of all tables together. */
  readonly rows: number;
}

const CUSTOMERS = 3000;
const PRODUCTS = 2000;
const ORDERS = 6000;
const LINES_MAX = 5;
/** Of one INSERT. */
const ROWS_MAX = 2000;

type Values = readonly (string | number | null)[];

/** Makes the tables, and rows in them that no stream will ever bring. */
export async function stockShop(connection: Connection): Promise<Stock> {
  for (const table of SHOP_TABLES) {
    await connection.query(table);
  }
  const orders = Array.from({ length: ORDERS }, (_, i) => 2 * (i + 1));
  const lines = orders.flatMap((id) => linesOf(id));
  const tables: readonly (readonly [into: string, rows: readonly Values[]])[] = [
    ['customers (id, name, about, joined)', Array.from({ length: CUSTOMERS }, (_, i) => [i + 1, ...someone()])],
    ['products (sku, title, price, stock)', Array.from({ length: PRODUCTS }, (_, i) => product(i))],
    ['orders (id, customer, status, total, placed, note)', orders.map((id) => order(id))],
    ['order_lines (order_id, line, sku, quantity, price)', lines],
  ];
  await connection.beginTransaction();
  for (const [into, rows] of tables) {
    for (let first = 0; first < rows.length; first += ROWS_MAX) {
      await connection.query(`INSERT INTO ${into} VALUES ?`, [rows.slice(first, first + ROWS_MAX)]);
    }
  }
  await connection.commit();
  const rows = tables.reduce((sum, [, { length }]) => sum + length, 0);
  return { customers: CUSTOMERS, products: PRODUCTS, orders, rows };
}

function product(number: number): Values {
  const title = `${COLOURS[number % 10]} ${GOODS[Math.floor(number / 10) % 10]}, size ${Math.floor(number / 100)}`;
  return [skuOf(number), title, money(100 + random(20_000)), 500];
}

function order(id: number): Values {
  const placed = new Date(Date.now() - (2 * ORDERS - id) * 60_000 - random(60_000));
  const micros = String(random(1000)).padStart(3, '0');
  const text = `${placed.toISOString().replace('T', ' ').slice(0, 23)}${micros}`;
  const status = pick(['new', 'paid', 'shipped']) ?? 'new';
  return [id, 1 + random(CUSTOMERS), status, money(100 + random(90_000)), text, pick(NOTES) ?? null];
}

function linesOf(id: number): Values[] {
  return Array.from({ length: 1 + random(LINES_MAX) }, (_, i) => [
    id,
    i + 1,
    skuOf(random(PRODUCTS)),
    1 + random(3),
    money(100 + random(20_000)),
  ]);
}
