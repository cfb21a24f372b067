import type { Connection } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import { COLOURS, FIRST_NAMES, GOODS, LAST_NAMES, NOTES, SHOP_MIGRATION } from './shop.ts';

/** Pause of one client between two of its transactions. */
const PAUSE_MAX_MS = 12;
/** Deadlock found, lock wait timed out: the server has rolled back, as it does in any shop. */
const ROLLED_BACK_BY_SERVER: ReadonlySet<number> = new Set([1213, 1205]);
const CUSTOMERS = 120;
const PRODUCTS = 100;

export interface ShopLoadOptions {
  /** One for each client. The load does not end them. */
  readonly connections: readonly Connection[];
  /** Called right before an order's COMMIT is sent. */
  readonly onCommit: (orderId: number) => void;
}

/** A small shop's clients: they order, pay, cancel and change their minds, all at the same time. */
export class ShopLoad {
  commits = 0;
  rollbacks = 0;
  readonly #options: ShopLoadOptions;
  readonly #orders: number[] = [];
  #nextOrder = 1;
  #customers = 0;
  #migrated = false;

  constructor(options: ShopLoadOptions) {
    this.#options = options;
  }

  /** What the shop has before it opens. */
  async open(): Promise<void> {
    const [connection] = this.#options.connections;
    if (connection === undefined) return;
    const products = Array.from({ length: PRODUCTS }, (_, i) => [
      skuOf(i),
      `${COLOURS[i % 10]} ${GOODS[Math.floor(i / 10)]}`,
      money(100 + random(20_000)),
      500,
    ]);
    await connection.query('INSERT INTO products (sku, title, price, stock) VALUES ?', [products]);
    this.commits++;
    const customers = Array.from({ length: CUSTOMERS }, () => this.#newCustomer());
    await connection.query('INSERT INTO customers (id, name, about, joined) VALUES ?', [customers]);
    this.commits++;
  }

  /** Until the signal aborts; every transaction is then complete. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#options.connections.map((connection) => this.#client(connection, signal)));
  }

  /** The definition of a table changes while clients are using it. */
  async migrate(connection: Connection): Promise<void> {
    await connection.query(SHOP_MIGRATION);
    this.#migrated = true;
  }

  /**
   * The very last transaction, with changes of so many keys that every consumer gets some of it. Returns the id of the customer that it
   * adds.
   */
  async close(connection: Connection): Promise<number> {
    await connection.beginTransaction();
    await connection.query('UPDATE products SET price = price * 0.9');
    const customer = this.#newCustomer();
    await connection.query('INSERT INTO customers (id, name, about, joined) VALUES (?)', [customer]);
    await connection.commit();
    this.commits++;
    return this.#customers;
  }

  async #client(connection: Connection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#transaction(connection, Math.random());
        this.commits++;
      } catch (error) {
        if (!ROLLED_BACK_BY_SERVER.has((error as { errno?: number }).errno ?? 0)) throw error;
        await connection.rollback();
        this.rollbacks++;
      }
      await sleep(Math.random() * PAUSE_MAX_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #transaction(connection: Connection, dice: number): Promise<void> {
    if (dice < 0.48) await this.#placeOrder(connection);
    else if (dice < 0.75) await this.#moveOrderOn(connection);
    else if (dice < 0.8) await this.#renumberLines(connection);
    else if (dice < 0.88) await this.#cancelOrder(connection);
    else if (dice < 0.92) await this.#restock(connection);
    else if (dice < 0.97) {
      await connection.query('UPDATE customers SET about = ? WHERE id = ?', [pick(NOTES), 1 + random(this.#customers)]);
    } else {
      await connection.query('INSERT INTO customers (id, name, about, joined) VALUES (?)', [this.#newCustomer()]);
    }
  }

  async #placeOrder(connection: Connection): Promise<void> {
    const id = this.#nextOrder++;
    // In the order of their keys, so that clients wait for one another instead of running into deadlocks.
    const skus = [...new Set(Array.from({ length: 1 + random(4) }, () => skuOf(random(PRODUCTS))))].sort();
    const lines = skus.map((sku, i) => [id, i + 1, sku, 1 + random(3), money(100 + random(20_000))] as const);
    const total = lines.reduce((sum, [, , , quantity, price]) => sum + quantity * Number(price) * 100, 0);
    await connection.beginTransaction();
    const order = { id, customer: 1 + random(this.#customers), status: 'new', total: money(total), note: pick(NOTES) };
    const channel = this.#migrated && Math.random() < 0.8 ? { channel: pick(['web', 'phone', 'market']) } : {};
    await connection.query('INSERT INTO orders SET ?, placed = NOW(6)', [{ ...order, ...channel }]);
    await connection.query('INSERT INTO order_lines (order_id, line, sku, quantity, price) VALUES ?', [lines]);
    for (const [, , sku, quantity] of lines) {
      await connection.query('UPDATE products SET stock = stock - ? WHERE sku = ?', [quantity, sku]);
    }
    if (Math.random() < 0.06) {
      // The card was declined. Nobody who follows the shop may ever hear of it.
      await connection.rollback();
      this.rollbacks++;
      this.commits--;
      return;
    }
    this.#options.onCommit(id);
    await connection.commit();
    this.#orders.push(id);
  }

  async #moveOrderOn(connection: Connection): Promise<void> {
    const id = pick(this.#orders) ?? 0;
    const last = this.#migrated ? 'returned' : 'shipped';
    await connection.query(
      `UPDATE orders SET status = CASE status WHEN 'new' THEN 'paid' WHEN 'paid' THEN 'shipped' ELSE '${last}' END WHERE id = ?`,
      [id],
    );
  }

  /** Moves the rows' primary keys. */
  async #renumberLines(connection: Connection): Promise<void> {
    const id = pick(this.#orders) ?? 0;
    await connection.query('UPDATE order_lines SET line = line + 100 WHERE order_id = ? AND line < 100', [id]);
  }

  async #cancelOrder(connection: Connection): Promise<void> {
    const id = pick(this.#orders) ?? 0;
    await connection.beginTransaction();
    await connection.query('DELETE FROM order_lines WHERE order_id = ?', [id]);
    await connection.query('DELETE FROM orders WHERE id = ?', [id]);
    await connection.commit();
  }

  async #restock(connection: Connection): Promise<void> {
    const first = random(PRODUCTS - 10);
    await connection.query('UPDATE products SET stock = stock + 50, price = price * 1.01 WHERE sku BETWEEN ? AND ?', [
      skuOf(first),
      skuOf(first + 9),
    ]);
  }

  #newCustomer(): readonly (string | number | null)[] {
    this.#customers++;
    const joined = new Date(Date.now() - random(400 * 24 * 3600) * 1000).toISOString().replace('T', ' ').slice(0, 23);
    return [this.#customers, `${pick(FIRST_NAMES)} ${pick(LAST_NAMES)}`, pick(NOTES) ?? null, joined];
  }
}

function skuOf(number: number): string {
  return `SKU-${String(1000 + number)}`;
}

function money(cents: number): string {
  return (Math.round(cents) / 100).toFixed(2);
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

function pick<T>(from: readonly T[]): T | undefined {
  return from[random(from.length)];
}
