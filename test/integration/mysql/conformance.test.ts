import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import {
  sourceConformance,
  type ConformanceWrite,
  type SourceHarness,
} from '../../../src/testing/source-conformance.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { killDumps, presentPosition } from './source-reading.ts';

const ROWS_PER_STATEMENT = 500;

/** Consecutive inserts in statements of many rows, as their order is the same. */
function statements(changes: readonly ConformanceWrite[]): string[] {
  const result: string[] = [];
  let values: string[] = [];
  const flush = (): void => {
    if (values.length > 0) result.push(`INSERT INTO notes VALUES ${values.join(',')}`);
    values = [];
  };
  for (const { kind, id, note } of changes) {
    if (kind === 'insert') {
      values.push(`(${id}, '${note}')`);
      if (values.length === ROWS_PER_STATEMENT) flush();
      continue;
    }
    flush();
    result.push(
      kind === 'update' ? `UPDATE notes SET note = '${note}' WHERE id = ${id}` : `DELETE FROM notes WHERE id = ${id}`,
    );
  }
  flush();
  return result;
}

function harnessOf(server: TestServer, writer: Connection, from: 'place' | 'gtids'): SourceHarness {
  // What a spoilt stretch of the binlog holds can only be passed over, not taken back.
  let statementChanges: 'stop' | 'report' = 'stop';
  return {
    async create(position) {
      return new MysqlSource({
        url: `mysql://reader:secret@${server.host}:${server.port}/conformance`,
        tables: ['notes'],
        from: position ?? (await presentPosition(server))[from],
        reconnect: { delayMinMs: 10, delayMaxMs: 100 },
        // How soon the server notices that a reader has gone.
        heartbeatMs: 200,
        statementChanges,
      });
    },
    async write(changes) {
      await writer.beginTransaction();
      for (const statement of statements(changes)) await writer.query(statement);
      await writer.commit();
    },
    async cutConnection() {
      await expect.poll(() => killDumps(server)).toBeGreaterThan(0);
    },
    async spoil() {
      statementChanges = 'stop';
      await writer.query('SET SESSION binlog_format = STATEMENT');
      await writer.query('DELETE FROM notes WHERE id = 0');
      await writer.query(
        'UPDATE notes SET note = CONCAT(note, note) WHERE id = (SELECT MAX(id) FROM (SELECT id FROM notes) AS n)',
      );
      await writer.query('SET SESSION binlog_format = ROW');
    },
    async repair() {
      statementChanges = 'report';
    },
    async openConnections() {
      // The server notices that a reader has gone when it next wants to send it something.
      const count = async (): Promise<number> =>
        (await server.query("SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'reader'")).length;
      await expect.poll(count, { timeout: 5000 }).toBe(0);
      return await count();
    },
  };
}

for (const from of ['gtids', 'place'] as const) {
  describeServers(['mariadb', 'mysql'], `MysqlSource keeps the contract, positions are ${from}`, (server) => {
    let writer: Connection;
    let harness: SourceHarness;

    beforeAll(async () => {
      await server().query(`
        CREATE DATABASE conformance; CREATE TABLE conformance.notes (id INT PRIMARY KEY, note TEXT) CHARSET utf8mb4;
        CREATE USER reader@'%' IDENTIFIED BY 'secret';
        GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader@'%'`);
      if (server().flavour === 'mariadb') await server().query("GRANT BINLOG MONITOR ON *.* TO reader@'%'");
      writer = await server().connection({ database: 'conformance' });
      harness = harnessOf(server(), writer, from);
    });

    afterAll(() => {
      writer.destroy();
    });

    // The names do not depend on the harness; what the checks do waits for the server.
    const late: SourceHarness = {
      create: (position) => harness.create(position),
      write: (changes) => harness.write(changes),
      cutConnection: () => harness.cutConnection?.() ?? Promise.resolve(),
      spoil: () => harness.spoil?.() ?? Promise.resolve(),
      repair: () => harness.repair?.() ?? Promise.resolve(),
      openConnections: () => harness.openConnections?.() ?? 0,
    };
    for (const check of sourceConformance(late)) test(`the contract: ${check.name}`, () => check.run());
  });
}
