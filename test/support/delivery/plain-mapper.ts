import type { StreamChange } from '../../../src/core/consumer.ts';
import type { MappedRow, Mapper } from '../../../src/core/mapper.ts';
import type { SinkTarget } from '../../../src/core/sink.ts';
import type { TableSchema } from '../../../src/core/table-schema.ts';

/** Every table goes to a target of its own name, as it is. */
export class PlainMapper implements Mapper {
  readonly tables: readonly string[] = ['*.*'];
  readonly columns = null;
  readonly #targets = new Map<TableSchema, SinkTarget>();

  map(change: StreamChange): readonly MappedRow[] {
    const { kind, table, key, before, after, scn } = change;
    return [{ target: this.#target(table), kind, key, before, after, scn, change, keepsKey: true }];
  }

  passing(table: TableSchema): SinkTarget {
    return this.#target(table);
  }

  targetsOf(database: string, table: string): readonly SinkTarget[] {
    return [...this.#targets.values()].filter(
      ({ table: target }) => target.database === database && target.name === table,
    );
  }

  #target(table: TableSchema): SinkTarget {
    let target = this.#targets.get(table);
    if (target === undefined) {
      target = { table, options: {} };
      this.#targets.set(table, target);
    }
    return target;
  }
}
