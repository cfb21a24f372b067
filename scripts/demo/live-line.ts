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

/** Returns what prints the line: rates since it was printed last, and how many partitions each consumer has. */
export function liveLine({ screen, intake, lag, consumers }: LiveLineOptions): () => void {
  const { replica } = intake;
  const startedMs = performance.now();
  let last = { atMs: startedMs, changes: replica.changes, transactions: intake.transactions };
  return () => {
    const atMs = performance.now();
    const passed = (atMs - last.atMs) / 1000;
    const rate = (now: number, before: number): string => number(Math.round((now - before) / passed)).padStart(5);
    const waits = lag.take();
    const lags =
      waits === null
        ? 'none came'.padEnd(20)
        : `${milliseconds(waits.medianMs)} (max ${milliseconds(waits.maxMs)})`.padEnd(20);
    const shares = consumers.map(({ name, partitions }) => `${name} ${partitions.length}`);
    screen.live(
      `  ${screen.paint('dim', `${((atMs - startedMs) / 1000).toFixed(0).padStart(2)} s`)} ` +
        `${screen.paint('cyan', rate(replica.changes, last.changes))} changes/s ` +
        `${rate(intake.transactions, last.transactions)} tx/s   lag ${lags} ${screen.paint('dim', 'has:')} ${shares.join(', ')}`,
    );
    last = { atMs, changes: replica.changes, transactions: intake.transactions };
  };
}
