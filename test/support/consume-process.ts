import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';

/** What a process has to say that read a stretch of the binlog to its end and decoded every row. */
export interface Consumed {
  readonly rows: number;
  /** Bytes of all `pad` values. */
  readonly padBytes: number;
  /** Rows that are not what their id says: `pad` is `id` and a space, repeated. */
  readonly wrong: number;
  readonly transactions: number;
  readonly batches: number;
  /** The largest resident set of the process, in bytes. */
  readonly peakRssBytes: number;
  /** The largest that V8's heap was, and what lay outside of it then, looked at after every batch. In bytes. */
  readonly heap: { readonly total: number; readonly external: number };
}

/** Reads in a process of its own, so that its memory can be told from everyone else's. */
export async function consumeInProcess(url: string, from: string): Promise<Consumed> {
  const { stdout } = await promisify(execFile)(process.execPath, [import.meta.filename, url, from]);
  return JSON.parse(stdout) as Consumed;
}

async function consume(url: string, from: string): Promise<Consumed> {
  let rows = 0;
  let padBytes = 0;
  let wrong = 0;
  let transactions = 0;
  let batches = 0;
  let heap = { total: 0, external: 0 };
  const source = new MysqlSource({ url, from, until: 'now', tables: ['big.*'] });
  for await (const batch of source.batches()) {
    batches++;
    const { heapTotal, external } = process.memoryUsage();
    if (heapTotal > heap.total) heap = { total: heapTotal, external };
    for (const part of batch.parts) {
      if (part.begins) transactions++;
      for (const entry of part.entries) {
        if (entry.type !== 'rows') continue;
        for (const { id, pad } of entry.rows().after ?? []) {
          rows++;
          const text = String(pad);
          padBytes += text.length;
          const unit = `${String(id)} `;
          // The ends, and a place that differs from row to row.
          const middle = (Number(id) * 7919) % (text.length - unit.length);
          const expected = unit.repeat(2).slice(middle % unit.length, (middle % unit.length) + unit.length);
          if (!text.startsWith(unit) || !text.endsWith(unit) || text.slice(middle, middle + unit.length) !== expected) {
            wrong++;
          }
        }
      }
    }
  }
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return { rows, padBytes, wrong, transactions, batches, peakRssBytes: Number(peak) * 1024, heap };
}

if (import.meta.main) {
  const [url = '', from = ''] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(await consume(url, from)));
}
