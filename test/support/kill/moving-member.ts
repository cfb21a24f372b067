/**
 * A member of a group that begins with the rows that exist, in a process of its own that can be killed: writes every change that it deals with into
 * its journal, and commits every fourth batch only, so that it mostly dies with some that are not. Arguments: relay URL, stream, group, member,
 * journal.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { connect } from '../../../src/client/connect.ts';
import { jobOf, type MemberLine } from './moving-members.ts';

const [url = '', stream = '', group = '', member = '', path = ''] = process.argv.slice(2);
const file = openSync(path, 'a');
// The line is the operating system's before the next thing is done: a SIGKILL loses nothing of it.
const write = (line: MemberLine): void => void writeSync(file, `${JSON.stringify(line)}\n`);
const client = connect(url, { reconnect: { delayMinMs: 1, delayMaxMs: 50 } });
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const life = `${member} ${process.pid}`;
write({ at: String(process.hrtime.bigint()), began: life });
let number = 0;
const options = { group, member, bootstrap: 'auto', sessionTimeoutMs: 1000, signal: stop.signal } as const;
for await (const batch of client.stream(stream, options)) {
  const name = `${life} ${++number}`;
  for (const change of batch.changes) write({ at: String(process.hrtime.bigint()), batch: name, ...jobOf(change) });
  if (number % 4 !== 0) continue;
  const { fenced } = await batch.commit();
  write({ at: String(process.hrtime.bigint()), committed: name, fenced });
}
await client.close();
closeSync(file);
