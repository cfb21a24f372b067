import type { ConsumerProcess } from './consumer-process.ts';
import type { Intake } from './intake.ts';
import type { LagMeter } from './lag-meter.ts';
import type { RelayProcess } from './relay-process.ts';
import type { SinkScene } from './kill-sink.ts';
import { number, seconds } from './screen.ts';
import type { ShopLoad } from './shop-load.ts';
import { untilTrue } from './waiting.ts';

/** All that is at work when something is killed. */
export interface Scene extends SinkScene {
  readonly relay: RelayProcess;
  /** Rows that were there before. */
  readonly stocked: number;
  readonly intake: Intake;
  readonly lag: LagMeter;
  readonly load: ShopLoad;
}

/** Of the rows that were there before, when the relay is killed. */
const SNAPSHOT_PART = 0.4;

/** The relay dies between any two instructions, in the middle of the snapshot, and is started again. */
export async function killRelay({ relay, stocked, intake, lag, load, screen, watch }: Scene): Promise<void> {
  const { replica } = intake;
  const halfWay = untilTrue(async () => replica.snapshotRows >= SNAPSHOT_PART * stocked, watch.signal, 2);
  await watch.within(halfWay, 'The rows that existed did not come');
  const killedMs = performance.now();
  const commits = load.commits;
  lag.outageBegins();
  await relay.kill();
  screen.line(
    `  ${screen.paint('red', 'killed')}   the relay (SIGKILL) in the middle of load and snapshot, of which ${number(replica.snapshotRows)} rows had come; ` +
      'it is started again',
  );
  await watch.within(relay.start(watch.signal), 'The relay did not start again');
  await watch.within(
    intake.next(() => true),
    'No changes came from the restarted relay',
  );
  lag.outageEnds();
  screen.line(
    `  ${screen.paint('green', 'back')}     changes flow again ${seconds(performance.now() - killedMs)} after the kill; ` +
      `${number(load.commits - commits)} transactions were committed meanwhile`,
  );
}

/**
 * A consumer dies at the worst moment: some changes of its batch have taken effect, the others have not. Nothing was committed: the
 * other consumer must get them all, and apply only those that are missing. Then the first one is started again.
 */
export async function killConsumer(
  { intake, lag, screen, watch }: Scene,
  { victim, survivor }: { readonly victim: ConsumerProcess; readonly survivor: ConsumerProcess },
): Promise<void> {
  const { applied, count } = await watch.within(intake.holdNext(victim), `Nothing came from consumer ${victim.name}`);
  const partitions = new Set(victim.partitions);
  const killedMs = performance.now();
  lag.outageBegins();
  await victim.kill();
  screen.line(
    `  ${screen.paint('red', 'killed')}   consumer ${victim.name} (SIGKILL) ` +
      `in the middle of a batch: ${number(applied)} of its ${number(count)} changes applied, none committed`,
  );
  await watch.within(
    intake.next(({ partition }, from) => from === survivor && partitions.has(partition)),
    `Nothing of ${victim.name}'s partitions came to ${survivor.name}`,
  );
  lag.outageEnds();
  const startedMs = performance.now();
  screen.line(
    `  ${screen.paint('green', 'back')}     its ${partitions.size} partitions flow to ${survivor.name} ` +
      `${seconds(startedMs - killedMs)} after the kill; ${victim.name} is started again`,
  );
  victim.start();
  await watch.within(
    intake.next((_, from) => from === victim),
    `Nothing came from consumer ${victim.name}, which was started again`,
  );
  screen.line(
    `  ${screen.paint('green', 'back')}     ${victim.name} has a share again ${seconds(performance.now() - startedMs)} after its start`,
  );
}
