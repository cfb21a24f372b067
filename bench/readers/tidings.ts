/** The Tidings reader of `npm run bench -- decode`. What it is told and what it answers is in bench/README.md. */
import { writeFile } from 'node:fs/promises';
import { Session, type Profiler } from 'node:inspector/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { RowBatch } from '../../src/core/source.ts';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '3306' },
    user: { type: 'string', default: 'root' },
    flavor: { type: 'string' },
    table: { type: 'string', default: '' },
    file: { type: 'string', default: '' },
    position: { type: 'string', default: '4' },
    'until-rows': { type: 'string', default: '0' },
    mode: { type: 'string', default: 'rows' },
    'server-id': { type: 'string', default: '0' },
    /** Where to write a CPU profile of every pass but the first. */
    profile: { type: 'string' },
  },
});
const untilRows = Number(values['until-rows']);

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** One pass. `onRows` sees every batch of rows and returns true after the last one that it wants. */
async function read(onRows: (rows: RowBatch) => boolean): Promise<void> {
  const source = new MysqlSource({
    url: `mysql://${values.user}@${values.host}:${values.port}/`,
    from: `${values.file}:${values.position}`,
    tables: [values.table],
    json: 'text',
    serverId: Number(values['server-id']),
  });
  for await (const batch of source.batches()) {
    for (const part of batch.parts) {
      for (const entry of part.entries) {
        if (entry.type === 'rows' && onRows(entry)) return;
      }
    }
  }
  throw new Error('the stream ended before the last row');
}

async function throughputPass(): Promise<void> {
  const connectMs = performance.now();
  let startMs = 0;
  let rows = 0;
  let idSum = 0;
  let bodyLength = 0;
  const countRows = (batch: RowBatch): void => {
    const { count, after } = batch.rows();
    for (const row of after ?? []) {
      idSum += row['id'] as number;
      bodyLength += (row['body'] as string).length;
    }
    rows += count;
  };
  const countKeys = (batch: RowBatch): void => {
    const keys = batch.keys() ?? [];
    for (const key of keys) idSum += key as number;
    rows += keys.length;
  };
  const count = values.mode === 'keys' ? countKeys : countRows;
  await read((batch) => {
    if (startMs === 0) startMs = performance.now();
    count(batch);
    if (rows < untilRows) return false;
    const seconds = (performance.now() - startMs) / 1000;
    say({ event: 'result', rows, seconds, firstRowMs: startMs - connectMs, idSum, bodyLength });
    return true;
  });
}

async function latencyPass(): Promise<void> {
  const latencies: number[] = [];
  let probed = false;
  await read((batch) => {
    const { after } = batch.rows();
    const nowUs = Number(process.hrtime.bigint() / 1000n);
    if (!probed) {
      probed = true;
      say({ event: 'streaming' });
    }
    for (const row of after ?? []) {
      const sent = row['sent'] as number;
      if (sent > 0) latencies.push(nowUs - sent);
      if (sent < 0) {
        say({ event: 'result', rows: latencies.length, latenciesUs: summary(latencies) });
        return true;
      }
    }
    return false;
  });
}

function summary(latencies: readonly number[]): object {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

async function profiled(path: string, work: () => Promise<void>): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  await work();
  const { profile }: Profiler.StopReturnType = await session.post('Profiler.stop');
  session.disconnect();
  await writeFile(path, JSON.stringify(profile));
}

const pass = values.mode === 'latency' ? latencyPass : throughputPass;
let passes = 0;
// The bench is gone when the input ends, be it in the middle of a pass; but a profile is still to be written then.
if (values.profile === undefined) process.stdin.once('end', () => process.exit(0));
say({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'pass') continue;
  passes++;
  await (values.profile !== undefined && passes > 1 ? profiled(values.profile, pass) : pass());
}
