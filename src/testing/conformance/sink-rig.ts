import assert from 'node:assert/strict';
import { systemClock } from '../../base/clock.ts';
import type { Row } from '../../core/change.ts';
import type { StreamChange } from '../../core/consumer.ts';
import { silentLogger } from '../../core/logger.ts';
import { keyNames } from '../../core/plain-rows.ts';
import type { NestedPatch, Sink, SinkBatch, SinkRow, SinkTarget } from '../../core/sink.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import type { SinkHarness } from '../sink-conformance.ts';
import { tableOf } from '../tables.ts';

const TWO_MINUTES_MS = 120_000;

/** One open sink, one target of its own, and rows for it. */
export class SinkSession {
  readonly sink: Sink;
  readonly harness: SinkHarness;
  target: SinkTarget;
  #scn = 0;

  constructor(sink: Sink, harness: SinkHarness, target: SinkTarget) {
    this.sink = sink;
    this.harness = harness;
    this.target = target;
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

  /** Parts of a row that need not be there. */
  patch(key: Row, patches: readonly NestedPatch[]): SinkRow {
    return { ...this.#row('upsert', null, key), patches };
  }

  /** Parts of a row that was there. */
  patchThere(key: Row, patches: readonly NestedPatch[]): SinkRow {
    return { ...this.#row('update', key, key), patches };
  }

  /** A batch of partition 0, whose checkpoint is that of its last row. */
  batch(rows: readonly SinkRow[], { endsTransaction = true }: { readonly endsTransaction?: boolean } = {}): SinkBatch {
    const checkpoints =
      endsTransaction && this.sink.promise === 'transactional'
        ? [{ partition: 0, serial: false, scn: rows.at(-1)?.scn ?? ++this.#scn }]
        : [];
    return { lane: 0, rows, checkpoints, endsTransaction };
  }

  async write(...rows: readonly SinkRow[]): Promise<void> {
    await this.sink.write(this.batch(rows));
  }

  /** Writes until it works: whoever hands rows to a sink tries again what may be cured so. */
  async writeStubbornly(batch: SinkBatch): Promise<void> {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- attempts follow one another
        await this.sink.write(batch);
        return;
      } catch (error) {
        const { retry } = error as { retry?: unknown };
        assert.ok(retry === 'reconnect' || retry === 'backoff', `a lost answer is no reason to stop: ${String(error)}`);
      }
    }
    assert.fail('the batch cannot be written again');
  }

  /** The target holds exactly these rows. */
  async holds(expected: readonly Row[], message: string): Promise<void> {
    const byKey = (rows: readonly Row[]): readonly Row[] => {
      const names = this.target.table.columns.map(({ name }) => name);
      const whole = rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
      return whole.sort((a, b) => Number(a['id']) - Number(b['id']));
    };
    assert.deepEqual(byKey(await this.harness.rows(this.target)), byKey(expected), message);
  }

  /** The first of so many SCNs that belong to rows which are made elsewhere. */
  readonly nextScn = (count: number): number => {
    const first = this.#scn + 1;
    this.#scn += count;
    return first;
  };

  get lastScn(): number {
    return this.#scn;
  }

  #row(kind: SinkRow['kind'], before: Row | null, after: Row | null): SinkRow {
    const { table } = this.target;
    const scn = ++this.#scn;
    const known = { ...before, ...after };
    const key = Object.fromEntries(keyNames(table).map((name) => [name, known[name] ?? null]));
    const change: StreamChange = {
      kind,
      table,
      scn,
      key,
      before,
      after,
      statement: null,
      partition: 0,
      committedAtUs: 0,
    };
    return { target: this.target, kind, key, before, after, scn, change };
  }
}

export interface SessionOptions {
  readonly order?: 'key' | 'transaction';
  /** @default `id` INT, the key, and `note` VARCHAR(50) */
  readonly table?: (name: string) => TableSchema;
  readonly patched?: readonly string[];
}

export class SinkRig {
  readonly harness: SinkHarness;

  constructor(harness: SinkHarness) {
    this.harness = harness;
  }

  /** Opens a sink as whoever hands rows to it does, for one check. */
  async session(check: (session: SinkSession) => Promise<void>, options: SessionOptions = {}): Promise<void> {
    const { order = 'key', table = notesTable, patched } = options;
    const sink = await this.open(order);
    try {
      const target: SinkTarget = {
        table: table(this.harness.freshName()),
        options: {},
        ...(patched === undefined ? {} : { patched }),
      };
      await sink.claim?.([0]);
      await sink.prepare(target);
      await check(new SinkSession(sink, this.harness, target));
    } finally {
      await sink.close();
    }
  }

  notes(): TableSchema {
    return notesTable(this.harness.freshName());
  }

  async open(order: 'key' | 'transaction' = 'key', name: string = uniqueName()): Promise<Sink> {
    const sink = await this.harness.create();
    const signal = AbortSignal.timeout(TWO_MINUTES_MS);
    await sink.open({ name, stream: 'shop', order, lanes: 1, log: silentLogger, clock: systemClock, signal });
    return sink;
  }
}

let names = 0;

/** Each check has checkpoints of its own. */
function uniqueName(): string {
  return `conformance-${++names}`;
}

function notesTable(name: string): TableSchema {
  return tableOf(name, { id: { type: 'int', nullable: false }, note: { type: 'varchar', length: 50 } }, ['id']);
}
