/**
 * A consumer of `npm run bench -- relay`, in a process of its own. For each line `<stream> <url of the relay>` on standard input it
 * reads that stream from the beginning until it has seen the wanted number of rows, and answers with one line of JSON.
 *
 *     all       every column of every row as a JavaScript object
 *     columns   the columns `id` and `body`, chosen by the reader
 *     ndjson    lines of JSON over plain HTTP, each one parsed
 *     lines     the same, of which only the checked values are picked out: what a client in a faster language is given
 *     latency   commit -> here: the rows carry the time at which they were sent
 */
import { get } from 'node:http';
import { createInterface } from 'node:readline';
import { StringDecoder } from 'node:string_decoder';
import { parseArgs } from 'node:util';
import { connect } from '../../src/client/connect.ts';
import { profiledBetween } from '../support/profiler.ts';

const { values } = parseArgs({
  options: {
    table: { type: 'string', default: '' },
    mode: { type: 'string', default: 'all' },
    'until-rows': { type: 'string', default: '0' },
    /** Where to write a CPU profile of the last pass, the one told as `<stream> <url> profile`. */
    profile: { type: 'string' },
  },
});
const untilRows = Number(values['until-rows']);

interface Sums {
  rows: number;
  idSum: number;
  bodyLength: number;
  startMs: number;
  readonly latencies: number[];
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function readObjects(relay: string, stream: string, sums: Sums): Promise<void> {
  const client = connect(relay);
  const columns = values.mode === 'columns' ? { [values.table]: ['id', 'body'] } : undefined;
  const changes = client.stream(stream, {
    from: 'earliest',
    json: 'text',
    ...(columns === undefined ? {} : { columns }),
  });
  for await (const batch of changes) {
    if (sums.startMs === 0) sums.startMs = performance.now();
    for (const part of batch.parts) {
      for (const entry of part.entries) {
        if (entry.type !== 'rows') continue;
        const { count, after } = entry.rows();
        for (const row of after ?? []) {
          sums.idSum += row['id'] as number;
          sums.bodyLength += (row['body'] as string).length;
        }
        sums.rows += count;
      }
    }
    if (sums.rows >= untilRows) break;
  }
  await client.close();
}

async function readLatency(relay: string, stream: string, sums: Sums): Promise<void> {
  const client = connect(relay);
  let probed = false;
  for await (const batch of client.stream(stream, { from: 'earliest', tables: [values.table] })) {
    const nowUs = Number(process.hrtime.bigint() / 1000n);
    let last = false;
    for (const change of batch.changes) {
      const sent = change.after?.['sent'] as number;
      if (sent > 0) sums.latencies.push(nowUs - sent);
      last ||= sent < 0;
    }
    if (!probed) {
      probed = true;
      say({ event: 'streaming' });
    }
    if (last) break;
  }
  sums.rows = sums.latencies.length;
  await client.close();
}

/** Resolves when there were enough rows. @param look gets the response's pieces */
function overHttp(
  relay: string,
  { stream, sums, look }: { stream: string; sums: Sums; look: (piece: Buffer) => void },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const url = `${relay}/v1/streams/${stream}/changes?from=earliest&follow=true`;
  const request = get(url, { headers: { accept: 'application/x-ndjson' } }, (response) => {
    response.on('data', (piece: Buffer) => {
      if (sums.startMs === 0) sums.startMs = performance.now();
      look(piece);
      if (sums.rows < untilRows) return;
      request.destroy();
      resolve();
    });
    response.on('error', (error) => (sums.rows >= untilRows ? resolve() : reject(error)));
    response.on('end', () => (sums.rows >= untilRows ? resolve() : reject(new Error('the response ended early'))));
  });
  request.on('error', (error) => (sums.rows >= untilRows ? resolve() : reject(error)));
  return promise;
}

function readLines(relay: string, stream: string, sums: Sums): Promise<void> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const look = (piece: Buffer): void => {
    const lines = (rest + decoder.write(piece)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') continue;
      const { after } = JSON.parse(line) as { after: { id: number; body: string } | null };
      if (after === null || after === undefined) continue;
      sums.idSum += after.id;
      sums.bodyLength += after.body.length;
      sums.rows++;
    }
  };
  return overHttp(relay, { stream, sums, look });
}

/** Each line's id, and the length of its body, which is ASCII and the last of the row's columns. */
function pickLines(relay: string, stream: string, sums: Sums): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  const look = (chunk: Buffer): void => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let end = bytes.indexOf(NEW_LINE); end >= 0; end = bytes.indexOf(NEW_LINE, at)) {
      pick(bytes, at, sums);
      at = end + 1;
    }
    rest = bytes.subarray(at);
  };
  return overHttp(relay, { stream, sums, look });
}

const NEW_LINE = 10;
const QUOTE = 34;
const DIGIT_ZERO = 48;
const ROW_AFTER = Buffer.from('"after":{"id":');
const BODY = Buffer.from('"body":"');

function pick(bytes: Buffer, from: number, sums: Sums): void {
  const after = bytes.indexOf(ROW_AFTER, from);
  let id = 0;
  let at = after + ROW_AFTER.length;
  for (let digit = (bytes[at] ?? 0) - DIGIT_ZERO; digit >= 0 && digit <= 9; digit = (bytes[++at] ?? 0) - DIGIT_ZERO) {
    id = id * 10 + digit;
  }
  const body = bytes.indexOf(BODY, at) + BODY.length;
  sums.idSum += id;
  sums.bodyLength += bytes.indexOf(QUOTE, body) - body;
  sums.rows++;
}

function summary(latencies: readonly number[]): object | null {
  if (latencies.length === 0) return null;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

const READERS = { all: readObjects, columns: readObjects, ndjson: readLines, lines: pickLines, latency: readLatency };
const read = READERS[values.mode as keyof typeof READERS];
process.stdin.once('end', () => process.exit(0));
say({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  const [stream = '', relay = '', option] = line.split(' ');
  const sums: Sums = { rows: 0, idSum: 0, bodyLength: 0, startMs: 0, latencies: [] };
  const profile = option === 'profile' && values.profile !== undefined ? profiledBetween(values.profile) : null;
  await profile?.start();
  await read(relay, stream, sums);
  const seconds = (performance.now() - sums.startMs) / 1000;
  await profile?.stop();
  const { rows, idSum, bodyLength } = sums;
  say({ event: 'result', rows, seconds, firstRowMs: 0, idSum, bodyLength, latenciesUs: summary(sums.latencies) });
}
