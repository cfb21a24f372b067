import type { ConsumerProcess } from './consumer-process.ts';
import type { Intake } from './intake.ts';
import type { LagMeter } from './lag-meter.ts';
import { milliseconds, number, type Screen } from './screen.ts';

export interface LiveLineOptions {
  readonly screen: Screen;
  readonly intake: Intake;
  readonly lag: LagMeter;
  readonly consumers: readonly ConsumerProcess[];
}

const LAG_WIDTH = 17;

/** Returns what prints the line: rates since it was printed last (rows are the snapshot's), and how many partitions each consumer has. */
export function liveLine({ screen, intake, lag, consumers }: LiveLineOptions): () => void {
  const { replica } = intake;
  const startedMs = performance.now();
  let last = {
    atMs: startedMs,
    rows: replica.snapshotRows,
    changes: replica.changes,
    transactions: intake.transactions,
  };
  return () => {
    const atMs = performance.now();
    const passed = (atMs - last.atMs) / 1000;
    const rate = (now: number, before: number): string => number(Math.round((now - before) / passed));
    const waits = lag.take();
    const lags =
      waits === null
        ? 'none came'.padEnd(LAG_WIDTH)
        : `${milliseconds(waits.medianMs)}, max ${milliseconds(waits.maxMs)}`.padEnd(LAG_WIDTH);
    const shares = consumers.map(({ name, partitions }) => `${name} ${partitions.length}`);
    screen.live(
      `  ${screen.paint('dim', `${((atMs - startedMs) / 1000).toFixed(0).padStart(2)} s`)} ` +
        `${screen.paint('cyan', rate(replica.snapshotRows, last.rows).padStart(6))} rows, ` +
        `${screen.paint('cyan', rate(replica.changes, last.changes).padStart(5))} changes/s ` +
        `${rate(intake.transactions, last.transactions).padStart(5)} tx/s  lag ${lags} ${shares.join(', ')}`,
    );
    last = { atMs, rows: replica.snapshotRows, changes: replica.changes, transactions: intake.transactions };
  };
}
