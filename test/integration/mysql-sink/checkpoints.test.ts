import { expect, test } from 'vitest';
import type { SinkCheckpoint } from '../../../src/core/sink.ts';
import { tableOf } from '../../../src/testing/tables.ts';
import { FaultProxy } from '../../support/fault-proxy.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

describeServers(['mariadb', 'mysql'], 'checkpoints in MySQL', (server) => {
  let number = 0;
  const fresh = async (): Promise<{ db: string; url: string; rows: RowsOf }> => {
    const db = `checkpoints_${++number}`;
    await server().query(`CREATE DATABASE ${db}; CREATE TABLE ${db}.log (what VARCHAR(20), n INT)`);
    // Without a key an insert that is written twice is there twice.
    const rows = new RowsOf(tableOf(`${db}.log`, { what: { type: 'varchar', length: 20 }, n: 'int' }));
    return { db, url: `${server().url}/${db}`, rows };
  };
  const count = async (db: string): Promise<unknown> =>
    (await server().query(`SELECT COUNT(*) AS n, COUNT(DISTINCT n) AS d FROM ${db}.log`))[0];

  test('move with the rows, one per partition and kind of lane, and are what the next claim returns', async () => {
    const { url, rows } = await fresh();
    await using sink = await openMysqlSink(url);
    await sink.prepare(rows.target);
    const written = [0, 1, 2].map((n) => rows.insert({ what: 'x', n }));
    const [a, b] = [written[0]?.scn ?? 0, written[2]?.scn ?? 0];
    await sink.write(
      batchOf(written, {
        checkpoints: [
          { partition: 1, serial: false, scn: a },
          { partition: 3, serial: false, scn: b },
        ],
      }),
    );
    await sink.write(
      batchOf([rows.insert({ what: 'y', n: 4 })], {
        lane: 'serial',
        checkpoints: [{ partition: 1, serial: true, scn: b + 1 }],
      }),
    );
    await using next = await openMysqlSink(url, { partitions: [] });
    expect(moved(await next.claim([0, 1, 2]))).toEqual([
      { partition: 1, serial: false, scn: a },
      { partition: 3, serial: false, scn: b },
      { partition: 1, serial: true, scn: b + 1 },
    ]);
  });

  test('that another process has claimed fence this one: it writes nothing more, and the other goes on', async () => {
    const { db, url, rows } = await fresh();
    await using first = await openMysqlSink(url);
    await first.prepare(rows.target);
    await first.write(batchOf([rows.insert({ what: 'first', n: 1 })]));
    await using second = await openMysqlSink(url, { partitions: [] });
    await second.prepare(rows.target);
    await second.claim([0]);
    await expect(first.write(batchOf([rows.insert({ what: 'first', n: 2 })]))).rejects.toMatchObject({
      code: 'SINK_FENCED',
    });
    await expect(
      first.write(batchOf([rows.insert({ what: 'first', n: 2 })], { checkpoints: [] })),
    ).rejects.toMatchObject({ code: 'SINK_FENCED' });
    await second.write(batchOf([rows.insert({ what: 'second', n: 3 })]));
    // What was not taken over is still its own.
    await first.write(batchOf([rows.insert({ what: 'first', n: 4 })], { partition: 1 }));
    expect(await server().query(`SELECT n FROM ${db}.log ORDER BY n`)).toEqual([{ n: 1 }, { n: 3 }, { n: 4 }]);
    await expect(first.truncate(rows.target, [{ partition: 0, serial: false, scn: 9 }])).rejects.toMatchObject({
      code: 'SINK_FENCED',
    });
  });

  test('of another stream are refused, and those of another sink are not touched', async () => {
    const { db, url } = await fresh();
    await using sink = await openMysqlSink(url);
    await server().query(`UPDATE ${db}._tidings_checkpoint SET stream = 'other'`);
    await expect(sink.claim([0])).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' });
    await using beside = await openMysqlSink(url, { name: 'beside' });
    expect(moved(await beside.claim([0]))).toEqual([]);
  });

  // Cut behind each byte that the server answers: before, within and behind the answer to COMMIT.
  test('tell a commit whose answer was lost from one that never was: the batch is in the target once', async () => {
    const { db, rows } = await fresh();
    await using proxy = await FaultProxy.start({ host: server().host, port: server().port });
    await using sink = await openMysqlSink(proxy.url() + `/${db}`);
    await sink.prepare(rows.target);
    await sink.write(batchOf([rows.insert({ what: 'x', n: 0 })]));
    const lane = proxy.connections.at(-1);
    if (lane === undefined) throw new Error('no connection of a lane');
    const before = lane.bytesPassed;
    await sink.write(batchOf([rows.insert({ what: 'x', n: -1 })]));
    const perBatch = lane.bytesPassed - before;
    expect(perBatch).toBeGreaterThan(10);
    let n = 1;
    for (let cut = 0; cut <= perBatch; cut++) {
      const batch = batchOf([rows.insert({ what: 'x', n: n++ })]);
      const connections = proxy.connections.length;
      // The lane's next connection ends so many bytes into the answers to this batch: its set-up is as long as always.
      const setUp = before - perBatch;
      proxy.script = (i) => (i === connections ? { afterBytes: setUp + cut } : {});
      proxy.connections.at(-1)?.end('close');
      await writeUntilDone(sink, batch);
    }
    expect(await count(db)).toEqual({ n: n + 1, d: n + 1 });
  });

  async function writeUntilDone(
    sink: Awaited<ReturnType<typeof openMysqlSink>>,
    batch: Parameters<typeof sink.write>[0],
  ): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        await sink.write(batch);
        return;
      } catch (error) {
        expect(error).toMatchObject({ retry: 'reconnect' });
      }
    }
    throw new Error('the batch was never written');
  }

  test('are neither moved nor seen in part while a transaction of the source goes on over batches, and the transaction survives its connection', async () => {
    const { db, url, rows } = await fresh();
    await using sink = await openMysqlSink(url, { order: 'transaction', partitions: [0] });
    await sink.prepare(rows.target);
    await sink.write(batchOf([rows.insert({ what: 't', n: 1 })], { endsTransaction: false }));
    await sink.write(batchOf([rows.insert({ what: 't', n: 2 })], { endsTransaction: false }));
    expect(await count(db)).toMatchObject({ n: 0 });
    const [session] = await server().query<{ id: number }>(
      "SELECT MAX(id) AS id FROM information_schema.PROCESSLIST WHERE command = 'Sleep' AND id <> CONNECTION_ID()",
    );
    await server().query(`KILL ${session?.id}`);
    const last = batchOf([rows.insert({ what: 't', n: 3 })]);
    await writeUntilDone(sink, last);
    expect(await count(db)).toEqual({ n: 3, d: 3 });
    await using next = await openMysqlSink(url, { partitions: [] });
    expect(moved(await next.claim([0]))).toEqual(last.checkpoints);
  });

  test('move with a truncation, and only once', async () => {
    const { db, url, rows } = await fresh();
    await using sink = await openMysqlSink(url);
    await sink.prepare(rows.target);
    await sink.write(batchOf([rows.insert({ what: 'x', n: 1 })]));
    const at = [
      { partition: 0, serial: false, scn: 1_000_000 },
      { partition: 0, serial: true, scn: 1_000_000 },
    ];
    await sink.truncate(rows.target, at);
    expect(await count(db)).toEqual({ n: 0, d: 0 });
    await sink.write(
      batchOf([rows.insert({ what: 'x', n: 2 })], { checkpoints: [{ partition: 0, serial: false, scn: 1_000_001 }] }),
    );
    await using next = await openMysqlSink(url, { partitions: [] });
    expect(moved(await next.claim([0]))).toEqual([
      { partition: 0, serial: false, scn: 1_000_001 },
      { partition: 0, serial: true, scn: 1_000_000 },
    ]);
    await expect(sink.truncate(rows.target, at)).rejects.toMatchObject({ code: 'SINK_FENCED' });
    expect(await count(db)).toEqual({ n: 1, d: 1 });
  });
});

/** Those that say something. The others only say that the partition was claimed. */
function moved(checkpoints: readonly SinkCheckpoint[]): readonly SinkCheckpoint[] {
  return checkpoints.filter(({ scn }) => scn > 0);
}
