import type { ChangeKind, Row } from '../../src/core/change.ts';
import type { StreamChange } from '../../src/core/consumer.ts';
import type { MappedRow } from '../../src/core/mapper.ts';
import { keyNames } from '../../src/core/plain-rows.ts';
import type { TableSchema } from '../../src/core/table-schema.ts';
import { createMapper, type MapperOptions } from '../../src/mapping/mapper.ts';
import type { MappingConfig } from '../../src/mapping/mapping-config.ts';

export interface ChangeSketch {
  readonly kind?: ChangeKind;
  readonly before?: Row | null;
  readonly after?: Row | null;
  readonly scn?: number;
}

/** A change as a consumer gets it, written short: an insert with `after`, a delete with `before`, an update with both. */
export function changeOf(
  table: TableSchema,
  { kind, before = null, after = null, scn = 1 }: ChangeSketch,
): StreamChange {
  const names = keyNames(table);
  const row = { ...before, ...after };
  return {
    kind: kind ?? (before === null ? 'insert' : after === null ? 'delete' : 'update'),
    table,
    scn,
    key: names.length === 0 ? null : (Object.fromEntries(names.map((name) => [name, row[name]])) as Row),
    before,
    after,
    statement: null,
    committedAtUs: 1_795_166_102_123_456,
  };
}

/** The rows that a change becomes, where no hook makes one wait. */
export function rowsOf(
  mapping: MappingConfig,
  change: StreamChange,
  options: Partial<MapperOptions> = {},
): readonly MappedRow[] {
  return createMapper({ mapping, sink: 'test', ...options }).map(change) as readonly MappedRow[];
}

/** Rows as they are read best: `target kind`, key and images. */
export function shown(rows: readonly MappedRow[]): unknown[] {
  return rows.map(({ target: { table }, kind, key, before, after, patches }) => ({
    to: `${table.database}.${table.name}`,
    kind,
    key,
    ...(before === null ? {} : { before }),
    ...(after === null ? {} : { after }),
    ...(patches === undefined ? {} : { patches }),
  }));
}
