import { describe, expect, test } from 'vitest';
import type { Change, TransactionInfo } from '../core/change.ts';
import { TidingsError } from '../core/errors.ts';
import type { Position } from '../core/position.ts';
import type { ChangeBatch, Entry, RowBatch, Source, TransactionPart } from '../core/source.ts';
import { FakeSource } from './fake-source.ts';
import { FakePosition, FakeStore } from './fake-store.ts';
import { sourceConformance, type ConformanceWrite, type SourceHarness } from './source-conformance.ts';
import { tableOf } from './tables.ts';

const NOTES = tableOf('shop.notes', { id: 'int', note: 'varchar' }, ['id']);

/** Wraps each source that the harness makes; the identity for the fake source as it is. */
type Break = (source: FakeSource, store: FakeStore) => Source;

function harnessOf(breakIt: Break = (source) => source): SourceHarness {
  const store = new FakeStore();
  const notes = new Map<number, string>();
  const rowOf = (id: number): { id: number; note: string } => ({ id, note: notes.get(id) ?? '' });
  return {
    largeTransactionRows: 250,
    timeoutMs: 200,
    create: (from) =>
      breakIt(new FakeSource(store, { from: from === null ? undefined : FakePosition.parse(from) }), store),
    async write(changes: readonly ConformanceWrite[]) {
      store.commit(
        ...changes.map(({ kind, id, note }) => {
          const before = rowOf(id);
          notes.set(id, note);
          if (kind === 'update') return { kind, table: NOTES, rows: [{ before, after: rowOf(id) }] } as const;
          return { kind, table: NOTES, rows: [kind === 'delete' ? before : rowOf(id)] } as const;
        }),
      );
    },
    async cutConnection() {
      store.cut();
    },
    async spoil() {
      store.failAt(store.end, new TidingsError('BINLOG_CORRUPT', 'scripted'));
    },
    async repair() {
      store.repair();
    },
    openConnections: () => store.connections,
    readAhead: (source) => ({ amount: readAheadOf(source), max: 0 }),
  };
}

describe('the fake source keeps the contract of a source', () => {
  for (const check of sourceConformance(harnessOf())) {
    test(`the fake source: ${check.name}`, async () => {
      await expect(check.run()).resolves.toBeUndefined();
    });
  }
});

/** One way to break each clause, and the check that must notice. */
const BROKEN: readonly { readonly fault: string; readonly noticedBy: string; readonly breakIt: Break }[] = [
  {
    fault: 'swaps neighbouring transactions',
    noticedBy: 'changes come in commit order, and in the order they were made in within a transaction',
    breakIt: withBatches((batch) => ({ ...batch, parts: batch.parts.toReversed() })),
  },
  {
    fault: 'swaps the entries of a transaction',
    noticedBy: 'changes come in commit order, and in the order they were made in within a transaction',
    breakIt: withParts((part) => ({ ...part, entries: part.entries.toReversed() })),
  },
  {
    fault: 'drops one row',
    noticedBy: 'changes come in commit order, and in the order they were made in within a transaction',
    breakIt: withParts((part) => ({ ...part, entries: part.entries.slice(1) })),
  },
  {
    fault: 'hands over transactions whole, whatever their size',
    noticedBy:
      'a transaction larger than a batch comes in parts: the first begins it, the last alone has an end, none is interleaved',
    breakIt: (_source, store) => new FakeSource(store, { rowsPerBatchMax: Infinity }),
  },
  {
    fault: 'begins a transaction with every part',
    noticedBy:
      'a transaction larger than a batch comes in parts: the first begins it, the last alone has an end, none is interleaved',
    breakIt: withParts((part) => ({ ...part, begins: true })),
  },
  {
    fault: 'gives every part an end',
    noticedBy:
      'a transaction larger than a batch comes in parts: the first begins it, the last alone has an end, none is interleaved',
    breakIt: withParts((part) => ({ ...part, end: part.end ?? part.transaction.start })),
  },
  {
    fault: 'lets the position of a batch lie inside a transaction',
    noticedBy: "a batch's position is the end of the last whole transaction in or before it",
    breakIt: withBatches((batch, i) => ({ ...batch, position: new NamedPosition(`inside:${i}`) })),
  },
  {
    fault: 'names an older position for a batch',
    noticedBy: "a batch's position is the end of the last whole transaction in or before it",
    breakIt: withBatches((batch) => ({ ...batch, position: batch.parts[0]?.transaction.start ?? batch.position })),
  },
  {
    fault: 'lets its position lead: it counts what was only just handed over',
    noticedBy: "the source's own position follows what the consumer has left behind, and never leads it",
    breakIt: (source) => new BrokenSource(source, { position: (_own, handedOver) => handedOver }),
  },
  {
    fault: 'never moves its position',
    noticedBy: "the source's own position follows what the consumer has left behind, and never leads it",
    breakIt: (source) => new BrokenSource(source, { position: () => null }),
  },
  {
    fault: 'gives keys in another order than rows',
    noticedBy: 'rows, keys and changes of a row batch are views of the same rows, and may be asked for repeatedly',
    breakIt: withRows((rows) => ({ ...viewsOf(rows), keys: () => rows.keys()?.map(() => -1) ?? null })),
  },
  {
    fault: 'gives changes once only',
    noticedBy: 'rows, keys and changes of a row batch are views of the same rows, and may be asked for repeatedly',
    breakIt: withRows((rows) => {
      let asked = 0;
      return { ...viewsOf(rows), changes: () => (asked++ === 0 ? rows.changes() : []) };
    }),
  },
  {
    fault: 'reuses the rows that it handed over',
    noticedBy: 'what was taken out of a batch stays as it was when the next batches come',
    breakIt: (source) => new BrokenSource(source, { rows: reuseRows() }),
  },
  {
    fault: 'empties a batch while its reader still has it',
    noticedBy: 'a batch stays readable, and the same, until the next one is asked for',
    breakIt: (source, store) =>
      new BrokenSource(source, {
        rows: (rows) => {
          const end = String(store.end);
          return { ...viewsOf(rows), changes: () => (String(store.end) === end ? rows.changes() : []) };
        },
      }),
  },
  {
    fault: 'tells the commit time in milliseconds',
    noticedBy: 'a transaction tells its commit time in whole microseconds',
    breakIt: withTransactions((info) => ({ ...info, committedAtUs: info.committedAtUs / 1000 })),
  },
  {
    fault: 'resumes one transaction too late',
    noticedBy: "reading that resumes at a transaction's end yields everything after it and nothing before it",
    breakIt: withParts((part) => ({ ...part, end: part.end && shifted(part.end, 1) })),
  },
  {
    fault: 'resumes one transaction too early',
    noticedBy: "reading that resumes at a transaction's end yields everything after it and nothing before it",
    breakIt: withParts((part) => ({ ...part, end: part.end && shifted(part.end, -1) })),
  },
  {
    fault: "puts a transaction's start behind it",
    noticedBy: "reading that resumes at a transaction's start yields that transaction again, whole",
    breakIt: withTransactions((info) => ({ ...info, start: shifted(info.start, 1) })),
  },
  {
    fault: 'moves the position of a batch past a transaction that it holds only the beginning of',
    noticedBy:
      'reading that resumes at the position of any batch misses nothing, also when the batch ends inside a transaction',
    breakIt: withBatches((batch) => ({ ...batch, position: batch.parts.at(-1)?.end ?? shifted(batch.position, 1) })),
  },
  {
    fault: 'counts what was handed over last when it is closed',
    noticedBy: 'the position of a source that was closed is one to resume from',
    breakIt: (source) =>
      new BrokenSource(source, { position: (own, handedOver, closed) => (closed ? handedOver : own) }),
  },
  {
    fault: 'has no type',
    noticedBy: 'it has a type name',
    breakIt: (source) => new BrokenSource(source, { type: '' }),
  },
  {
    fault: 'ends where there is nothing more to read',
    noticedBy: 'it waits for changes that are still to come',
    breakIt: (_source, store) => new FakeSource(store, { until: store.end }),
  },
  {
    fault: 'goes on waiting when it is closed',
    noticedBy: 'closing ends an iteration that waits, and leaves no connection',
    breakIt: (source) => new BrokenSource(source, { close: async () => {} }),
  },
  {
    fault: 'fails when it is closed a second time',
    noticedBy: 'closing twice, or before reading, does no harm',
    breakIt: (source) => {
      let closed = 0;
      return new BrokenSource(source, {
        close: async () => (closed++ === 1 ? Promise.reject(new Error('closed')) : source.close()),
      });
    },
  },
  {
    fault: 'keeps its connection when the iteration is left',
    noticedBy: 'leaving the iteration closes the connection',
    breakIt: (source, store) => {
      store.connect({ wake: () => {}, cut: () => {} });
      return source;
    },
  },
  {
    fault: 'lets two iterations share its batches',
    noticedBy: 'a second iteration is refused while the first runs, and does not disturb it',
    breakIt: (source) => new BrokenSource(source, { shareIteration: true }),
  },
  {
    fault: 'reads on by itself',
    noticedBy: 'it reads on only when the next batch is asked for',
    breakIt: (source) => new BrokenSource(source, { eager: true }),
  },
  {
    fault: 'hands over a transaction again after a reconnect',
    noticedBy:
      'after a connection lost between transactions it goes on by itself: nothing is missing, nothing comes twice',
    breakIt: (source, store) => new BrokenSource(source, { afterCut: 'repeat', store }),
  },
  {
    fault: 'skips what was committed while it was away',
    noticedBy:
      'after a connection lost between transactions it goes on by itself: nothing is missing, nothing comes twice',
    breakIt: (source, store) => new BrokenSource(source, { afterCut: 'skip', store }),
  },
  {
    fault: 'begins a transaction again without saying so',
    noticedBy: 'a transaction cut in two by a lost connection comes again from its beginning, marked as restarted',
    breakIt: withParts((part) => ({ ...part, restarted: false })),
  },
  {
    fault: 'goes on in the middle after a reconnect',
    noticedBy: 'a transaction cut in two by a lost connection comes again from its beginning, marked as restarted',
    breakIt: withParts((part) => (part.restarted ? { ...part, begins: false, restarted: false } : part)),
  },
  {
    fault: 'ends quietly at what it cannot decode',
    noticedBy: 'what it cannot decode stops it with a TidingsError, and its position is where to resume',
    breakIt: (source) => new BrokenSource(source, { onError: () => null }),
  },
  {
    fault: 'throws an error without a code',
    noticedBy: 'what it cannot decode stops it with a TidingsError, and its position is where to resume',
    breakIt: (source) => new BrokenSource(source, { onError: () => new Error('something went wrong') }),
  },
  {
    fault: 'forgets its position when it fails',
    noticedBy: 'what it cannot decode stops it with a TidingsError, and its position is where to resume',
    breakIt: (source) =>
      new BrokenSource(source, { position: (own, _handedOver, _closed, failed) => (failed ? null : own) }),
  },
];

describe('the conformance suite notices faults', () => {
  for (const { fault, noticedBy, breakIt } of BROKEN) {
    test(`a source that ${fault} is noticed`, async () => {
      const check = sourceConformance(harnessOf(breakIt)).find(({ name }) => name === noticedBy);
      if (check === undefined) throw new Error(`there is no check "${noticedBy}"`);
      await expect(check.run()).rejects.toThrow(/./u);
    });
  }

  test('breaks any clause: every check notices some fault of the list above', () => {
    const noticing = new Set(BROKEN.map(({ noticedBy }) => noticedBy));
    expect(sourceConformance(harnessOf()).map(({ name }) => name)).toEqual(expect.arrayContaining([...noticing]));
    expect(noticing.size).toBe(sourceConformance(harnessOf()).length);
  });
});

interface Faults {
  readonly type?: string;
  readonly batch?: (batch: ChangeBatch, index: number) => ChangeBatch;
  readonly rows?: (rows: RowBatch) => RowBatch;
  readonly position?: (
    own: Position | null,
    handedOver: Position | null,
    closed: boolean,
    failed: boolean,
  ) => Position | null;
  readonly close?: () => Promise<void>;
  readonly onError?: (error: unknown) => Error | null;
  readonly shareIteration?: boolean;
  readonly eager?: boolean;
  readonly afterCut?: 'repeat' | 'skip';
  readonly store?: FakeStore;
}

/** A fake source with faults. */
class BrokenSource implements Source {
  readonly #source: FakeSource;
  readonly #faults: Faults;
  #handedOver: Position | null = null;
  #closed = false;
  #failed = false;
  #cut = false;
  #last: ChangeBatch | null = null;
  #iteration: AsyncIterableIterator<ChangeBatch, void, undefined> | null = null;
  /** Batches that were read before anybody asked. */
  readAhead = 0;

  constructor(source: FakeSource, faults: Faults) {
    this.#source = source;
    this.#faults = faults;
    faults.store?.connect({ wake: () => {}, cut: () => (this.#cut = true) });
  }

  get type(): string {
    return this.#faults.type ?? this.#source.type;
  }

  get position(): Position | null {
    const own = this.#source.position;
    return this.#faults.position === undefined
      ? own
      : this.#faults.position(own, this.#handedOver ?? own, this.#closed, this.#failed);
  }

  batches(): AsyncIterableIterator<ChangeBatch, void, undefined> {
    if (this.#faults.shareIteration === true && this.#iteration !== null) {
      const shared = this.#iteration;
      return { ...shared, next: async () => ({ done: true, value: undefined }), [Symbol.asyncIterator]: () => shared };
    }
    this.#iteration = this.#read();
    return this.#iteration;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (this.#faults.close ?? (() => this.#source.close()))();
  }

  #read(): AsyncIterableIterator<ChangeBatch, void, undefined> {
    const inner = this.#source.batches();
    let index = 0;
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        try {
          let result = await inner.next();
          if (result.done === true) return result;
          if (this.#cut && this.#faults.afterCut === 'skip') {
            this.#cut = false;
            result = await inner.next();
            if (result.done === true) return result;
          }
          if (this.#faults.eager === true) this.readAhead++;
          const batch = this.#broken(result.value, index++);
          const value =
            this.#cut && this.#last !== null && this.#faults.afterCut === 'repeat'
              ? { ...batch, parts: [...this.#last.parts, ...batch.parts] }
              : batch;
          this.#last = batch;
          this.#handedOver = batch.position;
          return { done: false, value };
        } catch (error) {
          this.#failed = true;
          const thrown = this.#faults.onError === undefined ? error : this.#faults.onError(error);
          if (thrown === null) return { done: true, value: undefined };
          throw thrown instanceof Error ? thrown : new Error('thrown');
        }
      },
      return: async () => inner.return?.() ?? { done: true, value: undefined },
    };
  }

  #broken(batch: ChangeBatch, index: number): ChangeBatch {
    const { rows } = this.#faults;
    const withRows =
      rows === undefined
        ? batch
        : mapParts(batch, (part) => ({
            ...part,
            entries: part.entries.map((entry): Entry => (entry.type === 'rows' ? rows(entry) : entry)),
          }));
    return this.#faults.batch?.(withRows, index) ?? withRows;
  }
}

class NamedPosition implements Position {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

function withBatches(batch: (batch: ChangeBatch, index: number) => ChangeBatch): Break {
  return (source) => new BrokenSource(source, { batch });
}

function withParts(change: (part: TransactionPart) => TransactionPart): Break {
  return withBatches((batch) => mapParts(batch, change));
}

function withTransactions(change: (info: TransactionInfo) => TransactionInfo): Break {
  return withParts((part) => ({ ...part, transaction: change(part.transaction) }));
}

function withRows(rows: (rows: RowBatch) => RowBatch): Break {
  return (source) => new BrokenSource(source, { rows });
}

function mapParts(batch: ChangeBatch, change: (part: TransactionPart) => TransactionPart): ChangeBatch {
  return { ...batch, parts: batch.parts.map(change) };
}

function viewsOf(rows: RowBatch): RowBatch {
  const { kind, table, statement } = rows;
  return {
    type: 'rows',
    kind,
    table,
    statement,
    rows: () => rows.rows(),
    keys: () => rows.keys(),
    changes: () => rows.changes(),
    shape: rows.shape,
    writeTo: (target) => rows.writeTo(target),
  };
}

/** Fills the same objects with the values of each new row batch. */
function reuseRows(): (rows: RowBatch) => RowBatch {
  const reused: { current: Change | null } = { current: null };
  return (rows) => ({
    ...viewsOf(rows),
    changes: () =>
      rows.changes().map((change) => {
        reused.current = reused.current === null ? { ...change } : Object.assign(reused.current, change);
        return reused.current;
      }),
  });
}

function shifted(position: Position, by: number): FakePosition {
  return new FakePosition(Math.max(FakePosition.parse(String(position)).index + by, 0));
}

function readAheadOf(source: Source): number {
  return source instanceof BrokenSource ? source.readAhead : 0;
}
