/**
 * One consumer of the demo, a member of a group, in a process of its own: hands every change to the demo, waits until it was taken over, and
 * commits only then. Arguments: relay URL, stream, group, member, and the tables that it wants.
 */
import { connect } from '../../src/client/connect.ts';
import type { ConsumerBatch, StreamEntry } from '../../src/core/consumer.ts';
import type { FromMember, HandedEntry, Taken } from './handed.ts';

/** As a killed consumer says no good-bye, the relay waits so long before its partitions go to the other one. */
const SESSION_TIMEOUT_MS = 1500;
/** Pauses while the relay is away. */
const RECONNECT = { delayMinMs: 20, delayMaxMs: 200 };

function handed(entry: StreamEntry): HandedEntry {
  const { scn } = entry;
  if (!('kind' in entry)) return entry.type === 'schema' ? { type: 'schema', scn } : { ...entry, scn };
  const { table, key, before, after, moved, snapshot = false, partition } = entry;
  if (key === null || partition === undefined) throw new Error(`the change ${scn} of ${table.name} came without a key`);
  const place = { scn, table: table.name, key, partition };
  return { type: 'change', ...place, before, after, moved: moved !== undefined, snapshot };
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
  const transactions = batch.parts.flatMap(({ transaction }) => transaction.id ?? []);
  say({ type: 'batch', number, transactions, entries: batch.entries.map(handed) });
  await taken.promise;
  process.off('message', listen);
}

// The demo is gone, in whatever way: so is this.
process.on('disconnect', () => process.exit());

const [url = '', stream = '', group = '', member = '', ...tables] = process.argv.slice(2);
const client = connect(url, { requestTimeoutMs: 10_000, idleTimeoutMs: 10_000, reconnect: RECONNECT });
const partitions = new Set<number>();
const tell = (): void => say({ type: 'partitions', partitions: [...partitions] });
const changes = client.stream(stream, {
  group,
  member,
  tables,
  // The first member of all has the relay make a snapshot for the group, which every member gets its part of.
  bootstrap: 'auto',
  sessionTimeoutMs: SESSION_TIMEOUT_MS,
  onAssigned: (come) => {
    for (const partition of come) partitions.add(partition);
    tell();
  },
  onRevoked: (gone) => {
    for (const partition of gone) partitions.delete(partition);
    tell();
  },
});

let number = 0;
for await (const batch of changes) {
  await handOver(++number, batch);
  // What is fenced, the other consumer has now, and does again.
  await batch.commit();
}
