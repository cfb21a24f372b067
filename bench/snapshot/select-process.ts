/**
 * The driver's own way to read a table: mysql2's streaming SELECT, every row an object. For each line on standard input it reads the table once and
 * answers with the seconds from the query to the last row.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createConnection } from 'mysql2';

const { values } = parseArgs({
  options: { url: { type: 'string', default: '' }, table: { type: 'string', default: '' } },
});

function readOnce(): Promise<{ rows: number; bodyLength: number }> {
  const connection = createConnection({ uri: values.url, supportBigNumbers: true, dateStrings: true });
  const { promise, resolve, reject } = Promise.withResolvers<{ rows: number; bodyLength: number }>();
  let rows = 0;
  let bodyLength = 0;
  connection
    .query(`SELECT * FROM ${values.table}`)
    .on('result', (row: { readonly body: string }) => {
      rows++;
      bodyLength += row.body.length;
    })
    .on('error', reject)
    .on('end', () => {
      connection.end();
      resolve({ rows, bodyLength });
    });
  return promise;
}

for await (const _ of createInterface({ input: process.stdin })) {
  const startMs = performance.now();
  const { rows, bodyLength } = await readOnce();
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(`${JSON.stringify({ event: 'result', rows, bodyLength, seconds })}\n`);
}
