import type { Row } from '../../../src/core/change.ts';
import type { StreamChange } from '../../../src/core/consumer.ts';
import { keyNames } from '../../../src/core/plain-rows.ts';
import type { NestedPatch, SinkBatch, SinkCheckpoint, SinkRow, SinkTarget } from '../../../src/core/sink.ts';
import type { TableSchema } from '../../../src/core/table-schema.ts';

/** Makes a target's rows as a mapping that changes nothing would; SCNs count up. */
export class RowsOf {
  readonly target: SinkTarget;
  readonly #partition: number;
  static #scn = 0;

  constructor(
    table: TableSchema,
    { partition = 0, ...rest }: { readonly partition?: number } & Omit<Partial<SinkTarget>, 'table'> = {},
  ) {
    this.target = { table, options: {}, ...rest };
    this.#partition = partition;
  }

  /** Changes parts of the documents of the row with this key, which need not be there, or (`update`) is. */
  patch(key: Row, patches: readonly NestedPatch[], { kind = 'upsert' }: { kind?: 'upsert' | 'update' } = {}): SinkRow {
    return { ...this.#row(kind, kind === 'update' ? key : null, key), patches };
  }

  insert(after: Row): SinkRow {
    return this.#row('insert', null, after);
  }

  upsert(after: Row): SinkRow {
    return this.#row('upsert', null, after);
  }

  update(before: Row, after: Row): SinkRow {
    return this.#row('update', before, after);
  }

  delete(before: Row): SinkRow {
    return this.#row('delete', before, null);
  }

  /** A moved key as a group's member gets it. */
  moved(before: Row, after: Row): readonly [SinkRow, SinkRow] {
    const from = this.#row('delete', before, null);
    const to = { ...this.#row('insert', null, after), scn: from.scn };
    return [
      { ...from, change: { ...from.change, moved: 'from' } },
      { ...to, change: { ...to.change, scn: from.scn, moved: 'to' } },
    ];
  }

  #row(kind: SinkRow['kind'], before: Row | null, after: Row | null): SinkRow {
    const { table } = this.target;
    const scn = ++RowsOf.#scn;
    const names = keyNames(table);
    const of = { ...before, ...after };
    const key = names.length === 0 ? null : Object.fromEntries(names.map((name) => [name, of[name] ?? null]));
    const change: StreamChange = {
      kind,
      table,
      scn,
      key,
      before,
      after,
      statement: null,
      partition: this.#partition,
      committedAtUs: 1_763_630_102_000_000,
    };
    return { target: this.target, kind, key, before, after, scn, change };
  }
}

/** A batch with the checkpoint of its last row. */
export function batchOf(
  rows: readonly SinkRow[],
  {
    lane = 0,
    partition = 0,
    endsTransaction = true,
    checkpoints,
  }: {
    readonly lane?: number | 'serial';
    readonly partition?: number;
    readonly endsTransaction?: boolean;
    readonly checkpoints?: readonly SinkCheckpoint[];
  } = {},
): SinkBatch {
  const last = rows.at(-1);
  const own = last === undefined || !endsTransaction ? [] : [{ partition, serial: lane === 'serial', scn: last.scn }];
  return { lane, rows, checkpoints: checkpoints ?? own, endsTransaction };
}
