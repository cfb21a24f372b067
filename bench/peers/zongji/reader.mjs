// A reader for `npm run bench -- decode`: @vlasky/zongji. What it is told and what it answers is in bench/README.md.
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import ZongJi from '@vlasky/zongji';

const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string' },
    user: { type: 'string' },
    flavor: { type: 'string' },
    table: { type: 'string' },
    file: { type: 'string' },
    position: { type: 'string' },
    'until-rows': { type: 'string' },
    mode: { type: 'string' },
    'server-id': { type: 'string' },
  },
});
const [database, table] = values.table.split('.');
const untilRows = Number(values['until-rows']);

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function monotonicUs() {
  return Number(process.hrtime.bigint() / 1000n);
}

/** One pass; `onRows` returns true at the last row. Resolves when the connections are gone. */
function read(onRows) {
  return new Promise((resolve, reject) => {
    const zongji = new ZongJi({ host: values.host, port: Number(values.port), user: values.user });
    let ended = false;
    zongji.on('error', reject);
    zongji.on('stopped', resolve);
    zongji.on('binlog', (event) => {
      if (ended || event.getTypeName() !== 'WriteRows') return;
      if (!onRows(event.rows)) return;
      ended = true;
      zongji.stop();
    });
    zongji.start({
      serverId: Number(values['server-id']),
      filename: values.file,
      position: Number(values.position),
      includeEvents: ['tablemap', 'writerows', 'rotate'],
      includeSchema: { [database]: [table] },
    });
  });
}

async function throughputPass() {
  const connectMs = performance.now();
  let startMs = 0;
  let rows = 0;
  let idSum = 0;
  let bodyLength = 0;
  await read((batch) => {
    if (startMs === 0) startMs = performance.now();
    for (const row of batch) {
      idSum += row.id;
      bodyLength += row.body.length;
    }
    rows += batch.length;
    if (rows < untilRows) return false;
    const seconds = (performance.now() - startMs) / 1000;
    say({ event: 'result', rows, seconds, firstRowMs: startMs - connectMs, idSum, bodyLength });
    return true;
  });
}

async function latencyPass() {
  const latencies = [];
  let probed = false;
  await read((batch) => {
    const nowUs = monotonicUs();
    if (!probed) {
      probed = true;
      say({ event: 'streaming' });
    }
    for (const { sent } of batch) {
      if (sent > 0) latencies.push(nowUs - sent);
      if (sent < 0) {
        say({ event: 'result', rows: latencies.length, latenciesUs: summary(latencies) });
        return true;
      }
    }
    return false;
  });
}

function summary(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

// The bench is gone when the input ends, be it in the middle of a pass.
process.stdin.once('end', () => process.exit(0));
say({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'pass') await (values.mode === 'latency' ? latencyPass() : throughputPass());
}
