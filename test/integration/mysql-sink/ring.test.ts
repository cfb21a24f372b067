import { expect, test } from 'vitest';
import type { SinkTarget } from '../../../src/core/sink.ts';
import { describeServer } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { replicate } from '../../support/sinks/replicate.ts';
import { tableOf } from '../../../src/testing/tables.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

describeServer('mariadb', 'a ring of MariaDB', (mariadb) => {
  describeServer('mysql', 'and MySQL', (mysql) => {
    test('converges: what each side wrote is on both, nothing goes round, and what it had written itself is not handed over again', async () => {
      const sides = [mariadb(), mysql()] as const;
      const from = await Promise.all(sides.map(place));
      for (const side of sides) {
        await side.query('CREATE DATABASE ring; CREATE TABLE ring.t (id INT PRIMARY KEY, who VARCHAR(20), n INT)');
      }
      await mariadb().query(
        "INSERT INTO ring.t VALUES (1, 'mariadb', 1), (2, 'mariadb', 1); UPDATE ring.t SET n = 2 WHERE id = 2",
      );
      await mysql().query(
        "INSERT INTO ring.t VALUES (11, 'mysql', 1), (12, 'mysql', 1); DELETE FROM ring.t WHERE id = 12",
      );
      // Both directions twice, each from its beginning: were anything to go round, it would be seen in the second round.
      const counts: number[] = [];
      for (let round = 0; round < 2; round++) {
        for (const [i, side] of sides.entries()) {
          const other = sides[1 - i] as TestServer;
          await using sink = await openMysqlSink(`${other.url}/ring`, { name: `round${round}` });
          const { rows } = await replicate(
            { url: side.url, tables: ['ring.*'], from: from[i] ?? '', ignoreOrigin: true },
            sink,
          );
          counts.push(rows);
        }
      }
      // MariaDB's own: two inserts, one update; MySQL's own: two inserts, one delete.
      expect(counts).toEqual([3, 3, 3, 3]);
      const shown = await Promise.all(sides.map((side) => side.query('SELECT * FROM ring.t ORDER BY id')));
      expect(shown[0]).toEqual([
        { id: 1, who: 'mariadb', n: 1 },
        { id: 2, who: 'mariadb', n: 2 },
        { id: 11, who: 'mysql', n: 1 },
      ]);
      expect(shown[1]).toEqual(shown[0]);
    });

    test('is seen through from the first row of a transaction that a sink wrote, whatever is in it; without the option all of it is handed over, but never the mark', async () => {
      for (const side of [mariadb(), mysql()]) {
        await side.query('CREATE DATABASE mark');
        const from = await place(side);
        const rows = new RowsOf(tableOf('mark.t', { id: 'int', note: { type: 'varchar', length: 1000 } }, ['id']));
        await using sink = await openMysqlSink(`${side.url}/mark`, { order: 'transaction', partitions: [0] });
        await sink.prepare(rows.target);
        for (let batch = 0; batch < 4; batch++) {
          const many = Array.from({ length: 500 }, (_, i) =>
            rows.insert({ id: batch * 500 + i, note: 'x'.repeat(500) }),
          );
          await sink.write(batchOf(many, { endsTransaction: batch === 3 }));
        }
        await sink.truncate(rows.target, [{ partition: 0, serial: false, scn: 9_000_000_000 }]);
        await side.query("INSERT INTO mark.t VALUES (1, 'own')");
        const seen: string[] = [];
        const targetOf = ({ name }: { name: string }): SinkTarget | null => {
          seen.push(name);
          return null;
        };
        await replicate({ url: side.url, tables: ['mark.*'], from, ignoreOrigin: true }, sink, { targetOf });
        expect(seen).toEqual(['t']);
        seen.length = 0;
        await replicate({ url: side.url, tables: ['mark.*'], from }, sink, { targetOf });
        expect(seen.length).toBe(4001);
        expect(new Set(seen)).toEqual(new Set(['t']));
      }
    });
  });
});

async function place(server: TestServer): Promise<string> {
  const [row] = await server.query<{ File: string; Position: number }>(
    server.flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
  );
  return `${row?.File}:${row?.Position}`;
}
