import type { StreamChange } from '../core/consumer.ts';
import type { MappedRow, Mapper } from '../core/mapper.ts';

/** A mapper that also says what it leaves out: for people who look at a mapping. */
export interface TracingMapper extends Mapper {
  /** Whether there is a rule for the table. */
  selects(database: string, table: string): boolean;
  /** As `map`, with the reason wherever nothing came of the change. @throws as `map` */
  trace(change: StreamChange): MappingTrace | Promise<MappingTrace>;
}

export interface MappingTrace {
  readonly rows: readonly MappedRow[];
  readonly leftOut: readonly LeftOut[];
}

/** Who made no row of a change. */
export interface LeftOut {
  /** The rule's label; null for a hook. */
  readonly rule: string | null;
  readonly hook: string | null;
  readonly reason: LeftOutReason;
}

/** `where`: the row is not among those that the rule takes; `delete`: it went, and the rule ignores that; `hook`: the hook wanted none. */
export type LeftOutReason = 'where' | 'delete' | 'hook';
