/**
 * A reader without a group that wants the rows that exist, in a process of its own that can be killed: writes every entry that it deals with
 * into its journal, a line of JSON each, then commits. Arguments: relay URL, stream, checkpoint file, journal.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { connect } from '../../../src/client/connect.ts';
import { fileCheckpoints } from '../../../src/client/file-checkpoints.ts';
import { lineOf, type MovingLine, START } from './moving-copy.ts';

const [url = '', stream = '', checkpoint = '', path = ''] = process.argv.slice(2);
const journal = openSync(path, 'a');
// The line is the operating system's before the next thing is done: a SIGKILL loses nothing of it.
const write = (line: MovingLine | typeof START): void => void writeSync(journal, `${JSON.stringify(line)}\n`);
write(START);
const client = connect(url);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const checkpoints = fileCheckpoints(checkpoint);
for await (const batch of client.stream(stream, { bootstrap: 'auto', checkpoints, signal: stop.signal })) {
  for (const entry of batch.entries) write(lineOf(entry));
  await batch.commit();
}
await client.close();
closeSync(journal);
