import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Row } from '../../src/core/change.ts';
import { type Logger, silentLogger } from '../../src/core/logger.ts';
import { plainRowBatch } from '../../src/core/plain-rows.ts';
import type { ChangeBatch, Entry, TransactionPart } from '../../src/core/source.ts';
import type { TableSchema } from '../../src/core/table-schema.ts';
import { batchShape, batchShapeCount } from '../../src/formats/log/batch-header.ts';
import { BATCH_MAGIC, HEADER, HEADER_BYTES } from '../../src/formats/log/batch-layout.ts';
import { readBatch } from '../../src/formats/log/batch-reader.ts';
import { ShapeRegistry } from '../../src/formats/log/shape-registry.ts';
import type { LogChunk, LogReader } from '../../src/relay/log/change-log.ts';
import { FileLog } from '../../src/relay/log/file-log.ts';
import type { LogOptions } from '../../src/relay/relay-api.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { tableOf } from '../../src/testing/tables.ts';

/** What a change is to a test: `insert orders 17 80`, the last number being the length of its text. */
export type Item = string;

export interface ScriptedTransaction {
  readonly items: readonly Item[];
  /** The source's position behind it: `p17`. */
  readonly end: number;
  readonly committedUs: number;
}

export type ScriptedEntry =
  | {
      readonly type: 'rows';
      readonly table: number;
      readonly kind: 'insert' | 'update' | 'delete';
      readonly texts: readonly number[];
    }
  | { readonly type: 'schema' | 'truncate'; readonly table: number };

export const TABLES: readonly TableSchema[] = ['orders', 'items', 'customers'].map((name) =>
  tableOf(`shop.${name}`, { id: { type: 'bigint', nullable: false }, text: { type: 'text', length: 65535 } }, ['id']),
);

export interface HarnessOptions {
  readonly options?: LogOptions;
  readonly clock?: ManualClock;
  readonly directory?: string;
  readonly log?: Logger;
}

/** A log in a directory of its own, a source that can be told what to hand over, and what a reader must get of it. */
export class LogHarness {
  readonly directory: string;
  readonly clock: ManualClock;
  readonly options: LogOptions;
  readonly logger: Logger;
  log: FileLog;
  firstScn: number;
  /** Complete transactions in the order in which the source handed them over. */
  transactions: ScriptedTransaction[] = [];
  /** Items of the transaction that is handed over in parts; null between transactions. */
  open: Item[] | null = null;
  /** Where the source is. */
  position = 0;
  #nextId = 1;
  #committedUs = 0;

  private constructor(directory: string, log: FileLog, { clock, options, logger }: Required<Opening>) {
    this.directory = directory;
    this.log = log;
    this.clock = clock;
    this.options = options;
    this.logger = logger;
    this.firstScn = log.createdMs * 1000;
  }

  static async open({
    options = {},
    clock = new ManualClock(),
    directory = temporaryDirectory(),
    log: logger = silentLogger,
  }: HarnessOptions = {}): Promise<LogHarness> {
    const opening = { clock, options, logger };
    return new LogHarness(directory, await openLog(directory, opening), opening);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** What a reader must get of everything that was handed over completely. */
  get items(): Item[] {
    return this.transactions.flatMap(({ items }) => items);
  }

  /** How many transactions are visible, as the log's position tells it. */
  get visibleCount(): number {
    const position = numberOf(this.log.position ?? 'p0');
    const behind = this.transactions.findIndex(({ end }) => end > position);
    return behind < 0 ? this.transactions.length : behind;
  }

  /** Hands over a whole transaction. */
  async append(...entries: readonly ScriptedEntry[]): Promise<void> {
    await this.hand([this.part(entries, { begins: true, ends: true })]);
  }

  /** Hands over a transaction of one row. */
  async insert(textLength = 10): Promise<void> {
    await this.append({ type: 'rows', table: 0, kind: 'insert', texts: [textLength] });
  }

  async hand(parts: readonly TransactionPart[]): Promise<void> {
    const full = this.log.append(this.batch(parts));
    if (full !== null) await full;
  }

  batch(parts: readonly TransactionPart[]): ChangeBatch {
    return { parts, position: positionOf(this.position), bytes: 100 };
  }

  /** An empty batch: the source is alive, and further than before. */
  async idle(): Promise<void> {
    if (this.open === null) this.position++;
    await this.hand([]);
  }

  part(
    entries: readonly ScriptedEntry[],
    { begins, ends, restarted = false }: { begins: boolean; ends: boolean; restarted?: boolean },
  ): TransactionPart {
    const start = positionOf(this.position);
    if (begins) {
      this.open = [];
      // Servers' clocks jump.
      this.#committedUs = 1_700_000_000_000_000 + ((this.position * 7919) % 1000) * 1_000_000;
    }
    const open = this.open;
    if (open === null) throw new Error('no transaction is open');
    const committedUs = this.#committedUs;
    const made = entries.map((entry) => this.#entry(entry, open));
    if (ends) {
      this.position++;
      this.transactions.push({ items: open, end: this.position, committedUs });
      this.open = null;
    }
    return {
      transaction: { id: `t${this.position}`, committedAtUs: committedUs, serverId: 1, start },
      begins,
      restarted,
      entries: made,
      end: ends ? positionOf(this.position) : null,
    };
  }

  #entry(entry: ScriptedEntry, items: Item[]): Entry {
    const table = TABLES[entry.table] as TableSchema;
    if (entry.type !== 'rows') {
      items.push(`${entry.type} ${table.name}`);
      const change = { database: table.database, table: table.name, sql: `-- ${entry.type} of ${table.name}` };
      return { type: entry.type, ...change };
    }
    const rows = entry.texts.map((length): Row => {
      const id = this.#nextId++;
      items.push(`${entry.kind} ${table.name} ${id} ${length}`);
      return { id, text: 'x'.repeat(length) };
    });
    return entry.kind === 'update'
      ? plainRowBatch({ table, kind: 'update', rows: rows.map((row) => ({ before: row, after: row })) })
      : plainRowBatch({ table, kind: entry.kind, rows });
  }

  /** As after a start of the relay: closed and opened again, in order or by a copy of the files as a crash would leave them. */
  async reopen(): Promise<void> {
    await this.log.close();
    this.log = await openLog(this.directory, this);
    this.#forgetOpen();
  }

  /**
   * The files as they are now, in another directory.
   *
   * @returns where they are, and the last segment's name
   */
  copy(): { directory: string; last: string } {
    const directory = temporaryDirectory();
    cpSync(this.directory, directory, { recursive: true });
    return { directory, last: segmentNames(directory).at(-1) as string };
  }

  /** Goes on with the files of another directory, whatever of the transactions is in them. */
  async moveTo(directory: string): Promise<void> {
    await this.log.close();
    rmSync(this.directory, { recursive: true });
    cpSync(directory, this.directory, { recursive: true });
    rmSync(directory, { recursive: true });
    this.log = await openLog(this.directory, this);
    this.#forgetOpen();
  }

  /** What the log does not have the source hands over again: it is as if it had not been. */
  #forgetOpen(): void {
    this.open = null;
    this.transactions = this.transactions.slice(0, this.visibleCount);
    this.position = numberOf(this.log.position ?? 'p0');
  }

  /** Reads to the end of what is visible. */
  async read(after: number = this.log.visible.after): Promise<Item[]> {
    const reader = this.log.openReader(after);
    const items = await readItems(this.log, reader, after);
    reader.close();
    return items;
  }

  /** The segment with the place, and where it is there. */
  segments(): { name: string; bytes: number }[] {
    return segmentNames(this.directory).map((name) => ({ name, bytes: statSync(join(this.directory, name)).size }));
  }
}

interface Opening {
  readonly clock: ManualClock;
  readonly options: LogOptions;
  readonly logger: Logger;
}

export const PARTITIONS = 64;

export function openLog(directory: string, { clock, options, logger }: Opening): Promise<FileLog> {
  return FileLog.open({ directory, name: 'shop', partitions: PARTITIONS, options, clock, log: logger });
}

/** In memory where the system has such a place: what a crash leaves is simulated, and a thousand syncs of a busy disk take minutes. */
export function temporaryDirectory(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tidings-log-'));
}

/** The batches in a segment's file, without the zeros that a write in whole blocks leaves behind them. */
export function batchesOf(path: string): Buffer {
  const bytes = readFileSync(path);
  let end = 0;
  while (end + HEADER_BYTES <= bytes.length && bytes.readUInt32LE(end + HEADER.magic) === BATCH_MAGIC) {
    end += bytes.readUInt32LE(end + HEADER.length);
  }
  expect(bytes.subarray(end).every((byte) => byte === 0)).toBe(true);
  return bytes.subarray(0, end);
}

export function segmentNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .toSorted();
}

export function positionOf(number: number): { toString(): string } {
  return { toString: () => `p${number}` };
}

export function numberOf(position: string): number {
  return Number(position.slice(1));
}

/** Everything that the reader has for now, from behind `after` on. SCNs that do not follow each other are an error. */
export async function readItems(log: FileLog, reader: LogReader, after: number): Promise<Item[]> {
  const items: Item[] = [];
  const shapes = new ShapeRegistry();
  let last = after;
  for (;;) {
    const chunk = await reader.read();
    if (chunk === null) return items;
    for (const { scn, item } of itemsOf(log, chunk, shapes)) {
      if (scn <= last) {
        if (items.length > 0) throw new Error(`SCN ${scn} comes after ${last}`);
        continue;
      }
      if (scn !== last + 1) throw new Error(`SCN ${scn} comes after ${last}`);
      last = scn;
      items.push(item);
    }
    chunk.release();
  }
}

export function itemsOf(
  log: FileLog,
  { bytes, start, end }: LogChunk,
  shapes: ShapeRegistry,
): { scn: number; item: Item }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const items: { scn: number; item: Item }[] = [];
  for (let at = start; at < end;) {
    for (let i = 0; i < batchShapeCount(view, at); i++) {
      const fingerprint = batchShape(view, at, i);
      if (shapes.get(fingerprint) === undefined) shapes.add(log.shape(fingerprint));
    }
    const batch = readBatch(bytes, view, at, shapes, { end });
    let scn = batch.firstScn;
    for (const part of batch.parts) {
      for (const entry of part.entries) {
        if (entry.type !== 'rows') {
          items.push({ scn: entry.scn, item: `${entry.type} ${entry.table}` });
          scn = entry.scn + 1;
          continue;
        }
        const { before, after, count } = entry.rows();
        for (let i = 0; i < count; i++) {
          const row = after?.[i] ?? before?.[i];
          const text = row?.['text'] as string;
          if (/[^x]/.test(text)) throw new Error(`the text of the row with SCN ${scn} was changed`);
          items.push({ scn, item: `${entry.kind} ${entry.table.name} ${String(row?.['id'])} ${text.length}` });
          scn++;
        }
      }
    }
    if (scn !== batch.lastScn + 1) throw new Error(`a batch up to SCN ${batch.lastScn} holds changes up to ${scn - 1}`);
    at += batch.length;
  }
  return items;
}
