/**
 * A process that appends scripted transactions to a log, from where the log ends up to the given one, and tells on stdout what is
 * durable: `durable 17`, `stalled disk-full`, `going`, `done`. Dies where TIDINGS_FAILPOINTS says.
 */
import { writeSync } from 'node:fs';
import { setFailpointHandler } from '../../../src/core/failpoint.ts';
import { parseFailpoints } from '../../../src/core/failpoint-spec.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { FileLog } from '../../../src/relay/log/file-log.ts';
import { numberOf, PARTITIONS, positionOf } from '../log-harness.ts';
import { scriptedParts } from './script.ts';

const [directory = '', upTo = '0', segmentBytes = '100000', compression = 'none'] = process.argv.slice(2);
setFailpointHandler(
  parseFailpoints(process.env['TIDINGS_FAILPOINTS'] ?? '', { kill: () => process.kill(process.pid, 'SIGKILL') }),
);
/** At once: what was told must have been told when the process is killed. */
const tell = (text: string): void => void writeSync(1, `${text}\n`);

const log = await FileLog.open({
  directory,
  name: 'shop',
  partitions: PARTITIONS,
  options: { segmentBytes: Number(segmentBytes), compression: compression === 'zstd' ? 'zstd' : 'none' },
  log: silentLogger,
});
let durable = '';
let stalled: string | null = null;
log.onChange(() => {
  if (log.position !== null && log.position !== durable) {
    durable = log.position;
    tell(`durable ${numberOf(durable)}`);
  }
  const reason = log.stalled?.reason ?? null;
  if (reason === stalled) return;
  stalled = reason;
  tell(reason === null ? 'going' : `stalled ${reason}`);
});
for (let n = numberOf(log.position ?? 'p0') + 1; n <= Number(upTo); n++) {
  const parts = scriptedParts(n);
  for (const part of parts) {
    const position = positionOf(part.end === null ? n - 1 : n);
    const full = log.append({ parts: [part], position, bytes: 100 });
    if (full !== null) await full;
  }
  // As a source: one batch after the other, and sometimes a pause in which the disk comes to rest.
  if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (n % 40 === 0) await log.flush();
}
await log.close();
tell('done');
