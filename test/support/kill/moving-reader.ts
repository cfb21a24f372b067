import { connect } from '../../../src/client/connect.ts';
import type { StreamChange, StreamEntry } from '../../../src/core/consumer.ts';
import { differences, movingText, type MovingTruth } from './moving-rows.ts';

/** A row that was deleted is never seen again: its serial is not given to another one. */
const DELETED = Number.POSITIVE_INFINITY;

/** What a consumer that reads all of a stream makes of the tables of `MovingRows`, and what it finds wrong with the stream. */
export class MovingReader {
  readonly #rows = new Map<string, Map<string, string>>();
  /** By serial: the newest version that was seen. */
  readonly #newest = new Map<number, number>();
  readonly wrong: string[] = [];
  readonly truncated: string[] = [];
  changes = 0;
  snapshotRows = 0;

  /** Once the stream has what the source has; or at last, whatever it has. */
  static async readAll(url: string, stream: string, truth: MovingTruth): Promise<MovingReader> {
    for (let attempt = 0; ; attempt++) {
      const copy = await MovingReader.#readOnce(url, stream);
      if (copy.wrong.length > 0 || attempt === 40 || copy.differences(truth).length === 0) return copy;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  static async #readOnce(url: string, stream: string): Promise<MovingReader> {
    const copy = new MovingReader();
    const client = connect(url);
    for await (const batch of client.stream(stream, { from: 'earliest', untilEnd: true })) {
      for (const entry of batch.entries) copy.take(entry);
    }
    await client.close();
    return copy;
  }

  take(entry: StreamEntry): void {
    if ('kind' in entry) this.#change(entry);
    else if (entry.type === 'truncate') {
      this.truncated.push(entry.table);
      this.#rows.delete(entry.table);
    } else if (entry.table !== null && /^\s*drop\s+table\b/i.test(entry.sql)) this.#rows.delete(entry.table);
  }

  /** Where it is not what the source has; the first few. */
  differences(truth: MovingTruth): readonly string[] {
    return differences(this.#rows, truth);
  }

  #change({ kind, table, before, after, snapshot, scn }: StreamChange): void {
    this.changes++;
    if (snapshot === true) this.snapshotRows++;
    if ((snapshot === true) !== (kind === 'upsert')) this.wrong.push(`${scn}: ${kind}, snapshot ${snapshot}`);
    const rows = this.#rows.get(table.name) ?? new Map<string, string>();
    this.#rows.set(table.name, rows);
    if (before !== null) rows.delete(String(before['id']));
    if (after === null) {
      const serial = Number(before?.['serial']);
      if (Number(before?.['version']) < (this.#newest.get(serial) ?? 0)) this.wrong.push(`${scn}: an old row goes`);
      this.#newest.set(serial, DELETED);
      return;
    }
    const row = { serial: Number(after['serial']), version: Number(after['version']) };
    rows.set(String(after['id']), movingText(row));
    const newest = this.#newest.get(row.serial) ?? 0;
    if (row.version < newest) {
      this.wrong.push(`${scn}: ${table.name} ${String(after['id'])}: ${row.version} after ${newest}`);
    }
    this.#newest.set(row.serial, Math.max(newest, row.version));
  }
}
