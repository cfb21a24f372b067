/**
 * Writes single-row transactions at a steady rate, in a process of its own. `sent` is CLOCK_MONOTONIC in µs, taken right before
 * the statement is handed to the driver: a latency measured from it includes the way to the server and the commit itself.
 * Rows written while the readers warm up have `sent` 0; the last row of all has -1.
 */
import { parseArgs } from 'node:util';
import { createConnection, type Connection } from 'mysql2/promise';

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    rate: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '5' },
    'warm-seconds': { type: 'string', default: '2' },
    connections: { type: 'string', default: '8' },
  },
});
const rate = Number(values.rate);

/** Rows that are due but found every connection busy wait here, and their clock does not run: so the reached rate is reported. */
let due = 0;
let written = 0;
let finished = false;
let wake: (() => void)[] = [];

async function write(connection: Connection, id: number): Promise<void> {
  for (;;) {
    if (due >= 1) {
      due--;
      const sent = warm ? 0 : Number(process.hrtime.bigint() / 1000n);
      await connection.query(
        `INSERT INTO bench.latency (sent, body) VALUES (${sent}, 'from connection ${id}, row ${written}')`,
      );
      written++;
    } else if (finished) {
      return;
    } else {
      await new Promise<void>((resolve) => wake.push(resolve));
    }
  }
}

function wakeWriters(): void {
  const sleeping = wake;
  wake = [];
  for (const resume of sleeping) resume();
}

let warm = true;
const connections = await Promise.all(
  Array.from({ length: Number(values.connections) }, () => createConnection({ uri: values.url })),
);
const writers = connections.map((connection, id) => write(connection, id));
let lastMs = performance.now();
const ticker = setInterval(() => {
  const nowMs = performance.now();
  // A backlog of more than 20 ms is dropped, not made up for in a burst: the rate that was reached is reported.
  due = Math.min(due + ((nowMs - lastMs) * rate) / 1000, rate / 50);
  lastMs = nowMs;
  wakeWriters();
}, 1);
await new Promise((resolve) => setTimeout(resolve, Number(values['warm-seconds']) * 1000));
warm = false;
const startMs = performance.now();
const writtenBefore = written;
await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));
const reached = ((written - writtenBefore) * 1000) / (performance.now() - startMs);
clearInterval(ticker);
finished = true;
due = 0;
wakeWriters();
await Promise.all(writers);
await connections[0]?.query(`INSERT INTO bench.latency (sent, body) VALUES (-1, '')`);
await Promise.all(connections.map((connection) => connection.end()));
process.stdout.write(`${JSON.stringify({ rate: reached })}\n`);
