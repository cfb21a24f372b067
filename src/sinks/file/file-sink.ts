import { isTidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { StoredRows } from '../../core/rows/stored-rows.ts';
import {
  type RefusedRow,
  type RowPack,
  type RowPacking,
  RowsRefused,
  type Sink,
  type SinkBatch,
  type SinkCheckpoint,
  type SinkContext,
  type SinkPromise,
  type SinkRow,
  type SinkTarget,
  type TargetPlan,
} from '../../core/sink.ts';
import { checkWholeRows } from '../../core/whole-rows.ts';
import { metaNames } from '../../formats/row-lines.ts';
import { sinkLines } from '../../formats/sink-lines.ts';
import { AvroFormat } from './avro-format.ts';
import { type FileSinkOptions, type FileSinkSettings, parseFileSinkOptions } from './config.ts';
import type { Chunk, FileFormat, FileLayout } from './file-format.ts';
import { type Commit, type EncodedChunk, FileStore, type Outcome } from './file-store.ts';
import { NdjsonFormat } from './ndjson-format.ts';
import { loadParquetLibrary } from './parquet-file.ts';
import { ParquetFormat } from './parquet-format.ts';
import { PathTemplate } from './path-template.ts';
import { SinkDirectory } from './sink-directory.ts';

interface Waiting {
  readonly commit: Commit;
  readonly done: PromiseWithResolvers<Outcome>;
}

/** How often it is looked whether files are due. */
const LOOK_MS = 1000;

/**
 * Writes rows to files of NDJSON, Avro or Parquet. docs/connectors/file-sink.md says what is in them, and where they are.
 *
 * Batches of several lanes that wait at the same time are made durable together.
 */
export class FileSink implements Sink {
  readonly promise: SinkPromise = 'transactional';
  readonly #settings: FileSinkSettings;
  readonly #template: PathTemplate;
  #format: FileFormat | null = null;
  #context: SinkContext | null = null;
  #store: FileStore | null = null;
  #waiting: Waiting[] = [];
  #tail: Promise<unknown> = Promise.resolve();
  readonly #closing: AbortController = new AbortController();
  #closed: Promise<void> | null = null;

  /** @throws TidingsError CONFIG_INVALID */
  constructor(options: FileSinkOptions) {
    this.#settings = parseFileSinkOptions(options);
    this.#template = new PathTemplate(this.#settings.partition);
  }

  readonly packing: RowPacking = {
    takes: (target, shape) => this.#opened.format.takesStored(target, shape),
    begin: () => new FilePack(new ChunkSet(this.#opened.format, this.#template)),
  };

  async open(context: SinkContext): Promise<void> {
    const { path, rotate, openFilesMax, files } = this.#settings;
    if (files.format === 'parquet') await loadParquetLibrary();
    const format = formatOf(this.#settings, { template: this.#template, log: context.log });
    this.#format = format;
    this.#context = context;
    this.#store = await FileStore.open({
      directory: new SinkDirectory(path, context.name),
      extension: format.extension,
      rotate,
      openFilesMax,
      context,
    });
    void this.#lookAfterFiles(context);
  }

  prepare(target: SinkTarget): Promise<TargetPlan> {
    return Promise.resolve().then(() => {
      checkWholeRows(target);
      this.#opened.format.layoutOf(target);
      return { serial: false };
    });
  }

  async write(batch: SinkBatch): Promise<void> {
    const packs = batch.packs === undefined ? [this.#packed(batch.rows)] : (batch.packs as readonly FilePack[]);
    const chunks = (await Promise.all(packs.map((pack) => pack.encoded()))).flat();
    await this.#commit({ chunks, checkpoints: batch.checkpoints, ends: batch.endsTransaction });
    for (const pack of packs) pack.release();
  }

  async truncate(target: SinkTarget, checkpoints: readonly SinkCheckpoint[]): Promise<void> {
    const { format, context } = this.#opened;
    const scn = Math.max(0, ...checkpoints.map((checkpoint) => checkpoint.scn));
    const atUs = context.clock.nowMs() * 1000;
    const chunks = new ChunkSet(format, this.#template);
    chunks.of(target, atUs).addTruncation({ target, scn, atUs }, scn);
    await this.#commit({ chunks: await chunks.encoded(), checkpoints, ends: true });
  }

  claim(partitions: readonly number[]): Promise<readonly SinkCheckpoint[]> {
    const { store } = this.#opened;
    return this.#exclusively(() => store.claim(partitions));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  get #opened(): { readonly format: FileFormat; readonly store: FileStore; readonly context: SinkContext } {
    if (this.#format === null || this.#store === null || this.#context === null) {
      throw new RangeError('the sink is not open');
    }
    return { format: this.#format, store: this.#store, context: this.#context };
  }

  #packed(rows: readonly SinkRow[]): FilePack {
    const chunks = new ChunkSet(this.#opened.format, this.#template);
    const refused: RefusedRow[] = [];
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] as SinkRow;
      try {
        chunks.of(row.target, row.change.committedAtUs).add(row);
      } catch (error) {
        if (!isTidingsError(error)) throw error;
        refused.push({ index, error });
      }
    }
    if (refused.length > 0) throw new RowsRefused(refused, { areOthersDurable: false });
    return new FilePack(chunks);
  }

  async #commit(commit: Commit): Promise<void> {
    const waiting: Waiting = { commit, done: Promise.withResolvers() };
    this.#waiting.push(waiting);
    if (this.#waiting.length === 1) void this.#exclusively(() => this.#commitWaiting());
    const outcome = await waiting.done.promise;
    if (outcome !== null) throw outcome.error;
  }

  async #commitWaiting(): Promise<void> {
    const { store } = this.#opened;
    // A batch whose transaction goes on is not to be mixed with others.
    const group = this.#waiting.every(({ commit }) => commit.ends) ? this.#waiting : this.#waiting.slice(0, 1);
    this.#waiting = this.#waiting.slice(group.length);
    if (this.#waiting.length > 0) void this.#exclusively(() => this.#commitWaiting());
    try {
      const outcomes = await store.commit(group.map(({ commit }) => commit));
      group.forEach(({ done }, index) => done.resolve(outcomes[index] ?? null));
    } catch (error) {
      for (const { done } of group) done.resolve({ error });
      return;
    }
    await store.rotate();
  }

  async #lookAfterFiles({ clock, log }: SinkContext): Promise<void> {
    const { store } = this.#opened;
    const everyMs = Math.min(LOOK_MS, this.#settings.rotate.afterMs);
    const { signal } = this.#closing;
    try {
      for (;;) {
        // oxlint-disable no-await-in-loop -- again and again
        await clock.sleep(everyMs, signal);
        await this.#exclusively(() => store.rotate());
        // oxlint-enable no-await-in-loop
      }
    } catch (error) {
      if (!signal.aborted) log.error({ error }, 'files are no longer completed by time');
    }
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    const store = this.#store;
    if (store !== null) await this.#exclusively(() => store.close());
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }
}

function formatOf(
  { files, lines, zeroDates, metaPrefix }: FileSinkSettings,
  { template, log }: { readonly template: PathTemplate; readonly log: Logger },
): FileFormat {
  const meta = metaNames(metaPrefix);
  switch (files.format) {
    case 'ndjson': {
      const tellsTable = !template.separatesTables;
      return new NdjsonFormat(sinkLines(lines, { metaPrefix, tellsTable, log }), files.compression);
    }
    case 'avro':
      return new AvroFormat({ compression: files.compression, meta, zeroDates });
    case 'parquet':
      return new ParquetFormat({ compression: files.compression, meta, zeroDates });
  }
}

/** Rows in a format's own form, for the files that they go into. */
class FilePack implements RowPack {
  readonly #chunks: ChunkSet;
  #chunk: CountedChunk | null = null;

  constructor(chunks: ChunkSet) {
    this.#chunks = chunks;
  }

  run(rows: StoredRows, about: { readonly target: SinkTarget; readonly committedAtUs: number }): void {
    this.#chunk = this.#chunks.of(about.target, about.committedAtUs);
    this.#chunk.beginRun(rows, about);
  }

  row(scn: number, start: number, end: number): void {
    this.#chunk?.addStored(scn, start, end);
  }

  encoded(): Promise<EncodedChunk[]> {
    return this.#chunks.encoded();
  }

  release(): void {
    this.#chunks.release();
  }
}

/** The chunks of one batch, by the file that they go into. */
class ChunkSet {
  readonly #format: FileFormat;
  readonly #template: PathTemplate;
  readonly #chunks: Map<string, CountedChunk> = new Map();
  /** Rows that follow one another mostly go into the same. */
  #last: { readonly target: SinkTarget; readonly folder: string; readonly chunk: CountedChunk } | null = null;

  constructor(format: FileFormat, template: PathTemplate) {
    this.#format = format;
    this.#template = template;
  }

  of(target: SinkTarget, committedAtUs: number): CountedChunk {
    const folder = this.#template.folder(target.table, committedAtUs);
    if (this.#last !== null && this.#last.target === target && this.#last.folder === folder) return this.#last.chunk;
    const layout = this.#format.layoutOf(target);
    const key = `${folder}\0${layout.id}`;
    let chunk = this.#chunks.get(key);
    if (chunk === undefined) {
      const { database, name } = target.table;
      const isOneTable = layout.id !== '' || this.#template.separatesTables;
      const place = { key, folder, layout, table: isOneTable ? `${database}.${name}` : null };
      chunk = new CountedChunk(this.#format.chunk(layout), place);
      this.#chunks.set(key, chunk);
    }
    this.#last = { target, folder, chunk };
    return chunk;
  }

  async encoded(): Promise<EncodedChunk[]> {
    const all = await Promise.all([...this.#chunks.values()].map((chunk) => chunk.encoded()));
    return all.filter(({ rows }) => rows > 0);
  }

  release(): void {
    for (const chunk of this.#chunks.values()) chunk.release();
  }
}

interface ChunkPlace {
  readonly key: string;
  readonly folder: string;
  readonly layout: FileLayout;
  readonly table: string | null;
}

class CountedChunk {
  readonly #chunk: Chunk;
  readonly #place: ChunkPlace;
  #rows = 0;
  #firstScn = 0;
  #lastScn = 0;

  constructor(chunk: Chunk, place: ChunkPlace) {
    this.#chunk = chunk;
    this.#place = place;
  }

  add(row: SinkRow): void {
    this.#chunk.add(row);
    this.#count(row.scn);
  }

  beginRun(rows: StoredRows, about: { readonly target: SinkTarget; readonly committedAtUs: number }): void {
    this.#chunk.beginRun(rows, about);
  }

  addStored(scn: number, start: number, end: number): void {
    this.#chunk.addStored(scn, start, end);
    this.#count(scn);
  }

  addTruncation(truncation: Parameters<Chunk['addTruncation']>[0], scn: number): void {
    this.#chunk.addTruncation(truncation);
    this.#count(scn);
  }

  async encoded(): Promise<EncodedChunk> {
    const { key, folder, layout, table } = this.#place;
    return {
      key,
      folder,
      table,
      header: layout.header,
      parts: await this.#chunk.parts(),
      rows: this.#rows,
      firstScn: this.#firstScn,
      lastScn: this.#lastScn,
    };
  }

  release(): void {
    this.#chunk.release();
  }

  #count(scn: number): void {
    if (this.#rows === 0 || scn < this.#firstScn) this.#firstScn = scn;
    if (scn > this.#lastScn) this.#lastScn = scn;
    this.#rows++;
  }
}
