import type { Connection } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import { NOTES, SHOP_MIGRATION, TILL } from './shop.ts';
import type { Stock } from './shop-stock.ts';
import { money, pick, random, skuOf, someone } from './shop-values.ts';

/** Pause of one client between two of its transactions. */
const PAUSE_MAX_MS = 30;
/** Deadlock found, lock wait timed out: the server has rolled back, as it does in any shop. */
const ROLLED_BACK_BY_SERVER: ReadonlySet<number> = new Set([1213, 1205]);
/** Products of the last transaction. */
const SALE = 200;

export interface ShopLoadOptions {
  /** One for each client. The load does not end them. */
  readonly connections: readonly Connection[];
  readonly stock: Stock;
  /** Called right before an order's COMMIT is sent. */
  readonly onCommit: (orderId: number) => void;
}

/** A small shop's clients: they order, pay, cancel and change their minds, all at the same time. */
export class ShopLoad {
  commits = 0;
  rollbacks = 0;
  readonly #options: ShopLoadOptions;
  /** Some are cancelled by now. */
  readonly #orders: number[];
  /** Odd numbers that orders were moved to. */
  readonly #movedTo = new Set<number>();
  #nextOrder: number;
  #customers: number;
  #migrated = false;

  constructor(options: ShopLoadOptions) {
    this.#options = options;
    const { orders, customers } = options.stock;
    this.#orders = [...orders];
    this.#nextOrder = 2 + (orders.at(-1) ?? 0);
    this.#customers = customers;
  }

  /** Until the signal aborts; every transaction is then complete. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#options.connections.map((connection) => this.#client(connection, signal)));
  }

  /** The definition of a table changes while clients are using it, and there is one table more. */
  async migrate(connection: Connection): Promise<void> {
    for (const statement of SHOP_MIGRATION) await connection.query(statement);
    this.#migrated = true;
  }

  /**
   * The very last transaction, with changes of so many keys that every consumer gets some of it. Returns the id of the customer that it
   * adds.
   */
  async close(connection: Connection): Promise<number> {
    await connection.beginTransaction();
    await connection.query('UPDATE products SET price = price * 0.9 WHERE sku < ?', [skuOf(SALE)]);
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
    if (dice < 0.45) await this.#placeOrder(connection);
    else if (dice < 0.73) await this.#moveOrderOn(connection);
    else if (dice < 0.78) await this.#renumberLines(connection);
    else if (dice < 0.83) await this.#renumberOrder(connection);
    else if (dice < 0.88) await this.#cancelOrder(connection);
    else if (dice < 0.92) await this.#restock(connection);
    else if (dice < 0.97) {
      await connection.query('UPDATE customers SET about = ? WHERE id = ?', [pick(NOTES), 1 + random(this.#customers)]);
    } else {
      await connection.query('INSERT INTO customers (id, name, about, joined) VALUES (?)', [this.#newCustomer()]);
    }
  }

  async #placeOrder(connection: Connection): Promise<void> {
    const id = this.#nextOrder;
    this.#nextOrder += 2;
    // In the order of their keys, so that clients wait for one another instead of running into deadlocks.
    const skus = [
      ...new Set(Array.from({ length: 1 + random(4) }, () => skuOf(random(this.#options.stock.products)))),
    ].sort();
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
    if (this.#migrated) await connection.query(`INSERT INTO ${TILL} VALUES (NOW(6), ?, ?)`, [id, money(total)]);
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

  /** Moves an order and its lines to any free number: across the whole tables, forwards and backwards. */
  async #renumberOrder(connection: Connection): Promise<void> {
    const at = random(this.#orders.length);
    const id = this.#orders[at] ?? 0;
    const target = this.#freeNumber();
    await connection.beginTransaction();
    await connection.query('UPDATE orders SET id = ? WHERE id = ?', [target, id]);
    await connection.query('UPDATE order_lines SET order_id = ? WHERE order_id = ?', [target, id]);
    await connection.commit();
    this.#orders[at] = target;
  }

  async #cancelOrder(connection: Connection): Promise<void> {
    const id = pick(this.#orders) ?? 0;
    await connection.beginTransaction();
    await connection.query('DELETE FROM order_lines WHERE order_id = ?', [id]);
    await connection.query('DELETE FROM orders WHERE id = ?', [id]);
    await connection.commit();
  }

  async #restock(connection: Connection): Promise<void> {
    const first = random(this.#options.stock.products - 10);
    await connection.query('UPDATE products SET stock = stock + 50, price = price * 1.01 WHERE sku BETWEEN ? AND ?', [
      skuOf(first),
      skuOf(first + 9),
    ]);
  }

  #freeNumber(): number {
    let number: number;
    do number = 1 + 2 * random(this.#nextOrder / 2);
    while (this.#movedTo.has(number));
    this.#movedTo.add(number);
    return number;
  }

  #newCustomer(): readonly (string | number | null)[] {
    this.#customers++;
    return [this.#customers, ...someone()];
  }
}
