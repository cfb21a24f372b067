import type { ConsumerProcess } from './consumer-process.ts';
import type { Intake } from './intake.ts';
import type { LagMeter } from './lag-meter.ts';
import type { RelayProcess } from './relay-process.ts';
import { type Screen, seconds } from './screen.ts';
import type { ShopLoad } from './shop-load.ts';
import { type Watch, within } from './waiting.ts';

/** All that is at work when something is killed. */
export interface Scene {
  readonly relay: RelayProcess;
  readonly intake: Intake;
  readonly lag: LagMeter;
  readonly load: ShopLoad;
  readonly screen: Screen;
  readonly watch: Watch;
}

/** Far more than it takes, also on a machine that is busy with other things. */
const RECOVERY_MAX_MS = 30_000;

/** The relay dies between two instructions, as in a power failure of its process, and is started again. */
export async function killRelay({ relay, intake, lag, load, screen, watch }: Scene): Promise<void> {
  const killedMs = performance.now();
  const commits = load.commits;
  lag.outageBegins();
  await relay.kill();
  screen.line(
    `  ${screen.paint('red', 'killed')}   the relay (SIGKILL), in the middle of the load; started again at once`,
  );
  await relay.start(watch.signal);
  const flows = intake.next(() => true);
  await within(flows, { ...watch, maxMs: RECOVERY_MAX_MS, late: 'No changes came from the restarted relay' });
  lag.outageEnds();
  const outageMs = performance.now() - killedMs;
  screen.line(
    `  ${screen.paint('green', 'back')}     changes flow again ${seconds(outageMs)} after the kill; ` +
      `${load.commits - commits} transactions were committed meanwhile`,
  );
}

/** A consumer dies at the worst moment: its changes have taken effect, and are not committed. Then it is started again. */
export async function killConsumer(
  scene: Scene,
  { victim, survivor }: { readonly victim: ConsumerProcess; readonly survivor: ConsumerProcess },
): Promise<void> {
  const { intake, lag, screen, watch } = scene;
  const waits = { ...watch, maxMs: RECOVERY_MAX_MS };
  const held = intake.holdNext(victim);
  const changes = await within(held, { ...waits, late: `Nothing came from consumer ${victim.name}` });
  const partitions = new Set(victim.partitions);
  const killedMs = performance.now();
  lag.outageBegins();
  await victim.kill();
  screen.line(
    `  ${screen.paint('red', 'killed')}   consumer ${victim.name} (SIGKILL), ` +
      `with ${changes} change${changes === 1 ? '' : 's'} applied but not committed`,
  );
  const taken = intake.next(({ partition }, from) => from === survivor && partitions.has(partition));
  await within(taken, { ...waits, late: `Nothing of ${victim.name}'s partitions came to ${survivor.name}` });
  lag.outageEnds();
  screen.line(
    `  ${screen.paint('green', 'back')}     its ${partitions.size} partitions flow to ${survivor.name} ` +
      `${seconds(performance.now() - killedMs)} after the kill, as its session had ended; ${victim.name} started again`,
  );
  const startedMs = performance.now();
  const shares = intake.next((_, from) => from === victim);
  victim.start();
  await within(shares, { ...waits, late: `Nothing came from consumer ${victim.name}, which was started again` });
  screen.line(
    `  ${screen.paint('green', 'back')}     ${victim.name} has its share again, ${seconds(performance.now() - startedMs)} after its start`,
  );
}
