import { zstdDecompressSync } from 'node:zlib';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENT } from '../../../src/sources/mysql/binlog/event-types.ts';
import type { GtidEvent } from '../../../src/sources/mysql/binlog/gtid-event.ts';
import { formatXaId } from '../../../src/sources/mysql/binlog/xa-id.ts';
import { GtidTrail } from '../../../src/sources/mysql/gtid/gtid-trail.ts';
import { MysqlGtidSet } from '../../../src/sources/mysql/gtid/mysql-gtid-set.ts';
import { describeServer } from '../../support/servers/describe-server.ts';
import { type Decoded, type Shown, ofKind, record, shownQuery } from './recorded-events.ts';

// Reads the files that a running MySQL wrote, and holds what is decoded against what the server itself says of them.

describeServer(
  'mysql',
  'events in the files of a server',
  (server) => {
    let connection: Connection;

    beforeAll(async () => {
      await server().query('CREATE DATABASE shop');
      connection = await server().connection({ database: 'shop' });
    });

    afterAll(async () => {
      await connection.end();
    });

    async function executed(): Promise<string> {
      const [row] = await server().query<{ executed: string }>('SELECT @@gtid_executed AS executed');
      return row?.executed ?? '';
    }

    function shownGtid({ source, gno }: GtidEvent): string {
      return `SET @@SESSION.GTID_NEXT= '${source === '' ? 'ANONYMOUS' : `${source}:${gno}`}'`;
    }

    /** Each event against its line of SHOW BINLOG EVENTS, as far as that says the same in words. */
    function expectAsShown(events: readonly Decoded[], shown: readonly Shown[]): void {
      // The server lists what is inside a payload too, at the place behind it.
      const payloadEnds = events.flatMap(({ header, offset, event }) =>
        event?.kind === 'transaction-payload' ? [offset + header.length] : [],
      );
      const places = shown.map(({ Pos }) => Pos).filter((place) => !payloadEnds.includes(place));
      expect(events.map(({ offset }) => offset)).toEqual(places);
      for (const { offset, event } of events) {
        const { Event_type: type = '', Info: info = '' } = shown.find(({ Pos }) => Pos === offset) ?? {};
        if (event === null) {
          expect(type).toMatch(/^(Table_map|(Write|Update|Delete)_rows)/);
          continue;
        }
        if (event.kind === 'gtid') expect(info).toBe(shownGtid(event));
        else if (event.kind === 'query') expect(info.replace(/ \/\* xid=\d+ \*\/$/, '')).toBe(shownQuery(event));
        else if (event.kind === 'xid') expect(info).toBe(`COMMIT /* xid=${event.xid} */`);
        else if (event.kind === 'previous-gtids') expect(info).toBe(event.executed.toServerText());
        else if (event.kind === 'rows-query') expect(info).toBe(`# ${event.statement.toString()}`);
        else if (event.kind === 'rotate') expect(info).toBe(`${event.file};pos=${event.position}`);
        else if (event.kind === 'xa-prepare') {
          expect(info).toBe(
            `XA ${event.onePhase ? 'COMMIT' : 'PREPARE'} ${formatXaId(event.xid)}${event.onePhase ? ' ONE PHASE' : ''}`,
          );
        } else if (event.kind === 'transaction-payload') {
          expect(info).toBe(`compression='ZSTD', decompressed_size=${event.uncompressedLength} bytes`);
        } else expect(event.kind).toBe('format-description');
      }
    }

    test('transactions, DDL, other engines and the rows’ statements are read as the server shows them', async () => {
      const { events, shown } = await record(server(), connection, [
        'SET SESSION binlog_rows_query_log_events = ON',
        'CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))',
        "INSERT INTO t VALUES (1, 'ü'), (2, NULL)",
        'BEGIN',
        "UPDATE t SET v = 'x'",
        'SAVEPOINT s',
        'DELETE FROM t WHERE id = 2',
        'ROLLBACK TO s',
        'COMMIT',
        'CREATE TABLE my (id INT) ENGINE=MyISAM',
        'INSERT INTO my VALUES (1)',
        'SET SESSION binlog_rows_query_log_events = OFF',
      ]);
      expectAsShown(events, shown);
      // Not the DELETE, which was rolled back.
      expect(ofKind(events, 'rows-query')).toHaveLength(3);
    });

    test('tagged and untagged GTIDs add up to gtid_executed, and the next file begins with them', async () => {
      const before = await executed();
      const uuid = 'aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb';
      const { events, shown } = await record(server(), connection, [
        'CREATE TABLE g (id INT PRIMARY KEY)',
        "SET gtid_next = 'AUTOMATIC:tag1'",
        'INSERT INTO g VALUES (1)',
        'INSERT INTO g VALUES (2)',
        `SET gtid_next = '${uuid}:3'`,
        'INSERT INTO g VALUES (3)',
        `SET gtid_next = '${uuid}:another_tag:9007199254740993'`,
        'INSERT INTO g VALUES (4)',
        `SET gtid_next = '${uuid}:9223372036854775806'`,
        'INSERT INTO g VALUES (5)',
        "SET gtid_next = 'AUTOMATIC'",
        'INSERT INTO g VALUES (6)',
      ]);
      expectAsShown(events, shown);
      const [previous] = ofKind(events, 'previous-gtids');
      expect(previous?.executed.toServerText()).toBe(before);
      let trail = GtidTrail.from(previous?.executed ?? MysqlGtidSet.EMPTY);
      for (const { source, gno } of ofKind(events, 'gtid')) trail = trail.add(source, gno);
      const now = await executed();
      expect(trail.toSet().toServerText()).toBe(now);
      expect(MysqlGtidSet.parse(now).toServerText()).toBe(now);

      const next = await record(server(), connection, []);
      const [body] = next.events
        .filter(({ header }) => header.type === EVENT.PREVIOUS_GTIDS)
        .map((event) => event.body);
      expect(MysqlGtidSet.parse(now).encode()).toEqual(body);
    });

    test('the set algebra agrees with the server’s own functions', async () => {
      const a = MysqlGtidSet.parse(
        'aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb:1-10:20-30:t:5,cccccccc-0000-1111-2222-bbbbbbbbbbbb:1',
      );
      const b = MysqlGtidSet.parse(
        'aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb:3-4:10-21:t:1-9,cccccccc-0000-1111-2222-bbbbbbbbbbbb:7',
      );
      const [row] = await server().query<{ subtracted: string; subset: number }>(
        'SELECT GTID_SUBTRACT(?, ?) AS subtracted, GTID_SUBSET(?, ?) AS subset',
        [a.toString(), b.toString(), a.toString(), a.union(b).toString()],
      );
      expect(a.subtract(b).toServerText()).toBe(row?.subtracted);
      expect(a.union(b).contains(a)).toBe(row?.subset === 1);
    });

    test('the times, versions and lengths of a transaction are those of the server', async () => {
      const { events } = await record(server(), connection, [
        'CREATE TABLE times (id INT PRIMARY KEY)',
        'SET SESSION original_commit_timestamp = 1234567890123456',
        'INSERT INTO times VALUES (1)',
        'SET SESSION original_commit_timestamp = DEFAULT',
        "SET gtid_next = 'AUTOMATIC:tag1'",
        'INSERT INTO times VALUES (2)',
        "SET gtid_next = 'AUTOMATIC'",
      ]);
      const [major = 0, minor = 0, patch = 0] = server().version.split(/\D+/).map(Number);
      const gtids = ofKind(events, 'gtid');
      expect(gtids).toHaveLength(3);
      expect(gtids.map((gtid) => gtid.immediateServerVersion)).toEqual(
        gtids.map(() => major * 10_000 + minor * 100 + patch),
      );
      expect(gtids[1]?.originalCommitUs).toBe(1234567890123456);
      expect(gtids[2]?.originalCommitUs).toBe(gtids[2]?.immediateCommitUs);
      const starts = events.filter(({ event }) => event?.kind === 'gtid').map(({ offset }) => offset);
      const last = events.at(-1);
      const ends = [...starts.slice(1), (last?.offset ?? 0) + (last?.header.length ?? 0)];
      expect(gtids.map(({ transactionLength }) => transactionLength)).toEqual(
        ends.map((end, i) => end - (starts[i] ?? 0)),
      );
      const nowUs = Date.now() * 1000;
      for (const { immediateCommitUs } of gtids) expect(Math.abs((immediateCommitUs ?? 0) - nowUs)).toBeLessThan(600e6);
    });

    test('XA transactions name themselves alike where they are prepared and where they end', async () => {
      const { events, shown } = await record(server(), connection, [
        'CREATE TABLE xa (id INT PRIMARY KEY)',
        ...["XA START 'one', 'branch', 7", 'INSERT INTO xa VALUES (1)', "XA END 'one', 'branch', 7"],
        ...["XA PREPARE 'one', 'branch', 7", "XA COMMIT 'one', 'branch', 7"],
        ...[
          "XA START x'00ff'",
          'INSERT INTO xa VALUES (2)',
          "XA END x'00ff'",
          "XA PREPARE x'00ff'",
          "XA ROLLBACK x'00ff'",
        ],
        ...["XA START 'three'", 'INSERT INTO xa VALUES (3)', "XA END 'three'", "XA COMMIT 'three' ONE PHASE"],
      ]);
      expectAsShown(events, shown);
      const one = "X'6f6e65',X'6272616e6368',7";
      const two = "X'00ff',X'',1";
      expect(ofKind(events, 'xa-prepare').map(({ onePhase, xid }) => [formatXaId(xid), onePhase])).toEqual([
        [one, false],
        [two, false],
        ["X'7468726565',X'',1", true],
      ]);
      const statements = ofKind(events, 'query').map(({ query }) => query.toString());
      expect(statements).toEqual(expect.arrayContaining([`XA START ${one}`, `XA COMMIT ${one}`, `XA ROLLBACK ${two}`]));
    });

    test('a transaction payload lies where the event says', async () => {
      const { events, shown } = await record(server(), connection, [
        'CREATE TABLE pay (id INT PRIMARY KEY, v LONGTEXT)',
        'SET SESSION binlog_transaction_compression = ON',
        "INSERT INTO pay VALUES (1, REPEAT('a', 100000))",
        'SET SESSION binlog_transaction_compression = OFF',
      ]);
      expectAsShown(events, shown);
      const [payload] = ofKind(events, 'transaction-payload');
      expect(payload?.compression).toBe('zstd');
      expect(payload?.uncompressedLength).toBeGreaterThan(100_000);
      const inside = zstdDecompressSync(payload?.payload ?? Buffer.alloc(0));
      expect(inside).toHaveLength(payload?.uncompressedLength ?? 0);
      expect(inside.readUInt8(4)).toBe(EVENT.QUERY); // the BEGIN
    });

    test('without GTIDs transactions are anonymous', async () => {
      await server().query('SET GLOBAL gtid_mode = ON_PERMISSIVE');
      const { events, shown } = await record(server(), connection, [
        ...["SET gtid_next = 'ANONYMOUS'", 'CREATE TABLE anonymous (id INT PRIMARY KEY)'],
        ...["SET gtid_next = 'ANONYMOUS'", 'INSERT INTO anonymous VALUES (1)', "SET gtid_next = 'AUTOMATIC'"],
      ]);
      await server().query('SET GLOBAL gtid_mode = ON');
      expectAsShown(events, shown);
      expect(ofKind(events, 'gtid').map(({ source, gno }) => [source, gno])).toEqual([
        ['', 0],
        ['', 0],
      ]);
    });

    test('without checksums a file is read just so', async () => {
      await server().query('SET GLOBAL binlog_checksum = NONE');
      const { events, shown } = await record(server(), connection, [
        'CREATE TABLE plain (id INT PRIMARY KEY)',
        'INSERT INTO plain VALUES (1)',
      ]);
      await server().query('SET GLOBAL binlog_checksum = CRC32');
      expect(events[0]?.format.checksum).toBe('none');
      expectAsShown(events, shown);
    });
  },
  { owned: true },
);
