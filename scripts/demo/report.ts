import type { Comparison } from './compare.ts';
import type { Intake } from './intake.ts';
import type { LagMeter } from './lag-meter.ts';
import type { TestServer } from '../../test/support/servers/test-server.ts';
import { milliseconds, number, type Screen, seconds } from './screen.ts';
import { productOf } from './servers.ts';
import { TILL } from './shop.ts';
import type { ShopLoad } from './shop-load.ts';
import type { SnapshotEnd } from './snapshot-watch.ts';
import type { CopyComparison } from './table-sum.ts';

export interface Figures {
  readonly intake: Intake;
  readonly lag: LagMeter;
  readonly load: ShopLoad;
  readonly snapshot: SnapshotEnd;
  /** From the load's end to the moment all consumers had committed everything. */
  readonly drainedMs: number;
  /** From there to the moment the second database had everything. */
  readonly copiedMs: number;
}

/** Of the checksums, which are compared as a whole. */
const DIGITS_SHOWN = 16;

export function showFigures(screen: Screen, { intake, lag, load, snapshot, drainedMs, copiedMs }: Figures): void {
  const { replica } = intake;
  screen.line(
    `  The snapshot brought ${number(replica.snapshotRows)} rows in ${seconds(snapshot.tookMs)}, beside the load; ` +
      `${number(replica.overtaking)} rows were changed before it came to them,`,
  );
  screen.line(`  ${number(replica.reread)} were read again after the kill.`);
  screen.line(
    `  ${number(load.commits)} transactions committed, ${number(load.rollbacks)} rolled back; ` +
      `${number(replica.changes)} changes and ${replica.schemaChanges} of a definition came to the two consumers,`,
  );
  screen.line(
    `  ${number(replica.halves / 2)} moved keys in halves. ` +
      `${number(replica.again)} rows and changes came again after the kills and changed nothing.`,
  );
  const waits = lag.outsideOutages();
  if (waits === null) return;
  screen.line(
    `  Lag from sending COMMIT, through the fsynced log, to the consumer: ${milliseconds(waits.medianMs)} in the middle,`,
  );
  screen.line(
    `  p99 ${milliseconds(waits.p99Ms)}, ${milliseconds(waits.maxMs)} at most, outside the outages. All was committed ` +
      `${milliseconds(drainedMs)} after the load's end, and in the second database after ${milliseconds(copiedMs)}.`,
  );
}

/** Says whether the proof holds, and returns it. */
export function showProof(screen: Screen, comparisons: readonly Comparison[]): boolean {
  const heads = ['table', 'rows by SELECT', 'from the snapshot', 'changes replayed', 'came again', 'identical'];
  screen.line();
  screen.table([
    heads.map((text) => screen.paint('dim', text)),
    ...comparisons.map(({ table, rows, snapshotRows, changes, again, identical }) => [
      table,
      number(rows),
      number(snapshotRows),
      number(changes),
      number(again),
      identical ? screen.paint('green', 'yes') : screen.paint('red', 'no'),
    ]),
  ]);
  screen.line();
  const different = comparisons.filter(({ identical }) => !identical);
  for (const { table, differences } of different) {
    for (const difference of differences) screen.line(`  ${screen.paint('red', table)}: ${difference}`);
  }
  if (different.length > 0) {
    screen.line(
      `\n  ${screen.paint('red', 'Not proved')}: snapshot and changes do not lead to the rows that SELECT shows. Please report this.`,
    );
    return false;
  }
  const rows = comparisons.reduce((sum, comparison) => sum + comparison.rows, 0);
  screen.line(
    `  ${screen.paint('green', 'Proved')}: relay and consumer were killed, and what the two consumers got still gives ` +
      `all ${number(rows)} rows, equal in every value.`,
  );
  return true;
}

/** Says whether the second database is the first one's equal, and returns it. */
export function showCopyProof(
  screen: Screen,
  comparisons: readonly CopyComparison[],
  { source, target }: { readonly source: TestServer; readonly target: TestServer },
): boolean {
  const [here, there] = [`${productOf(source)}:`, `second, ${productOf(target)}:`];
  screen.line();
  screen.table([
    ['table', `${here} rows`, 'SHA-256', `${there} rows`, 'SHA-256', 'equal'].map((text) => screen.paint('dim', text)),
    ...comparisons.map((each) => [
      each.table,
      number(each.here.rows.length),
      each.here.sum.slice(0, DIGITS_SHOWN),
      number(each.there.rows.length),
      each.there.sum.slice(0, DIGITS_SHOWN),
      each.isEqual ? screen.paint('green', 'yes') : screen.paint('red', 'no'),
    ]),
  ]);
  screen.line();
  const different = comparisons.filter(({ isEqual }) => !isEqual);
  for (const { table, missing, surplus } of different) {
    screen.line(
      `  ${screen.paint('red', table)}: ${number(missing)} rows of it are not in the second database, which has ${number(surplus)} that it has not`,
    );
  }
  if (different.length > 0) {
    screen.line(
      `\n  ${screen.paint('red', 'Not proved')}: the second database is not what the first one is. Please report this.`,
    );
    return false;
  }
  const rows = comparisons.find(({ table }) => table === TILL)?.there.rows.length ?? 0;
  screen.line(
    `  ${screen.paint('green', 'Proved')}: relay and sink were killed, and the second database is equal to the first, by the checksums of all rows.`,
  );
  screen.line(
    `  A row with a key does not show whether it was written once or twice. The table ${TILL} has no key, and each of its ${number(rows)} rows`,
  );
  screen.line('  is there as often as in the first: no change of it took effect twice, and none was lost.');
  return true;
}

export function showHowToGoOn(screen: Screen): void {
  screen.line(`
  ${screen.paint('bold', 'Go on')} with your own server:

    npm run -s tidings -- doctor mysql://user:password@host/shop    what it lacks, with the statements that cure it
    npm run -s tidings -- tail mysql://user:password@host/shop      its changes, one per line, without a relay
    npm run -s tidings -- run tidings.yaml                          a relay; docs/reference/config.md shows the least it needs
    npm run -s tidings -- consume http://127.0.0.1:8400 --stream shop --group search --exec 'your command'
    docs/reference/cli.md, docs/concepts/groups.md                  all options; sharing a stream, and what is promised
`);
}
