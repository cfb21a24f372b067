// Follows a database and prints its changes as named events; stores how far it got, and goes on from there at the next start.
//
//     node examples/events.ts mysql://root@127.0.0.1:3306/shop

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mysqlEvents } from 'tidings/mysql';

const [url = 'mysql://root@127.0.0.1:3306/test', checkpoint = 'events.position'] = process.argv.slice(2);

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

const events = mysqlEvents(url, {
  from: existsSync(checkpoint) ? readFileSync(checkpoint, 'utf8') : 'now',
  signal: stop.signal,
});

// Every write, update and delete of every table, with the primary key: a tuple when the key has several columns.
events.on('*', (pk, { name, database }) => console.log(`${database}: ${name} ${JSON.stringify(pk)}`));

// What no row event tells of.
events.on('*_truncate', ({ database, table }) => console.log(`${database}: all of ${table}`));
events.on('schema', ({ database, table }) =>
  console.log(`${database}: ${table ?? 'the database'} has a new definition`),
);
events.on('warning', (warning) => console.error(`${warning.message}. ${warning.hint}`));

// Told only when all handlers of the transaction, and of those before it, are done. Replaced whole, so that a crash leaves the old
// position or the new one.
events.on('position', (position) => {
  writeFileSync(`${checkpoint}.new`, String(position));
  renameSync(`${checkpoint}.new`, checkpoint);
});

await events.run();
