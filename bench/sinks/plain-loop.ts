/**
 * What the MySQL sink is measured by: ready statements, each an upsert of so many rows in a transaction of its own, sent one behind the other by mysql2 on
 * a few connections at a time. For each line on standard input it writes them once and answers with the seconds that took.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: '' },
    target: { type: 'string', default: '' },
    table: { type: 'string', default: '' },
    'rows-per-statement': { type: 'string', default: '1000' },
    connections: { type: 'string', default: '1' },
  },
});

const perStatement = Number(values['rows-per-statement']);

/** Read before anything is measured. */
async function statements(from: number): Promise<string[]> {
  const source = await createConnection({ uri: values.source, rowsAsArray: true, dateStrings: true });
  const [rows] = await source.query<RowDataPacket[][]>(`SELECT * FROM bench.orders WHERE id >= ${from} ORDER BY id`);
  source.destroy();
  const texts: string[] = [];
  for (let at = 0; at < rows.length; at += perStatement) {
    const tuples = rows
      .slice(at, at + perStatement)
      .map((row) => `(${row.map((value) => source.escape(value)).join(',')})`);
    texts.push(
      `INSERT INTO ${values.table} (id,customer,status,total,ordered_at,note) VALUES ${tuples.join(',')} ON DUPLICATE KEY UPDATE ` +
        'customer=VALUES(customer),status=VALUES(status),total=VALUES(total),ordered_at=VALUES(ordered_at),note=VALUES(note)',
    );
  }
  return texts;
}

const connections: readonly Connection[] = await Promise.all(
  Array.from({ length: Number(values.connections) }, () => createConnection({ uri: values.target })),
);

async function writeAll(texts: readonly string[]): Promise<void> {
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      for (let text = texts[next++]; text !== undefined; text = texts[next++]) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other on each connection
        await connection.query('START TRANSACTION');
        // oxlint-disable-next-line no-await-in-loop -- as above
        await connection.query(text);
        // oxlint-disable-next-line no-await-in-loop -- as above
        await connection.query('COMMIT');
      }
    }),
  );
}

for await (const line of createInterface({ input: process.stdin })) {
  const texts = await statements(Number(line));
  process.stdout.write(`${JSON.stringify({ event: 'ready' })}\n`);
  const startMs = performance.now();
  await writeAll(texts);
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(`${JSON.stringify({ event: 'result', seconds })}\n`);
}
for (const connection of connections) connection.destroy();
