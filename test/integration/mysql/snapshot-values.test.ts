import { expect, test } from 'vitest';
import type { Row } from '../../../src/core/change.ts';
import type { RowBatch } from '../../../src/core/source.ts';
import { parseVersion } from '../../../src/drivers/mysql/server-version.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { wrongRows } from '../../support/rows/check-rows.ts';
import { RowBuffer } from '../../support/rows/row-buffer.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openReader, readChunk, takeRows } from './snapshot-reading.ts';
import { inDatabase, presentPosition, withConnection } from './source-reading.ts';

interface Taken {
  readonly rows: readonly Row[];
  /** In the log's form: partition hash and bytes. */
  readonly written: readonly string[];
}

function take(batch: RowBatch): Taken {
  expect(wrongRows(batch)).toEqual([]);
  const target = new RowBuffer();
  batch.writeTo(target);
  return {
    rows: batch.rows().after ?? [],
    written: target.finish().map(({ avro, hash }) => `${hash} ${avro.toString('hex')}`),
  };
}

/** What the stream has of the table's rows, which were inserted and not touched again. */
async function streamed(server: TestServer, table: string, from: string): Promise<Taken> {
  const source = new MysqlSource({ url: server.url, tables: [table], from, until: 'now' });
  const rows: Row[] = [];
  const written: string[] = [];
  for await (const { parts } of source.batches()) {
    for (const entry of parts.flatMap(({ entries }) => entries)) {
      if (entry.type !== 'rows') continue;
      expect(entry.kind).toBe('insert');
      const taken = take(entry);
      rows.push(...taken.rows);
      written.push(...taken.written);
    }
  }
  return { rows, written };
}

async function snapshot(server: TestServer, database: string, table: string): Promise<Taken> {
  const reader = openReader(server, { tables: [`${database}.*`] });
  try {
    const chunk = await readChunk(server, reader, { database, table, bytes: 2 ** 30 });
    expect(chunk.next).toBeNull();
    const [batch] = chunk.rows(new Set());
    if (batch === undefined) throw new Error('the chunk has no rows');
    const taken = take(batch);
    chunk.release();
    return taken;
  } finally {
    await reader.close();
  }
}

interface Case {
  readonly name: string;
  /** Of the table `t`; statements behind it insert rows in the order of its key. */
  readonly statements: readonly string[];
  /** The rows as they must be, as far as that is told here. */
  readonly rows: readonly Row[] | ((version: number) => readonly Row[]);
  readonly only?: ServerFlavour;
  /** The version that has it first. */
  readonly since?: number;
  /** Columns of the stream's rows that a snapshot cannot read. */
  readonly hidden?: readonly string[];
}

/** The first MariaDB whose TIMESTAMP ends in 2106, not in 2038. */
const MARIADB_2106 = 110_500;
const MARIADB_VECTOR = 110_700;

const CASES: readonly Case[] = [
  {
    name: 'numbers that SELECT pads with zeros',
    statements: [
      'CREATE TABLE t (id INT(200) UNSIGNED ZEROFILL PRIMARY KEY, b BIGINT(255) UNSIGNED ZEROFILL, d DECIMAL(12,3) ZEROFILL, f FLOAT ZEROFILL, fm FLOAT(10,3) ZEROFILL, o DOUBLE ZEROFILL)',
      'INSERT INTO t VALUES (1, 18446744073709551615, 0, 0.5, 1.5, 1e300), (2, 0, 1.5, 0, 0, 0), (4294967295, 7, 999999999.999, 1e30, 99.125, 0.25)',
    ],
    rows: [
      { id: 1, b: 2n ** 64n - 1n, d: '0.000', f: 0.5, fm: 1.5, o: 1e300 },
      { id: 2, b: 0, d: '1.500', f: 0, fm: 0, o: 0 },
      { id: 4_294_967_295, b: 7, d: '999999999.999', f: 1e30, fm: 99.125, o: 0.25 },
    ],
  },
  {
    name: 'FLOAT and DOUBLE to their ends',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, f FLOAT, d DOUBLE, fm FLOAT(20,6), dm DOUBLE(30,4))',
      'INSERT INTO t VALUES (1, 0.1, 0.1, 0.1, 0.1), (2, 3.402823466e38, 1.7976931348623157e308, 1e10, 1e15), (3, 1.4e-45, 5e-324, 0, 0), (4, -16777217, -2.2250738585072014e-308, -0.000001, -123456789012.3456)',
    ],
    rows: [
      { id: 1, f: 0.1, d: 0.1, fm: 0.1, dm: 0.1 },
      { id: 2, f: 3.402_823_5e38, d: Number.MAX_VALUE, fm: 1e10, dm: 1e15 },
      { id: 3, f: 1e-45, d: 5e-324, fm: 0, dm: 0 },
      { id: 4, f: -16_777_216, d: -2.225_073_858_507_201_4e-308, fm: -0.000_001, dm: -123_456_789_012.3456 },
    ],
  },
  {
    name: 'minus zero',
    only: 'mysql',
    statements: ['CREATE TABLE t (id DOUBLE PRIMARY KEY, f FLOAT)', 'INSERT INTO t VALUES (-0e0, -0e0)'],
    rows: [{ id: -0, f: -0 }],
  },
  {
    name: 'dates and times that no calendar has',
    statements: [
      "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+03:00'",
      'CREATE TABLE t (id DATE PRIMARY KEY, dt DATETIME(2), ts TIMESTAMP(4) NULL, ti TIME(6), y YEAR)',
      "INSERT INTO t VALUES ('0000-00-00', '0000-00-00', '0000-00-00', '-838:59:59', 0), ('2026-00-10', '2026-02-31 23:59:59.99', '1970-01-01 03:00:01', '838:59:59', 2155), ('2026-02-31', '9999-12-31 23:59:59.99', '2038-01-19 06:14:07.9999', '-00:00:00.000001', 1901)",
    ],
    rows: [
      {
        id: '0000-00-00',
        dt: '0000-00-00 00:00:00.00',
        ts: '0000-00-00T00:00:00.0000Z',
        ti: '-838:59:59.000000',
        y: 0,
      },
      {
        id: '2026-00-10',
        dt: '2026-02-31 23:59:59.99',
        ts: '1970-01-01T00:00:01.0000Z',
        ti: '838:59:59.000000',
        y: 2155,
      },
      {
        id: '2026-02-31',
        dt: '9999-12-31 23:59:59.99',
        ts: '2038-01-19T03:14:07.9999Z',
        ti: '-00:00:00.000001',
        y: 1901,
      },
    ],
  },
  {
    name: 'text and bytes with spaces and zeros at their end',
    statements: [
      "CREATE TABLE t (id VARBINARY(5) PRIMARY KEY, c CHAR(5), v VARCHAR(5), b BINARY(5), e ENUM('x','', 'y') CHARACTER SET utf16, s SET('a','b') CHARACTER SET cp1251, bit BIT(63)) CHARACTER SET gbk",
      "SET sql_mode = ''",
      "INSERT INTO t VALUES (X'00', 'a ', 'a ', 'a', 0, '', 0), (X'0000', '', ' ', '', 1, 'a,b', b'1'), (X'61', _utf8mb4 X'E4B8AD', _utf8mb4 X'E4B8AD20', X'6100', 2, 'b', 0x7fffffffffffffff)",
    ],
    rows: [
      { id: new Uint8Array([0]), c: 'a', v: 'a ', b: new Uint8Array([0x61, 0, 0, 0, 0]), e: '', s: '', bit: 0 },
      { id: new Uint8Array([0, 0]), c: '', v: ' ', b: new Uint8Array(5), e: 'x', s: 'a,b', bit: 1 },
      {
        id: new Uint8Array([0x61]),
        c: '中',
        v: '中 ',
        b: new Uint8Array([0x61, 0, 0, 0, 0]),
        e: '',
        s: 'b',
        bit: 2n ** 63n - 1n,
      },
    ],
  },
  {
    name: 'generated and invisible columns, and names that need quotes',
    statements: [
      "CREATE TABLE t (id INT PRIMARY KEY, `a``b \"c'd\\\\` INT INVISIBLE DEFAULT 5, virt INT GENERATED ALWAYS AS (id * 2) VIRTUAL, stor VARCHAR(20) GENERATED ALWAYS AS (CONCAT('x', id)) STORED, `select` INT, KEY (virt))",
      'INSERT INTO t (id) VALUES (1), (2)',
    ],
    rows: [
      { id: 1, 'a`b "c\'d\\\\': 5, virt: 2, stor: 'x1', select: null },
      { id: 2, 'a`b "c\'d\\\\': 5, virt: 4, stor: 'x2', select: null },
    ],
  },
  {
    name: 'values whose length takes one, three and four bytes',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB, c LONGTEXT CHARACTER SET latin1)',
      "INSERT INTO t VALUES (1, REPEAT(X'61', 65535), REPEAT('a', 251)), (2, REPEAT(X'ff', 70000), REPEAT(_latin1 X'e9', 300)), (3, '', '')",
    ],
    rows: [],
  },
  {
    name: 'JSON documents',
    only: 'mysql',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, j JSON)',
      `INSERT INTO t VALUES (1, '{"b": 1, "aa": [1.0, 1e100, -0.0, "é\\\\u0000\\\\"", null, true]}'), (2, JSON_ARRAY(CAST('12.340' AS DECIMAL(10,3)), CAST('-10:00:00.5' AS TIME(1)), x'00ff', 18446744073709551615, NOW())), (3, 'null'), (4, NULL)`,
    ],
    rows: [],
  },
  {
    name: 'VECTOR, and GEOMETRY with a system of reference',
    only: 'mysql',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, v VECTOR(3), g GEOMETRY)',
      "INSERT INTO t VALUES (1, STRING_TO_VECTOR('[1,-0.5,3e38]'), ST_GeomFromText('POINT(1 2)', 4326)), (2, NULL, NULL)",
    ],
    rows: [],
  },
  {
    name: 'UUID, INET and compressed columns',
    only: 'mariadb',
    statements: [
      'CREATE TABLE t (id UUID, i4 INET4, i6 INET6, c TEXT COMPRESSED, b BLOB COMPRESSED, PRIMARY KEY (id, i6))',
      "INSERT INTO t VALUES ('00000000-0000-0000-0000-000000000001', '0.0.0.0', '::', REPEAT('x', 1000), ''), ('f47ac10b-58cc-1372-a567-0e02b2c3d479', '255.1.2.3', '::ffff:1.2.3.4', '', REPEAT(X'00', 300))",
    ],
    rows: [
      { id: '00000000-0000-0000-0000-000000000001', i4: '0.0.0.0', i6: '::', c: 'x'.repeat(1000), b: new Uint8Array() },
      {
        id: 'f47ac10b-58cc-1372-a567-0e02b2c3d479',
        i4: '255.1.2.3',
        i6: '::ffff:1.2.3.4',
        c: '',
        b: new Uint8Array(300),
      },
    ],
  },
  {
    name: 'YEAR(2)',
    only: 'mariadb',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, y YEAR(2))',
      'INSERT INTO t VALUES (1, 70), (2, 1999), (3, 2000), (4, 69)',
    ],
    rows: [{ id: 1, y: 1970 }, { id: 2, y: 1999 }, { id: 3, y: 2000 }, { id: 4, y: 2069 }], // prettier-ignore
  },
  {
    name: 'rows of a system-versioned table',
    only: 'mariadb',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING',
      "SET timestamp = 1795166102.5, time_zone = '+02:00'",
      'INSERT INTO t VALUES (1, 10), (2, 20)',
    ],
    rows: (version) =>
      [1, 2].map((id) => ({
        id,
        v: id * 10,
        row_start: '2026-11-20T09:15:02.500000Z',
        row_end: version < MARIADB_2106 ? '2038-01-19T03:14:07.999999Z' : '2106-02-07T06:28:15.999999Z',
      })),
  },
  {
    name: 'instants after 2038',
    only: 'mariadb',
    since: MARIADB_2106,
    statements: [
      'CREATE TABLE t (s TIMESTAMP(3) PRIMARY KEY, m TIMESTAMP)',
      "SET time_zone = '+03:00'",
      "INSERT INTO t VALUES ('2038-01-19 06:14:08', '2038-01-19 06:14:07'), ('2106-02-07 09:28:15.999', '2072-02-29 23:59:59')",
    ],
    rows: [
      { s: '2038-01-19T03:14:08.000Z', m: '2038-01-19T03:14:07Z' },
      { s: '2106-02-07T06:28:15.999Z', m: '2072-02-29T20:59:59Z' },
    ],
  },
  {
    name: 'VECTOR of MariaDB',
    only: 'mariadb',
    since: MARIADB_VECTOR,
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, v VECTOR(3) NOT NULL, w VECTOR(1), VECTOR INDEX (v))',
      "INSERT INTO t VALUES (1, VEC_FromText('[1, -2.5, 3e-5]'), VEC_FromText('[0.1]')), (2, x'0000008000000000ffff7f5f', NULL)",
    ],
    rows: [
      { id: 1, v: Float32Array.of(1, -2.5, 3e-5), w: Float32Array.of(0.1) },
      { id: 2, v: Float32Array.of(-0, 0, 18_446_742_974_197_923_840), w: null },
    ],
  },
  {
    name: 'rows of a table with a UNIQUE key that is hashed, but for the hash',
    only: 'mariadb',
    statements: ['CREATE TABLE t (id INT PRIMARY KEY, v TEXT, UNIQUE (v))', "INSERT INTO t VALUES (1, 'a'), (2, NULL)"],
    rows: [{ id: 1, v: 'a' }, { id: 2, v: null }], // prettier-ignore
    hidden: ['DB_ROW_HASH_1'],
  },
];

describeServers(['mariadb', 'mysql'], 'a snapshot has, to the byte, what the stream has:', (server, flavour) => {
  const cases = CASES.filter(({ only = flavour }) => only === flavour).map((given) => [given.name, given] as const);

  test.for(cases)('%s', async ([, { statements, rows: given, since = 0, hidden = [] }], { skip }) => {
    const version = parseVersion(server().version);
    skip(version < since, `not in ${server().version}`);
    const rows = typeof given === 'function' ? given(version) : given;
    const database = await inDatabase(server(), []);
    const { place } = await presentPosition(server());
    await withConnection(server(), database, async (connection) => {
      for (const sql of statements) await connection.query(sql);
    });
    const stream = await streamed(server(), `${database}.t`, place);
    const read = await snapshot(server(), database, 't');
    expect(stream.rows.length).toBeGreaterThan(0);
    const shown = stream.rows.map((row) =>
      Object.fromEntries(Object.entries(row).filter(([column]) => !hidden.includes(column))),
    );
    expect(read.rows).toEqual(shown);
    expect(read.rows).toEqual(rows.length === 0 ? read.rows : rows);
    if (hidden.length === 0) expect(read.written).toEqual(stream.written);
  });
});

/** Characters that the character set has, and a collation that is not the one it has by default. */
const COLLATIONS: readonly (readonly [string, string, string])[] = [
  ['utf8mb4', 'utf8mb4_unicode_ci', 'Größe 漢字 🚲'],
  ['utf8mb4', 'utf8mb4_bin', "it's"],
  ['utf8mb3', 'utf8mb3_unicode_ci', 'Größe 漢字'],
  ['latin1', 'latin1_german2_ci', 'Größe'],
  ['latin1', 'latin1_bin', 'Größe'],
  ['gbk', 'gbk_bin', '汉语'],
  ['sjis', 'sjis_bin', '日本語'],
  ['utf16', 'utf16_unicode_ci', 'ö🚲'],
  ['ucs2', 'ucs2_bin', 'ö漢'],
  ['cp1251', 'cp1251_bulgarian_ci', 'Жук'],
];

describeServers(['mariadb', 'mysql'], 'a row is found by its key', (server) => {
  test.for(COLLATIONS)('in %s with %s', async ([charset, collation, text]) => {
    const column = `VARCHAR(20) CHARACTER SET ${charset} COLLATE ${collation}`;
    const members = `ENUM('x', '${text.replace("'", "''")}') CHARACTER SET ${charset} COLLATE ${collation}`;
    const database = await inDatabase(server(), []);
    await withConnection(server(), database, async (connection) => {
      await connection.query(`CREATE TABLE t (k ${column} PRIMARY KEY, n INT)`);
      await connection.query(`CREATE TABLE e (k ${members}, n INT, PRIMARY KEY (n, k))`);
      await connection.query('INSERT INTO t VALUES (?, 1), (?, 2)', [text, 'another']);
      await connection.query('INSERT INTO e VALUES (?, 1), (?, 2)', [text, 'x']);
    });
    const reader = openReader(server(), { tables: [`${database}.*`] });
    try {
      const found = await readChunk(server(), reader, { database, table: 't', keys: [text, 'one more', '\u{10fffd}'] });
      expect(takeRows(found)).toEqual([{ k: text, n: 1 }]);
      const members = await readChunk(server(), reader, { database, table: 'e', keys: [[1, text], [2, text]] }); // prettier-ignore
      expect(takeRows(members)).toEqual([{ k: text, n: 1 }]);
    } finally {
      await reader.close();
    }
  });
});
