/**
 * A member of a group, in a process of its own that can be killed: writes every change that it deals with into its journal, then
 * commits. Arguments: relay URL, stream, group, member, journal.
 */
import { connect } from '../../../src/client/connect.ts';
import { JournalWriter } from './journal.ts';
import { stateOf } from './steps.ts';

const [url = '', stream = '', group = '', member = '', path = ''] = process.argv.slice(2);
const journal = new JournalWriter(path);
journal.write('S', member);
const client = connect(url);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

let number = 0;
for await (const batch of client.stream(stream, { group, member, from: 'earliest', signal: stop.signal })) {
  number++;
  journal.write('B', number);
  for (const change of batch.changes) {
    const { id, state } = stateOf(change);
    journal.write('X', change.scn, change.partition ?? -1, id, state);
  }
  const { fenced } = await batch.commit();
  // Whoever has the fenced partitions now does their changes again.
  if (fenced.length === 0) journal.write('C', number);
  else journal.write('F', number, fenced.join(','));
}
await client.close();
journal.close();
