import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { startBuilt } from '../support/built-relay.ts';
import { cpuSecondsBetween, readProcessCpu } from '../support/process-cpu.ts';
import { binlogEnd, fillOrders, freshOrders } from './orders.ts';

const STREAM = 'orders';
const SINK = 'copy';
const POLL_MS = 10;

export interface SinkRun {
  readonly source: Connection;
  readonly sourceUrl: string;
  /** Of the sink, as in the configuration, without its stream. */
  readonly sink: object;
  readonly folder: string;
  readonly warmRows: number;
  readonly rows: number;
  /** Run the sink in a process of its own, beside the relay. */
  readonly apart: boolean;
  /** Called when the rows that warm up are in the target. */
  readonly onWarm?: () => Promise<void>;
  /** Called when the rows that count are in the source, and before they are read. */
  readonly onFilled?: () => Promise<void>;
  /** Where the processes leave CPU profiles. */
  readonly profile?: string | undefined;
}

export interface SinkOutcome {
  readonly rowsPerSecond: number;
  /** Of all processes of Tidings, per million rows. */
  readonly cpuSeconds: number;
  readonly deadLetters: number;
}

/**
 * Source → log → sink: rows that warm up first. Then, with the source paused, those that count are written; the time runs from the resumption until the
 * last of them is durable in the sink.
 */
export async function runSink(run: SinkRun): Promise<SinkOutcome> {
  const { source, sourceUrl, warmRows, rows } = run;
  await freshOrders(source);
  const { file, position } = await binlogEnd(source);
  const data = await mkdtemp(join(run.folder, 'sinks-'));
  const nodeArgs =
    run.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${run.profile}`];
  const stream = { source: { type: 'mysql', url: sourceUrl, tables: ['bench.orders'], from: `${file}:${position}` } };
  const sink = { from: 'earliest', bootstrap: 'never', stream: STREAM, ...run.sink };
  try {
    await using relay = await startBuilt(
      await mkdtemp(join(data, 'relay-')),
      { streams: { [STREAM]: stream }, ...(run.apart ? {} : { sinks: { [SINK]: sink } }) },
      { nodeArgs },
    );
    await using apart = run.apart
      ? await startBuilt(
          await mkdtemp(join(data, 'sink-')),
          { sinks: { [SINK]: { relay: relay.url, ...sink } } },
          { nodeArgs },
        )
      : null;
    const { url } = apart ?? relay;
    const pids = apart === null ? [relay.pid] : [relay.pid, apart.pid];
    await fillOrders(source, 0, warmRows);
    await written(url, warmRows);
    await post(relay.url, 'pause');
    await run.onWarm?.();
    await fillOrders(source, warmRows, rows);
    await run.onFilled?.();
    const cpu = pids.map(readProcessCpu);
    const startMs = performance.now();
    await post(relay.url, 'resume');
    const { deadLetters } = await written(url, warmRows + rows);
    const seconds = (performance.now() - startMs) / 1000;
    const cpuSeconds = pids.reduce((sum, pid, i) => {
      const [before, after] = [cpu[i] ?? null, readProcessCpu(pid)];
      return sum + (before === null || after === null ? Number.NaN : cpuSecondsBetween(before, after));
    }, 0);
    return { rowsPerSecond: rows / seconds, cpuSeconds: cpuSeconds / (rows / 1e6), deadLetters };
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

interface Status {
  readonly state: string;
  readonly rows: number;
  readonly deadLetters: number;
  readonly error: { readonly message: string } | null;
}

/** Until so many rows are durable, or set aside. */
async function written(url: string, rows: number): Promise<Status> {
  let seen = -1;
  let seenMs = performance.now();
  for (;;) {
    const status = (await (await fetch(`${url}/v1/sinks/${SINK}`)).json()) as Status;
    if (status.rows + status.deadLetters >= rows) return status;
    if (status.state === 'failed') throw new Error(`the sink has failed: ${status.error?.message}`);
    if (status.rows !== seen) {
      seen = status.rows;
      seenMs = performance.now();
    } else if (performance.now() - seenMs > 60_000) {
      throw new Error(`the sink stands still at ${seen} of ${rows} rows: ${JSON.stringify(status)}`);
    }
    await sleep(POLL_MS);
  }
}

async function post(url: string, action: 'pause' | 'resume'): Promise<void> {
  const response = await fetch(`${url}/v1/streams/${STREAM}/${action}`, { method: 'POST' });
  if (!response.ok) throw new Error(`no ${action}: ${await response.text()}`);
}
