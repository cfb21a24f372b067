import { describe, expect, test } from 'vitest';
import { everyType } from '../../test/support/sinks/typed-rows.ts';
import { RowsRefused, type Sink, type SinkBatch, type SinkRow } from '../core/sink.ts';
import { MemorySink, MemoryStore } from './memory-sink.ts';
import { sinkConformance, type SinkHarness } from './sink-conformance.ts';

const UNFIT = 'much too long a note '.repeat(10);

function harnessOf(breakIt: (sink: MemorySink, store: MemoryStore) => Sink = (sink) => sink): SinkHarness {
  const store = new MemoryStore();
  let tables = 0;
  return {
    create: () =>
      breakIt(
        new MemorySink(store, { refuses: ({ after }) => (after?.['note'] === UNFIT ? 'note is too long' : null) }),
        store,
      ),
    freshName: () => `shop.t${++tables}`,
    rows: async (target) => store.rows(target),
    takesPatches: true,
    unfitNote: UNFIT,
    async loseNextAnswer() {
      store.losesNextAnswer = true;
    },
  };
}

describe('the sink in memory keeps the contract of a sink', () => {
  for (const check of sinkConformance(harnessOf())) {
    test(`the sink in memory: ${check.name}`, async () => {
      await expect(check.run()).resolves.toBeUndefined();
    });
  }
});

type Write = (sink: Sink, batch: SinkBatch) => Promise<void>;

/** A sink that writes in another way. */
function writes(write: Write): (sink: MemorySink) => Sink {
  return (sink) => changed(sink, { write: (batch) => write(sink, batch) });
}

function changed(sink: MemorySink, changes: Partial<Sink>): Sink {
  return {
    promise: sink.promise,
    open: (context) => sink.open(context),
    prepare: (target) => sink.prepare(target),
    write: (batch) => sink.write(batch),
    truncate: (target, checkpoints) => sink.truncate(target, checkpoints),
    claim: (partitions) => sink.claim(partitions),
    read: (target, keys) => sink.read(target, keys),
    close: () => sink.close(),
    ...changes,
  };
}

/** One way to break each clause, and the check that must notice. */
const BROKEN: readonly {
  readonly fault: string;
  readonly noticedBy: string;
  readonly breakIt: (sink: MemorySink, store: MemoryStore) => Sink;
}[] = [
  {
    fault: 'writes the rows of a batch in another order',
    noticedBy: 'of several changes of a key the last one counts, within a batch and over batches',
    breakIt: writes((sink, batch) => sink.write({ ...batch, rows: batch.rows.toReversed() })),
  },
  {
    fault: 'leaves inserts of rows that are there alone',
    noticedBy: 'an insert of a row that is there, and an update of one that is not, leave the row as it came',
    breakIt: (sink, store) =>
      changed(sink, {
        write: (batch) =>
          sink.write({
            ...batch,
            rows: batch.rows.filter(
              ({ kind, target, key }) =>
                kind !== 'insert' || !store.rows(target).some((row) => row['id'] === key?.['id']),
            ),
          }),
      }),
  },
  {
    fault: 'fails for a delete of what is not there',
    noticedBy: 'deleting what is not there does no harm',
    breakIt: writes(async (sink, batch) => {
      if (batch.rows.some(({ kind, key }) => kind === 'delete' && key?.['id'] === 7)) throw new Error('no such row');
      await sink.write(batch);
    }),
  },
  {
    fault: 'forgets the old key',
    noticedBy: 'a key that moves leaves nothing behind',
    breakIt: writes((sink, batch) =>
      sink.write({ ...batch, rows: batch.rows.map((row) => (row.kind === 'update' ? { ...row, before: null } : row)) }),
    ),
  },
  {
    fault: 'makes NULL of absent columns',
    noticedBy: 'columns that are absent from an update stay as they are',
    breakIt: writes((sink, batch) =>
      sink.write({
        ...batch,
        rows: batch.rows.map((row) =>
          row.after === null ? row : { ...row, after: { note: null, size: null, ...row.after } },
        ),
      }),
    ),
  },
  {
    fault: 'does not truncate',
    noticedBy: 'a truncation empties its target, and what comes behind it is there',
    breakIt: (sink) => changed(sink, { truncate: async () => {} }),
  },
  {
    fault: 'fails when it is closed a second time',
    noticedBy: 'closing twice does no harm',
    breakIt: (sink) => {
      let closed = 0;
      return changed(sink, {
        close: async () => (closed++ === 1 ? Promise.reject(new Error('closed')) : sink.close()),
      });
    },
  },
  {
    fault: 'cuts decimals',
    noticedBy: 'values of the type decimal, and NULL, are in the target as they came',
    breakIt: writes((sink, batch) =>
      sink.write({
        ...batch,
        rows: batch.rows.map((row) =>
          typeof row.after?.['value'] === 'string'
            ? { ...row, after: { ...row.after, value: row.after['value'].slice(0, -1) } }
            : row,
        ),
      }),
    ),
  },
  {
    fault: 'does not look at a definition that has changed',
    noticedBy: 'rows with a column more go there once the target was prepared for it',
    breakIt: writes((sink, batch) =>
      sink.write({
        ...batch,
        rows: batch.rows.map(({ after, ...row }) => {
          if (after === null) return { ...row, after };
          const { more: _, ...rest } = after;
          return { ...row, after: rest };
        }),
      }),
    ),
  },
  {
    fault: 'truncates only what was prepared',
    noticedBy: 'a truncation of a target of which only the name is known does no harm',
    breakIt: (sink, store) =>
      changed(sink, {
        truncate: async (target, checkpoints) => {
          if (!store.tables.has(`${target.table.database}.${target.table.name}`)) throw new Error('no such table');
          await sink.truncate(target, checkpoints);
        },
      }),
  },
  {
    fault: 'makes a document of a removed element',
    noticedBy:
      'parts of documents are changed where they are, with all digits, and everything on the way to them is made',
    breakIt: writes((sink, batch) =>
      sink.write({ ...batch, rows: batch.rows.map((row) => ({ ...row, kind: row.patches ? 'upsert' : row.kind })) }),
    ),
  },
  {
    fault: 'rounds the numbers of documents',
    noticedBy:
      'parts of documents are changed where they are, with all digits, and everything on the way to them is made',
    breakIt: writes((sink, batch) => sink.write({ ...batch, rows: batch.rows.map(rounded) })),
  },
  {
    fault: 'appends elements that are there already',
    noticedBy: 'parts of documents that come again leave the document as it was',
    breakIt: writes((sink, batch) => sink.write({ ...batch, rows: batch.rows.map(appending) })),
  },
  {
    fault: 'says that others are durable which are not',
    noticedBy: 'rows that cannot be written are named, say nothing of their values, and do the others no harm',
    breakIt: writes((sink, batch) =>
      sink.write(batch).catch((error: unknown) => {
        throw error instanceof RowsRefused ? new RowsRefused(error.rows, { areOthersDurable: true }) : error;
      }),
    ),
  },
  {
    fault: 'stops at a batch that comes again',
    noticedBy: 'a batch that comes again changes nothing',
    breakIt: (sink) => {
      const seen = new Set<SinkBatch>();
      return changed(sink, {
        async write(batch) {
          if (seen.has(batch)) throw new Error('again');
          seen.add(batch);
          await sink.write(batch);
        },
      });
    },
  },
  {
    fault: 'gives up over a lost answer',
    noticedBy: 'a write whose answer was lost is tried again, and takes effect once',
    breakIt: writes((sink, batch) =>
      sink
        .write(batch)
        .catch((error: unknown) =>
          Promise.reject(error instanceof Error && error.message.includes('lost') ? new Error('gave up') : error),
        ),
    ),
  },
  {
    fault: 'writes refused rows cut to length',
    noticedBy: 'rows that cannot be written are named, say nothing of their values, and do the others no harm',
    breakIt: writes((sink, batch) =>
      sink.write({
        ...batch,
        rows: batch.rows.map((row) =>
          row.after?.['note'] === UNFIT ? { ...row, after: { ...row.after, note: UNFIT.slice(0, 50) } } : row,
        ),
      }),
    ),
  },
  {
    fault: 'forgets its checkpoints',
    noticedBy: 'what was written is what the next claim begins with, by partition and kind of lane',
    breakIt: (sink) => changed(sink, { claim: (partitions) => sink.claim(partitions).then(() => []) }),
  },
  {
    fault: 'takes a partition back without being asked',
    noticedBy: 'who lost its partitions writes nothing of them any more',
    breakIt: writes(async (sink, batch) => {
      await sink.claim?.([0]);
      await sink.write(batch);
    }),
  },
  {
    fault: 'shows parts of transactions',
    noticedBy: 'a transaction of several batches is seen whole, or not at all',
    breakIt: writes((sink, batch) => sink.write({ ...batch, endsTransaction: true })),
  },
];

function rounded(row: SinkRow): SinkRow {
  if (row.patches === undefined) return row;
  const patches = row.patches.map((patch) =>
    patch.kind === 'put' ? { ...patch, element: JSON.stringify(JSON.parse(patch.element)) } : patch,
  );
  return { ...row, patches };
}

/** With a key that no element has. */
function appending(row: SinkRow): SinkRow {
  if (row.patches === undefined) return row;
  const patches = row.patches.map((patch) => (patch.kind === 'put' ? { ...patch, key: { no: '-1' } } : patch));
  return { ...row, patches };
}

describe('the suite of sinks', () => {
  const sample = sinkConformance(harnessOf()).flatMap(({ name }) =>
    name.startsWith('values of the type') ? [name] : [],
  );
  test.each(sample)('has a check that notices a sink that loses %s', async (name) => {
    const losing = writes((sink, batch) =>
      sink.write({
        ...batch,
        rows: batch.rows.map((row) => ({ ...row, after: row.after && { ...row.after, value: null } })),
      }),
    );
    const check = sinkConformance(harnessOf(losing)).find((each) => each.name === name);
    await expect(check?.run()).rejects.toBeInstanceOf(Error);
  });

  test('has values of every type', () => {
    const types = new Set(everyType.columns.map(({ type }) => type));
    for (const type of types) expect(sample.some((name) => name.startsWith(`values of the type ${type}`))).toBe(true);
  });

  test('notices a sink that cannot change parts of documents and does not say so', async () => {
    const [check] = sinkConformance({ ...harnessOf(), takesPatches: false }).filter(({ name }) =>
      name.includes('parts'),
    );
    await expect(check?.run()).rejects.toThrow('it was prepared');
  });

  for (const { fault, noticedBy, breakIt } of BROKEN) {
    test(`notices a sink that ${fault}`, async () => {
      const check = sinkConformance(harnessOf(breakIt)).find(({ name }) => name === noticedBy);
      expect(check, `no check is named "${noticedBy}"`).toBeDefined();
      await expect(check?.run()).rejects.toBeInstanceOf(Error);
    });
  }
});
