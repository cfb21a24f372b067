import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RowDataPacket } from 'mysql2/promise';
import type { RowTarget } from '../../src/core/rows/row-target.ts';
import type { Column, TableSchema } from '../../src/core/table-schema.ts';
import { COLUMN_TYPE } from '../../src/sources/mysql/binlog/column-types.ts';
import { EVENT } from '../../src/sources/mysql/binlog/event-types.ts';
import { emptyRowsEvent, readRowsEventInto, rowsAction } from '../../src/sources/mysql/binlog/rows-event.ts';
import type { BoundColumn } from '../../src/sources/mysql/binlog/rows/bound-column.ts';
import { decimalLength } from '../../src/sources/mysql/binlog/rows/decimal-text.ts';
import { decodeTableMapEvent } from '../../src/sources/mysql/binlog/table-map-event.ts';
import { BinlogRowBatch, RowViews } from '../../src/sources/mysql/row-batch.ts';
import { bindTable, schemaFromMetadata, type TableBinding } from '../../src/sources/mysql/schema/table-binding.ts';
import { binlogFileEvents } from '../../test/support/binlog-file.ts';
import { createTables, type Workload, writeBulk, writeTransactions } from '../decode/workloads.ts';
import { openBenchServer, type BenchServer } from '../support/bench-server.ts';
import { machineLine } from '../support/machine.ts';
import { spread } from '../support/statistics.ts';

/**
 * What it costs to bring row images into the log's form, without socket, framing and log: over events of binlog files that a server
 * has just written, as many as the source's read buffer holds, again and again. Beside it the same rows as JavaScript objects, and
 * the log's form with DECIMAL, DATE, DATETIME and TIMESTAMP as the server's packed numbers in place of text.
 *
 *     node bench/relay/transcode-bench.ts [--server mysql] [--rows 300000] [--passes 9]
 */
const { values: options } = parseArgs({
  options: {
    server: { type: 'string', default: 'mariadb' },
    /** Of each pass. */
    rows: { type: 'string', default: '300000' },
    passes: { type: 'string', default: '9' },
  },
});
const passes = Number(options.passes);
const rowsPerPass = Number(options.rows);
const BUFFER_BYTES = 2 * 1024 * 1024;

/** Chunks of a megabyte, of which nobody takes the content: the next one overwrites it. */
class ChunkTarget implements RowTarget {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(1 << 20);
  readonly view: DataView = new DataView(this.bytes.buffer);
  at = 0;
  end: number = this.bytes.length;
  rows = 0;
  taken = 0;

  room(size: number): void {
    this.taken += this.at;
    this.at = 0;
    this.rows = 0;
    if (size > this.end) throw new Error(`no row of this bench takes ${size} bytes`);
  }

  grow(offset: number, size: number): number {
    if (offset + size <= this.end) return offset;
    const kept = offset - this.at;
    this.taken += this.at;
    this.bytes.copyWithin(0, this.at, offset);
    this.at = 0;
    this.rows = 0;
    return kept;
  }
}

interface Recording {
  readonly rows: number;
  readonly text: readonly BinlogRowBatch[];
  readonly packed: readonly BinlogRowBatch[];
}

/** The server's packed number as a big-endian BIT, which goes into the log as a long. */
function packedColumn(bound: BoundColumn): BoundColumn {
  const { column, wire } = bound;
  const bytes = packedBytes(wire);
  if (bytes === null) return bound;
  // A BIT(64) with its first bit set, as DATETIME has it, would be a string of digits.
  if (bytes === 8) {
    return {
      ...bound,
      column: { ...column, type: 'bigint', length: null },
      wire: { ...wire, type: COLUMN_TYPE.LONGLONG },
    };
  }
  const type: Pick<Column, 'type' | 'length' | 'unsigned'> = { type: 'bit', length: bytes * 8, unsigned: true };
  return { ...bound, column: { ...column, ...type }, wire: { ...wire, type: COLUMN_TYPE.BIT, size: bytes * 8 } };
}

function packedBytes({ type, size, scale }: BoundColumn['wire']): number | null {
  switch (type) {
    case COLUMN_TYPE.NEWDECIMAL:
      return decimalLength(size, scale);
    case COLUMN_TYPE.DATE:
      return 3;
    case COLUMN_TYPE.DATETIME2:
      return 5 + ((size + 1) >> 1);
    case COLUMN_TYPE.TIMESTAMP2:
      return 4 + ((size + 1) >> 1);
    default:
      return null;
  }
}

function packedBinding({ schema, columns }: TableBinding): TableBinding {
  const packed = columns.map(packedColumn);
  const table: TableSchema = { ...schema, columns: packed.map(({ column }) => column) };
  return { schema: table, columns: packed };
}

function viewsOf(binding: TableBinding): RowViews {
  const layout = { before: null, after: binding.columns.map(() => true), partial: false };
  return new RowViews(binding, 'insert', { layout, json: 'text' });
}

async function record(server: BenchServer, { file }: Workload): Promise<Recording> {
  const [variables] = await server.connection.query<RowDataPacket[]>('SELECT @@log_bin_basename AS base');
  const path = join(dirname(String(variables[0]?.['base'])), file);
  let rows = 0;
  const text: BinlogRowBatch[] = [];
  const packed: BinlogRowBatch[] = [];
  const views = new Map<number, { text: RowViews; packed: RowViews }>();
  for (const { header, body, format, offset } of binlogFileEvents(readFileSync(path))) {
    if (offset > BUFFER_BYTES) break;
    if (header.type === EVENT.TABLE_MAP) {
      const event = decodeTableMapEvent(body, format.flavour);
      const known = views.get(event.tableId);
      if (known !== undefined) continue;
      const schema = schemaFromMetadata(event, format.flavour, null);
      const selected = ({ columns }: TableSchema): boolean[] => columns.map(() => true);
      const binding = bindTable(event, schema, { flavour: format.flavour, selected });
      views.set(event.tableId, { text: viewsOf(binding), packed: viewsOf(packedBinding(binding)) });
    } else if (rowsAction(header.type) === 'insert') {
      const version = header.type >= EVENT.WRITE_ROWS ? 2 : 1;
      const event = emptyRowsEvent();
      readRowsEventInto(body, 0, body.length, version, false, event);
      const known = views.get(event.tableId);
      if (known === undefined) throw new Error('rows without a TABLE_MAP');
      const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
      const batch = new BinlogRowBatch(body, view, event, known.text, null);
      rows += batch.rows().count;
      text.push(batch);
      packed.push(new BinlogRowBatch(body, view, event, known.packed, null));
    }
  }
  return { rows, text, packed };
}

interface Variant {
  readonly name: string;
  /** All rows once. Returns the bytes written. */
  readonly round: () => number;
}

function variants({ text, packed }: Recording): Variant[] {
  const target = new ChunkTarget();
  const write = (batches: readonly BinlogRowBatch[]): number => {
    target.taken = 0;
    for (const batch of batches) batch.writeTo(target);
    target.room(0);
    return target.taken;
  };
  return [
    {
      name: 'rows(): JavaScript objects',
      round: () => {
        for (const batch of text) batch.rows();
        return 0;
      },
    },
    { name: 'writeTo: the log’s form, text', round: () => write(text) },
    { name: 'writeTo: packed numbers', round: () => write(packed) },
  ];
}

function measure(name: string, recording: Recording): void {
  const { rows, text } = recording;
  const rounds = Math.ceil(rowsPerPass / rows);
  console.log(`\n${name}: ${rows} rows in ${text.length} events`);
  for (const { name: variant, round } of variants(recording)) {
    const cpu: number[] = [];
    let bytes = 0;
    for (let pass = -3; pass < passes; pass++) {
      const before = process.cpuUsage();
      for (let i = 0; i < rounds; i++) bytes = round();
      const { user, system } = process.cpuUsage(before);
      // µs per row are CPU-s per million rows.
      if (pass >= 0) cpu.push((user + system) / (rows * rounds));
    }
    const { median, min, max } = spread(cpu);
    const size = bytes === 0 ? '' : `, ${(bytes / rows).toFixed(1)} bytes/row`;
    console.log(
      `  ${variant.padEnd(32)} ${median.toFixed(3)} CPU-s/M rows (${min.toFixed(3)} to ${max.toFixed(3)})${size}`,
    );
  }
}

if (options.server !== 'mariadb' && options.server !== 'mysql') throw new Error('--server is mariadb or mysql');
const recordings: (readonly [string, Recording])[] = [];
let machine = '';
{
  await using server = await openBenchServer(options.server, undefined);
  machine = machineLine(server.version);
  await createTables(server.connection);
  const bulk = await writeBulk(server.connection, 10_000);
  const transactions = await writeTransactions(server.connection, 10_000);
  await server.connection.query('FLUSH BINARY LOGS');
  recordings.push(['bulk', await record(server, bulk)], ['tx', await record(server, transactions)]);
}
console.log(machine);
for (const [name, recording] of recordings) measure(name, recording);
