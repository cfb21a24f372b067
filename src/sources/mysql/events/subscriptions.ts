import type { ChangeKind } from '../../../core/change.ts';
import type { TableSchema } from '../../../core/table-schema.ts';
import { type EventSelector, type GlobalEventName, parseEventName } from './event-name.ts';
import type { AnyListener, RowAction } from './event-types.ts';

/** One call of `on`. `active` is looked at before every call, so that a listener that was taken off is never called again. */
export interface Subscription {
  readonly name: string;
  readonly selector: EventSelector;
  readonly listener: AnyListener;
  active: boolean;
}

/** Who wants the rows of one table that were changed in one way. Immutable. */
export interface RowSubscriptions {
  readonly action: RowAction;
  /** `orders_write` */
  readonly name: string;
  readonly key: readonly Subscription[];
  readonly raw: readonly Subscription[];
}

const ACTIONS: Readonly<Record<ChangeKind, RowAction>> = {
  insert: 'write',
  upsert: 'write',
  update: 'update',
  delete: 'delete',
};

/** All listeners, and the quick answer to who wants the rows at hand. */
export class Subscriptions {
  #all: readonly Subscription[] = [];
  #positions: readonly Subscription[] = [];
  /** Answers by table version and kind; forgotten whenever a listener comes or goes. */
  #answers = new WeakMap<TableSchema, Map<ChangeKind, RowSubscriptions>>();

  /** Throws EVENT_NAME_INVALID. */
  add(name: string, listener: AnyListener): Subscription {
    const subscription: Subscription = { name, selector: parseEventName(name), listener, active: true };
    this.#replace([...this.#all, subscription]);
    return subscription;
  }

  remove(subscription: Subscription): void {
    subscription.active = false;
    this.#replace(this.#all.filter((other) => other !== subscription));
  }

  /** The oldest subscription of this listener under this name. */
  find(name: string, listener: AnyListener): Subscription | undefined {
    return this.#all.find((subscription) => subscription.name === name && subscription.listener === listener);
  }

  global(form: GlobalEventName): readonly Subscription[] {
    return this.#all.filter((subscription) => subscription.selector.form === form);
  }

  /** Who is to be told of positions, in either form, in the order of subscribing. */
  positions(): readonly Subscription[] {
    return this.#positions;
  }

  /** True when somebody listens to rows of this table. */
  wantsTable(database: string, table: string): boolean {
    return this.#all.some(
      ({ selector }) =>
        (selector.form === 'key' || selector.form === 'raw') &&
        matches(selector.database, database) &&
        matches(selector.table, table),
    );
  }

  truncations(database: string, table: string): readonly Subscription[] {
    return this.#all.filter(
      ({ selector }) =>
        selector.form === 'truncate' && matches(selector.database, database) && matches(selector.table, table),
    );
  }

  rows(table: TableSchema, kind: ChangeKind): RowSubscriptions {
    let byKind = this.#answers.get(table);
    if (byKind === undefined) this.#answers.set(table, (byKind = new Map<ChangeKind, RowSubscriptions>()));
    let answer = byKind.get(kind);
    if (answer === undefined) byKind.set(kind, (answer = this.#select(table, ACTIONS[kind])));
    return answer;
  }

  #select(table: TableSchema, action: RowAction): RowSubscriptions {
    const wanting = (form: 'key' | 'raw'): Subscription[] =>
      this.#all.filter(
        ({ selector }) =>
          selector.form === form &&
          matches(selector.database, table.database) &&
          matches(selector.table, table.name) &&
          matches(selector.action, action),
      );
    return { action, name: `${table.name}_${action}`, key: wanting('key'), raw: wanting('raw') };
  }

  #replace(all: readonly Subscription[]): void {
    this.#all = all;
    this.#positions = all.filter(
      ({ selector }) => selector.form === 'position' || selector.form === 'mysql_binlog_pos',
    );
    this.#answers = new WeakMap();
  }
}

function matches(wanted: string | null, actual: string): boolean {
  return wanted === null || wanted === actual;
}
