/**
 * One consumer of the demo, a member of a group, in a process of its own: hands every change to the demo, waits until it was taken over, and
 * commits only then. Arguments: relay URL, stream, group, member.
 */
import { createChangeStream } from '../../src/client/change-stream.ts';
import { verifyChunk } from '../../src/client/chunk-checksums.ts';
import { HttpRequests } from '../../src/client/http-requests.ts';
import { HttpTransport } from '../../src/client/http-transport.ts';
import type { JoinOptions, MemberName } from '../../src/client/transport.ts';
import type { ConsumerBatch, StreamEntry } from '../../src/core/consumer.ts';
import { isTidingsError } from '../../src/core/errors.ts';
import type { Assignment } from '../../src/core/group.ts';
import type { FromMember, HandedEntry, Taken } from './handed.ts';

/** As a killed consumer says no good-bye, the relay waits so long before its partitions go to the other one. */
const SESSION_TIMEOUT_MS = 1500;
/** Pauses while the relay is away. */
const RECONNECT = { delayMinMs: 20, delayMaxMs: 200 };

class QuickSessions extends HttpTransport {
  override join(member: MemberName, options: JoinOptions): Promise<Assignment> {
    return super.join(member, { ...options, sessionTimeoutMs: SESSION_TIMEOUT_MS });
  }
}

function handed(entry: StreamEntry): HandedEntry {
  const { scn } = entry;
  if (!('kind' in entry)) return entry.type === 'schema' ? { type: 'schema', scn } : { ...entry, scn };
  const { table, key, before, after, moved, partition } = entry;
  if (key === null || partition === undefined) throw new Error(`the change ${scn} of ${table.name} came without a key`);
  return { type: 'change', scn, table: table.name, key, before, after, moved: moved !== undefined, partition };
}

function say(message: FromMember): void {
  process.send?.(message);
}

/** Resolves when the demo has taken over the changes of a batch. */
async function handOver(number: number, batch: ConsumerBatch): Promise<void> {
  const taken = Promise.withResolvers<void>();
  const listen = (message: Taken): void => {
    if (message.number === number) taken.resolve();
  };
  process.on('message', listen);
  const transactions = batch.parts.map(({ transaction }) => transaction.id ?? '');
  say({ type: 'batch', number, transactions, entries: batch.entries.map(handed) });
  await taken.promise;
  process.off('message', listen);
}

// The demo is gone, in whatever way: so is this.
process.on('disconnect', () => process.exit());

const [url = '', stream = '', group = '', member = ''] = process.argv.slice(2);
const requests = new HttpRequests({ url: new URL(url), token: undefined, tls: undefined, timeoutMs: 10_000 });
const transport = new QuickSessions({ requests, stream, idleTimeoutMs: 10_000, verify: verifyChunk });
const partitions = new Set<number>();
const tell = (): void => say({ type: 'partitions', partitions: [...partitions] });
const changes = createChangeStream(
  transport,
  {
    group,
    member,
    from: 'earliest',
    onAssigned: (come) => {
      for (const partition of come) partitions.add(partition);
      tell();
    },
    onRevoked: (gone) => {
      for (const partition of gone) partitions.delete(partition);
      tell();
    },
  },
  { backoff: RECONNECT },
);

let number = 0;
for await (const batch of changes) {
  await handOver(++number, batch);
  try {
    await batch.commit();
  } catch (error) {
    // The other consumer has the partitions now, and does this batch again.
    if (!isTidingsError(error) || error.code !== 'GROUP_FENCED') throw error;
  }
}
