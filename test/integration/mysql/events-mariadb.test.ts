import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENT } from '../../../src/sources/mysql/binlog/event-types.ts';
import type { GtidListEvent } from '../../../src/sources/mysql/binlog/gtid-list-event.ts';
import type { MariadbGtidEvent } from '../../../src/sources/mysql/binlog/mariadb-gtid-event.ts';
import { MARIADB_GTID_FLAG } from '../../../src/sources/mysql/binlog/mariadb-gtid-flags.ts';
import { formatXaId } from '../../../src/sources/mysql/binlog/xa-id.ts';
import { MariadbGtidPosition, formatMariadbGtid } from '../../../src/sources/mysql/gtid/mariadb-gtid.ts';
import { describeServer } from '../../support/servers/describe-server.ts';
import {
  type Decoded,
  type Shown,
  newestFile,
  ofKind,
  readBinlog,
  record,
  showEvents,
  shownQuery,
} from './recorded-events.ts';

// Reads the files that a running MariaDB wrote, and holds what is decoded against what the server itself says of them.

describeServer(
  'mariadb',
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

    function gtids(events: readonly Decoded[]): string[] {
      return events.flatMap(({ header, event }) =>
        event?.kind === 'mariadb-gtid' ? [formatMariadbGtid({ ...event, server: header.serverId })] : [],
      );
    }

    /** The server shows the list of GTIDs in another order than it writes it. */
    function sortedGtids(text: string): string {
      return text.split(',').toSorted().join();
    }

    function gtidList({ gtids: list }: GtidListEvent): string {
      return sortedGtids(list.map(formatMariadbGtid).join());
    }

    /** Each event against its line of SHOW BINLOG EVENTS, as far as that says the same in words. */
    function expectAsShown(events: readonly Decoded[], shown: readonly Shown[]): void {
      expect(events.map(({ offset }) => offset)).toEqual(shown.map(({ Pos }) => Pos));
      for (const [i, { header, event }] of events.entries()) {
        const { Event_type: type = '', Info: info = '' } = shown[i] ?? {};
        if (event === null) {
          expect(type).toMatch(/^(Table_map|(Write|Update|Delete)_rows)/);
          continue;
        }
        if (event.kind === 'mariadb-gtid') {
          const gtid = formatMariadbGtid({ ...event, server: header.serverId });
          expect(info).toContain(`GTID ${gtid}`);
          expect(info.startsWith('BEGIN')).toBe(
            (event.flags & MARIADB_GTID_FLAG.STANDALONE) === 0 && event.xid === null,
          );
          if (event.commitId !== null) expect(info).toContain(`cid=${event.commitId}`);
        } else if (event.kind === 'query') expect(info).toBe(shownQuery(event));
        else if (event.kind === 'xid') expect(info).toBe(`COMMIT /* xid=${event.xid} */`);
        else if (event.kind === 'gtid-list') expect(sortedGtids(info.slice(1, -1))).toBe(gtidList(event));
        else if (event.kind === 'annotate-rows') expect(info).toBe(event.statement.toString());
        else if (event.kind === 'binlog-checkpoint') expect(info).toBe(event.file);
        else if (event.kind === 'rotate') expect(info).toBe(`${event.file};pos=${event.position}`);
        else if (event.kind === 'xa-prepare') expect(info).toContain(`XA PREPARE ${formatXaId(event.xid)}`);
        else expect(event.kind).toBe('format-description');
      }
    }

    test('transactions, DDL, statements, savepoints and other engines are read as the server shows them', async () => {
      const { events, shown } = await record(server(), connection, [
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
      ]);
      expectAsShown(events, shown);
      expect(gtids(events)).toHaveLength(5);
    });

    test('the GTIDs of a file lead from the position at its start to the one at its end', async () => {
      const [before] = await server().query<{ position: string }>('SELECT @@gtid_binlog_pos AS position');
      const { events } = await record(server(), connection, [
        'CREATE TABLE g (id INT PRIMARY KEY)',
        'SET SESSION gtid_domain_id = 4',
        'INSERT INTO g VALUES (1)',
        'SET SESSION gtid_domain_id = 4294967295',
        'INSERT INTO g VALUES (2)',
        'SET SESSION gtid_domain_id = 0',
        'SET SESSION gtid_seq_no = 9007199254740993',
        'INSERT INTO g VALUES (3)',
      ]);
      const [list] = ofKind(events, 'gtid-list');
      let position = MariadbGtidPosition.of(list?.gtids ?? []);
      expect(position.toString()).toBe(MariadbGtidPosition.parse(before?.position ?? '').toString());

      const name = await newestFile(server());
      for (const { header, event } of events) {
        if (event?.kind === 'mariadb-gtid') position = position.with(event.domain, header.serverId, event.sequence);
        if (event?.kind !== 'xid') continue;
        const [row] = await server().query<{ position: string }>('SELECT BINLOG_GTID_POS(?, ?) AS position', [
          name,
          header.nextPosition,
        ]);
        expect(position.equals(MariadbGtidPosition.parse(row?.position ?? ''))).toBe(true);
      }
      const [after] = await server().query<{ position: string }>('SELECT @@gtid_binlog_pos AS position');
      expect(position.equals(MariadbGtidPosition.parse(after?.position ?? ''))).toBe(true);
      expect(position.get(0)?.sequence).toBe(9007199254740993n);
    });

    test('the list of GTIDs at the start of a file is a position, also when several servers wrote to a domain', async () => {
      await record(server(), connection, ['CREATE TABLE several (id INT PRIMARY KEY)']);
      for (const [id, serverId] of ['4000000001', '@@GLOBAL.server_id', '7', '4000000001', '7'].entries()) {
        const set = `SET SESSION server_id = ${serverId}`;
        const { events } = await record(server(), connection, [set, `INSERT INTO several VALUES (${id})`]);
        const next = await record(server(), connection, []);
        const [list] = ofKind(next.events, 'gtid-list');
        const position = MariadbGtidPosition.of(list?.gtids ?? []);
        const [row] = await server().query<{ position: string }>('SELECT @@gtid_binlog_pos AS position');
        expect(position.equals(MariadbGtidPosition.parse(row?.position ?? ''))).toBe(true);
        expect(gtids(events)).toEqual([formatMariadbGtid(position.get(0) ?? { domain: -1, server: 0, sequence: 0 })]);
      }
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
      ]);
      expectAsShown(events, shown);
      const one = "X'6f6e65',X'6272616e6368',7";
      const two = "X'00ff',X'',1";
      const xids = (flag: number): string[] =>
        ofKind(events, 'mariadb-gtid').flatMap(({ flags, xid }: MariadbGtidEvent) =>
          xid !== null && (flags & flag) !== 0 ? [formatXaId(xid)] : [],
        );
      expect(xids(MARIADB_GTID_FLAG.PREPARED_XA)).toEqual([one, two]);
      expect(xids(MARIADB_GTID_FLAG.COMPLETED_XA)).toEqual([one, two]);
      expect(ofKind(events, 'xa-prepare').map(({ xid }) => formatXaId(xid))).toEqual([one, two]);
      const ends = ofKind(events, 'query').map(({ query }) => query.toString());
      expect(ends).toEqual(expect.arrayContaining([`XA COMMIT ${one}`, `XA ROLLBACK ${two}`]));
    });

    test('compressed statements are read as the server shows them', async () => {
      await server().query('SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10');
      const { events, shown } = await record(server(), connection, [
        `CREATE TABLE comp (id INT PRIMARY KEY) COMMENT '${'größe '.repeat(100)}'`,
      ]);
      await server().query('SET GLOBAL log_bin_compress = OFF');
      expect(events.map(({ header }) => header.type)).toContain(EVENT.QUERY_COMPRESSED);
      expectAsShown(events, shown);
    });

    test('the transactions of a group commit have its id', async () => {
      await server().query('CREATE TABLE shop.grouped (id INT PRIMARY KEY)');
      // The server holds commits back until there are two of them.
      await server().query('SET GLOBAL binlog_commit_wait_count = 2, GLOBAL binlog_commit_wait_usec = 30000000');
      await connection.query('FLUSH BINARY LOGS');
      const name = await newestFile(server());
      const other = await server().connection({ database: 'shop' });
      await Promise.all([
        connection.query('INSERT INTO grouped VALUES (1)'),
        other.query('INSERT INTO grouped VALUES (2)'),
      ]);
      await other.end();
      await server().query('SET GLOBAL binlog_commit_wait_count = 0');
      const events = await readBinlog(server(), name);
      expectAsShown(events, await showEvents(server(), name));
      const ids = ofKind(events, 'mariadb-gtid').map(({ commitId }) => commitId);
      expect(ids).toHaveLength(2);
      expect(ids[0]).not.toBeNull();
      expect(ids[0]).toBe(ids[1]);
    });

    test('a two-phase ALTER TABLE says where it began', async () => {
      const { events, shown } = await record(server(), connection, [
        'CREATE TABLE alt (id INT PRIMARY KEY)',
        'SET SESSION binlog_alter_two_phase = ON',
        'ALTER TABLE alt ADD COLUMN v INT, ALGORITHM=COPY',
        'SET SESSION binlog_alter_two_phase = OFF',
      ]);
      expectAsShown(events, shown);
      const [, start, commit] = ofKind(events, 'mariadb-gtid');
      expect(commit?.startAlterSequence).toBe(start?.sequence);
      const variables = ofKind(events, 'query').map((query) => query.variables.startAlterSequence);
      expect(variables).toEqual([undefined, undefined, start?.sequence]);
    });

    test('the session of a statement is read back as it was set', async () => {
      const { events } = await record(server(), connection, [
        "SET SESSION time_zone = '+05:30', sql_mode = 'ANSI_QUOTES', lc_time_names = 'de_DE', timestamp = 1700000000.123456",
        'SET NAMES gbk',
        'CREATE TABLE "session" (id INT, t TIMESTAMP DEFAULT CURRENT_TIMESTAMP)',
        "SET SESSION time_zone = 'SYSTEM', sql_mode = DEFAULT, lc_time_names = DEFAULT, timestamp = DEFAULT",
        'SET NAMES utf8mb4',
      ]);
      const [ids] = await server().query<{ gbk: number }>(
        "SELECT ID AS gbk FROM information_schema.COLLATIONS WHERE COLLATION_NAME = 'gbk_chinese_ci'",
      );
      const [query] = ofKind(events, 'query');
      expect(query?.variables).toMatchObject({ clientCollation: ids?.gbk, connectionCollation: ids?.gbk, sqlMode: 4n });
      expect(query?.variables).not.toHaveProperty('unknownCode');
      expect(events.find(({ event }) => event?.kind === 'query')?.header.timestamp).toBe(1700000000);
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
