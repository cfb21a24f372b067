import type { ChangeKind, Row, TransactionInfo } from '../../src/core/change.ts';
import { plainRowBatch } from '../../src/core/plain-rows.ts';
import type { Position } from '../../src/core/position.ts';
import type { ChangeBatch, Entry, RowBatch, Source, TransactionPart } from '../../src/core/source.ts';
import type { Column, ColumnType, TableSchema } from '../../src/core/table-schema.ts';

/** 2026-11-20T09:15:02.123456Z */
export const COMMITTED_AT_US = 1_795_166_102_123_456;

export function column(name: string, type: ColumnType, properties: Partial<Column> = {}): Column {
  return {
    name,
    type,
    nullable: true,
    unsigned: false,
    length: null,
    scale: null,
    charset: null,
    collation: null,
    members: null,
    generated: null,
    invisible: false,
    ...properties,
  };
}

export function table(
  name: string,
  columns: readonly Column[],
  { key = [0] }: { key?: readonly number[] } = {},
): TableSchema {
  const [database = '', bare = ''] = name.split('.');
  return { database, name: bare, columns, key };
}

export interface Images {
  readonly before?: readonly Row[];
  readonly after?: readonly Row[];
  readonly statement?: string;
}

export function rowBatch(
  schema: TableSchema,
  kind: ChangeKind,
  { before = [], after = [], statement }: Images,
): RowBatch {
  const common = { table: schema, statement: statement ?? null };
  if (kind !== 'update') return plainRowBatch({ ...common, kind, rows: kind === 'delete' ? before : after });
  return plainRowBatch({
    ...common,
    kind,
    rows: after.map((row, index) => ({ before: before[index] ?? {}, after: row })),
  });
}

/** A position of a file and an offset, or of any other text. */
export function position(text: string): Position {
  const [file = '', offset = ''] = text.split(':');
  return offset === ''
    ? { toString: () => text }
    : Object.assign({ toString: () => text }, { file, offset: Number(offset) });
}

export interface PartOptions {
  readonly transaction?: Partial<TransactionInfo>;
  readonly begins?: boolean;
  readonly restarted?: boolean;
  /** Null while more parts follow. */
  readonly end?: Position | null;
}

export function part(entries: readonly Entry[], options: PartOptions = {}): TransactionPart {
  return {
    transaction: {
      id: '0-1-42',
      committedAtUs: COMMITTED_AT_US,
      serverId: 1,
      start: position('mysql-bin.000003:154'),
      ...options.transaction,
    },
    begins: options.begins ?? true,
    restarted: options.restarted ?? false,
    entries,
    end: options.end === undefined ? position('mysql-bin.000003:484') : options.end,
  };
}

export function batch(
  parts: readonly TransactionPart[],
  end: Position = position('mysql-bin.000003:484'),
): ChangeBatch {
  return { parts, position: parts.findLast((each) => each.end !== null)?.end ?? end, bytes: 100 };
}

/** Hands over the given batches; then it ends, or waits for `close` when it is to hold. */
export class MemorySource implements Source {
  readonly type: string = 'memory';
  readonly #batches: readonly ChangeBatch[];
  readonly #hold: boolean;
  readonly #closed: PromiseWithResolvers<void> = Promise.withResolvers();
  /** Batches that were asked for so far. */
  handedOver = 0;
  closed = false;
  position: Position | null = null;

  constructor(batches: readonly ChangeBatch[], { hold = false }: { hold?: boolean } = {}) {
    this.#batches = batches;
    this.#hold = hold;
  }

  async *batches(): AsyncIterableIterator<ChangeBatch, void, undefined> {
    for (const next of this.#batches) {
      if (this.closed) return;
      this.handedOver++;
      yield next;
      this.position = next.position;
    }
    if (this.#hold) await this.#closed.promise;
  }

  close(): Promise<void> {
    this.closed = true;
    this.#closed.resolve();
    return Promise.resolve();
  }
}
