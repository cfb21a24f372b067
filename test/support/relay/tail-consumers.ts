/**
 * The consumers whose latency is measured: `<count>` plain readers at the end of a stream, in a process of their own. Arguments: relay
 * URL, stream, count. Rows are `(id, window, sent)`: ids count up by one, `sent` is CLOCK_MONOTONIC in µs before the statement was sent.
 * Each consumer must get each row once and in order.
 */
import { createInterface } from 'node:readline';
import { connect } from '../../../src/client/connect.ts';
import type { IsolationAnswer, IsolationRequest } from './isolation-messages.ts';

const [url = '', stream = '', count = '17'] = process.argv.slice(2);
const client = connect(url);
/** Latencies in ms by window. */
const latencies = new Map<number, number[]>();
/** The last id that each consumer has. */
const lastIds: number[] = Array.from({ length: Number(count) }, () => 0);
const waiting = new Set<() => void>();

function say(answer: IsolationAnswer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function consume(index: number): Promise<void> {
  for await (const batch of client.stream(stream, { from: 'earliest', tables: ['isolation.probe'] })) {
    const nowUs = Number(process.hrtime.bigint() / 1000n);
    for (const { after } of batch.changes) {
      const id = Number(after?.['id']);
      if (id !== (lastIds[index] ?? 0) + 1) say({ kind: 'wrong', what: `behind row ${lastIds[index]} came ${id}` });
      lastIds[index] = id;
      const window = Number(after?.['window_no']);
      let samples = latencies.get(window);
      if (samples === undefined) latencies.set(window, (samples = []));
      samples.push((nowUs - Number(after?.['sent'])) / 1000);
    }
    for (const wake of waiting) wake();
    waiting.clear();
  }
}

async function untilAllHave(id: number): Promise<void> {
  while (lastIds.some((last) => last < id)) {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.add(resolve);
    await promise;
  }
}

const consumers = lastIds.map((_, index) => consume(index));
await untilAllHave(1);
say({ kind: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as IsolationRequest;
  if (request.kind !== 'window') continue;
  await untilAllHave(request.lastId);
  const sorted = Float64Array.from(latencies.get(request.window) ?? []).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  say({ kind: 'window', p50Ms: at(0.5), p99Ms: at(0.99), samples: sorted.length });
}
await client.close();
await Promise.all(consumers);
