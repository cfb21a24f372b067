import { describe, expect, test } from 'vitest';
import { parseExactJson } from '../../../src/base/exact-json.ts';
import type { SnapshotChunk } from '../../../src/core/snapshot.ts';
import { keyListOf, keysOf, type KeyValue, type RowKey } from '../../../src/core/snapshots/key-list.ts';
import { JsonEncoder } from '../../../src/formats/json.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openReader, readAll, readChunk, takeRows } from './snapshot-reading.ts';
import { inDatabase, withConnection } from './source-reading.ts';

interface KeyKind {
  readonly name: string;
  /** Columns of the key: type, and literals of values. */
  readonly columns: readonly { readonly type: string; readonly values: readonly string[] }[];
  /** The index, if it is not `PRIMARY KEY (k0, k1, …)`. */
  readonly index?: string;
  readonly order?: string;
  readonly only?: ServerFlavour;
  readonly options?: string;
}

const TEXTS = [
  '',
  ' ',
  'a',
  'A',
  'a ',
  'b',
  'B',
  'ab',
  'Ab',
  'aB',
  'a b',
  'a-b',
  'a_b',
  'z',
  'Z',
  "it''s",
  '"',
  '0',
  '10',
  '9',
  '!',
  '~',
  'zz',
  'ß',
  'ss',
  'ä',
  'é',
  'e',
  'f',
  'Ø',
  'o',
];
const WIDE = [
  ...TEXTS,
  'ſ',
  'я',
  'Я',
  'ё',
  '日本',
  '日',
  '한',
  '\u{1f600}',
  'ﬁ',
  'Ω',
  'ω',
  'İ',
  'ı',
  'i',
  'I',
  '\u00ad',
  '\u200b',
];

function text(type: string, values: readonly string[] = TEXTS): KeyKind['columns'][number] {
  return { type, values: values.map((value) => (value.includes("''") ? `'${value}'` : `'${value}'`)) };
}

function numbers(type: string, ...values: readonly (string | number)[]): KeyKind['columns'][number] {
  return { type, values: values.map(String) };
}

const INTS = numbers('INT', -2147483648, -1, 0, 1, 2, 9, 10, 11, 100, 2147483647);
const KINDS: readonly KeyKind[] = [
  { name: 'INT', columns: [INTS] },
  { name: 'TINYINT', columns: [numbers('TINYINT', -128, -1, 0, 1, 127)] },
  { name: 'MEDIUMINT UNSIGNED ZEROFILL', columns: [numbers('MEDIUMINT UNSIGNED ZEROFILL', 0, 1, 10, 9, 16777215)] },
  {
    name: 'BIGINT UNSIGNED',
    columns: [
      numbers(
        'BIGINT UNSIGNED',
        0,
        1,
        '9007199254740993',
        '9223372036854775808',
        '18446744073709551615',
        '9223372036854775807',
      ),
    ],
  },
  {
    name: 'BIGINT',
    columns: [
      numbers('BIGINT', '-9223372036854775808', '-9007199254740993', -1, 0, '9007199254740993', '9223372036854775807'),
    ],
  },
  {
    name: 'DECIMAL',
    columns: [
      numbers(
        'DECIMAL(40,20)',
        '-1.5',
        '-1.50000000000000000001',
        0,
        '0.00000000000000000001',
        '0.1',
        1,
        '9.99',
        10,
        '12345678901234567890.12345678901234567890',
      ),
    ],
  },
  {
    name: 'FLOAT',
    columns: [
      numbers(
        'FLOAT',
        '-3.4e38',
        '-1e0',
        0,
        '1e-30',
        '0.1',
        '0.10000001',
        '0.3333333',
        '16777216',
        '16777218',
        '3.4e38',
      ),
    ],
  },
  {
    name: 'DOUBLE',
    columns: [
      numbers(
        'DOUBLE',
        '-1.7e308',
        '-0.1',
        0,
        '1e-300',
        '0.1',
        '0.30000000000000004',
        '0.3',
        '123456789012345680',
        '1.7e308',
      ),
    ],
  },
  {
    name: 'DATE',
    columns: [text('DATE', ['0000-00-00', '2026-00-10', '1000-01-01', '2026-02-28', '2026-11-20', '9999-12-31'])],
  },
  {
    name: 'DATETIME(6)',
    columns: [
      text('DATETIME(6)', [
        '0000-00-00 00:00:00',
        '2026-01-01 00:00:00',
        '2026-01-01 00:00:00.000001',
        '2026-01-01 00:00:00.1',
        '9999-12-31 23:59:59.999999',
      ]),
    ],
  },
  {
    name: 'TIMESTAMP(3)',
    columns: [
      text('TIMESTAMP(3)', [
        '1970-01-01 12:00:01',
        '2026-01-01 00:00:00.001',
        '2026-01-01 00:00:00',
        '2038-01-18 03:14:07.999',
      ]),
    ],
  },
  {
    name: 'TIME(2)',
    columns: [
      text('TIME(2)', [
        '-838:59:59',
        '-00:00:01.5',
        '-00:00:00.01',
        '00:00:00',
        '00:00:00.01',
        '100:00:00',
        '99:59:59',
        '838:59:59',
      ]),
    ],
  },
  { name: 'YEAR', columns: [numbers('YEAR', 0, 1901, 1999, 2000, 2026, 2155)] },
  { name: 'BIT(1)', columns: [numbers('BIT(1)', 0, 1)] },
  { name: 'BIT(64)', columns: [numbers('BIT(64)', 0, 1, 255, 256, '9223372036854775808', '18446744073709551615')] },
  {
    name: 'BINARY(4)',
    columns: [
      numbers(
        'BINARY(4)',
        "x'00'",
        "x'0001'",
        "x'01'",
        "x'20'",
        "x'61'",
        "x'ff'",
        "x'ffffffff'",
        "x''",
        "x'27'",
        "x'5c'",
      ),
    ],
  },
  {
    name: 'VARBINARY',
    columns: [numbers('VARBINARY(10)', "x'00'", "x'0000'", "x''", "x'20'", "x'2020'", "x'61'", "x'ff'", "x'5c27'")],
  },
  { name: 'ENUM', columns: [text("ENUM('z','a','m','B','b c')", ['z', 'a', 'm', 'B', 'b c'])] },
  { name: 'SET', columns: [text("SET('z','a','m')", ['', 'z', 'a', 'm', 'z,a', 'z,m', 'a,m', 'z,a,m'])] },
  { name: 'latin1_swedish_ci', columns: [text('VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci')] },
  { name: 'latin1_german2_ci CHAR', columns: [text('CHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci')] },
  { name: 'latin1_bin', columns: [text('VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin')] },
  { name: 'utf8mb4_general_ci', columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci', WIDE)] },
  { name: 'utf8mb4_bin', columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', WIDE)] },
  { name: 'utf8mb4_unicode_ci', columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci', WIDE)] },
  {
    name: 'utf8mb4_turkish_ci CHAR',
    columns: [text('CHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_turkish_ci', WIDE)],
  },
  {
    name: 'utf8mb3_general_ci',
    columns: [
      text(
        'VARCHAR(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci',
        WIDE.filter((value) => value !== '\u{1f600}'),
      ),
    ],
  },
  { name: 'utf16_unicode_ci', columns: [text('VARCHAR(20) CHARACTER SET utf16 COLLATE utf16_unicode_ci', WIDE)] },
  { name: 'utf32_bin', columns: [text('VARCHAR(20) CHARACTER SET utf32 COLLATE utf32_bin', WIDE)] },
  {
    name: 'ucs2_general_ci',
    columns: [
      text(
        'CHAR(20) CHARACTER SET ucs2 COLLATE ucs2_general_ci',
        WIDE.filter((value) => value !== '\u{1f600}'),
      ),
    ],
  },
  {
    name: 'sjis_japanese_ci',
    columns: [
      text('VARCHAR(20) CHARACTER SET sjis COLLATE sjis_japanese_ci', [
        'a',
        'A',
        'あ',
        'ア',
        '日',
        '本',
        '',
        'ソ',
        '表',
        '~',
      ]),
    ],
  },
  {
    name: 'gbk_chinese_ci',
    columns: [text('VARCHAR(20) CHARACTER SET gbk COLLATE gbk_chinese_ci', ['a', 'A', '中', '文', '', '誠', '\u4e02'])],
  },
  {
    name: 'gb18030_chinese_ci',
    columns: [
      text('VARCHAR(20) CHARACTER SET gb18030 COLLATE gb18030_chinese_ci', [
        'a',
        'A',
        '中',
        '文',
        '',
        '誠',
        '\u{1f600}',
      ]),
    ],
    only: 'mysql',
  },
  {
    name: 'koi8r_general_ci',
    columns: [text('VARCHAR(20) CHARACTER SET koi8r COLLATE koi8r_general_ci', ['я', 'Я', 'а', 'А', 'ё', 'z', 'б'])],
  },
  {
    name: 'tis620_thai_ci',
    columns: [text('VARCHAR(20) CHARACTER SET tis620 COLLATE tis620_thai_ci', ['ก', 'ข', 'เก', 'เข', 'a', 'A'])],
  },
  {
    name: 'latin2_czech_cs',
    columns: [
      text('VARCHAR(20) CHARACTER SET latin2 COLLATE latin2_czech_cs', [
        'c',
        'č',
        'ch',
        'd',
        'h',
        'C',
        'Č',
        'CH',
        'H',
        'i',
      ]),
    ],
  },
  {
    name: 'utf8mb4_0900_ai_ci',
    columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci', WIDE)],
    only: 'mysql',
  },
  {
    name: 'utf8mb4_0900_bin',
    columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin', WIDE)],
    only: 'mysql',
  },
  {
    name: 'utf8mb4_ja_0900_as_cs_ks',
    columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_ja_0900_as_cs_ks', [...WIDE, 'あ', 'ア'])],
    only: 'mysql',
  },
  {
    name: 'utf8mb4_uca1400_as_ci',
    columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE uca1400_as_ci', WIDE)],
    only: 'mariadb',
  },
  {
    name: 'utf8mb4_nopad_bin',
    columns: [text('VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin', WIDE)],
    only: 'mariadb',
  },
  {
    name: 'UUID',
    columns: [
      text('UUID', [
        '00000000-0000-0000-0000-000000000000',
        '3e11fa47-71ca-11e1-9e33-c80aa9429562',
        '3e11fa47-71ca-41e1-9e33-c80aa9429562',
        'ffffffff-ffff-ffff-ffff-ffffffffffff',
        '01ec72b8-0000-11e1-9e33-c80aa9429562',
      ]),
    ],
    only: 'mariadb',
  },
  {
    name: 'INET6',
    columns: [text('INET6', ['::', '::1', '::ffff:10.0.0.1', '2001:db8::1', 'fe80::1', 'ffff::'])],
    only: 'mariadb',
  },
  { name: 'INET4', columns: [text('INET4', ['0.0.0.0', '9.0.0.1', '10.0.0.1', '255.255.255.255'])], only: 'mariadb' },
  { name: 'two columns', columns: [INTS, text('VARCHAR(20) CHARACTER SET utf8mb4', ['a', 'B', 'c ', ''])] },
  {
    name: 'three columns of many kinds',
    columns: [
      text('VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci', ['a', 'B']),
      text("ENUM('y','x')", ['y', 'x']),
      text('DATETIME(3)', ['2026-01-01 00:00:00.5', '2025-01-01 00:00:00', '2027-01-01 00:00:00']),
    ],
  },
  {
    name: 'a key in another order than the columns',
    columns: [INTS, numbers('TINYINT', 1, 2, 3)],
    index: 'PRIMARY KEY (k1, k0)',
    order: 'k1, k0',
  },
  { name: 'an index that descends', columns: [INTS], index: 'PRIMARY KEY (k0 DESC)', order: 'k0 DESC' },
  {
    name: 'an index of both directions',
    columns: [INTS, text("ENUM('y','x','z')", ['y', 'x', 'z']), numbers('TINYINT', 1, 2)],
    index: 'PRIMARY KEY (k0, k1 DESC, k2)',
    order: 'k0, k1 DESC, k2',
  },
  {
    name: 'a unique key without a primary one',
    columns: [INTS, numbers('TINYINT', 1, 2)],
    index: 'UNIQUE KEY u (k0, k1), UNIQUE KEY nullable (n)',
  },
  {
    name: 'a unique key beside a primary one over a prefix',
    columns: [numbers('SMALLINT', 3, 1, 2)],
    index: 'p VARCHAR(20) NOT NULL DEFAULT (UUID()), PRIMARY KEY (p(18)), UNIQUE KEY u (k0)',
  },
  { name: 'MyISAM', columns: [INTS], options: 'ENGINE=MyISAM' },
  { name: 'partitions', columns: [INTS], options: 'PARTITION BY HASH (k0) PARTITIONS 3' },
  { name: 'system versioning', columns: [INTS], options: 'WITH SYSTEM VERSIONING', only: 'mariadb' },
];

/** Every combination, in an order that is not the key's. */
function combinations(columns: KeyKind['columns']): string[] {
  let rows: string[][] = [[]];
  for (const { values } of columns) rows = rows.flatMap((row) => values.map((value) => [...row, value]));
  return rows.map((row) => row.join(', ')).toSorted((a, b) => (hash(a) < hash(b) ? -1 : 1));
}

function hash(value: string): number {
  let h = 7;
  for (let i = 0; i < value.length; i++) h = (Math.imul(h, 31) + value.charCodeAt(i)) | 0;
  return Math.imul(h, 0x9e37_79b1) >>> 0;
}

async function makeTable(
  server: TestServer,
  database: string,
  { columns, index, options = '' }: KeyKind,
): Promise<void> {
  const names = columns.map((_, i) => `k${i}`);
  await withConnection(server, database, async (connection) => {
    await connection.query("SET sql_mode = '', time_zone = '+03:00'");
    await connection.query(
      `CREATE TABLE t (n INT, ${columns.map(({ type }, i) => `k${i} ${type} NOT NULL`).join(', ')}, ` +
        `${index ?? `PRIMARY KEY (${names.join(', ')})`}) ${options}`,
    );
    // What a collation takes for the same as another one is left out.
    for (const [n, values] of combinations(columns).entries()) {
      await connection.query(`INSERT IGNORE INTO t (n, ${names.join(', ')}) VALUES (${n}, ${values})`);
    }
  });
}

describeServers(['mariadb', 'mysql'], 'chunks by key', (server, flavour) => {
  describe('have every row once and in the order of the server, whatever the chunk size', () => {
    test.for(KINDS.filter(({ only = flavour }) => only === flavour))('$name', async (kind) => {
      const database = await inDatabase(server(), []);
      await makeTable(server(), database, kind);
      const order = kind.order ?? kind.columns.map((_, i) => `k${i}`).join(', ');
      const expected = await server().query<{ n: number }>(`SELECT n FROM ${database}.t ORDER BY ${order}`);
      expect(expected.length).toBeGreaterThan(1);
      const reader = openReader(server(), { tables: [`${database}.*`] });
      try {
        for (const rows of [1, 2, 7]) {
          const read = await readAll(server(), reader, { database, table: 't', rows });
          expect(read.map((row) => row['n'])).toEqual(expected.map(({ n }) => n));
        }
      } finally {
        await reader.close();
      }
    });
  });

  describe('find the rows whose keys are given as lines of JSON have them, and no others', () => {
    test.for(KINDS.filter(({ only = flavour }) => only === flavour))('$name', async (kind) => {
      const database = await inDatabase(server(), []);
      await makeTable(server(), database, kind);
      const reader = openReader(server(), { tables: [`${database}.*`] });
      try {
        const wanted = { database, table: 't', rows: 10_000 };
        const all = keysInLines(await readChunk(server(), reader, wanted));
        const keys = keysOf(keyListOf(all.map(({ key }) => key)));
        expect(keys).toHaveLength(all.length);
        await reader.checkKeys({ database, table: 't', keys, signal: new AbortController().signal });
        const half = keys.filter((_, i) => i % 2 === 1).toReversed();
        const expected = all.filter((_, i) => i % 2 === 1).map(({ n }) => n);
        for (const request of [{ keys: half }, { keys, among: half }, { keys: half, among: keys }]) {
          const chunk = await readChunk(server(), reader, { ...wanted, ...request });
          expect(chunk.next).toBeNull();
          expect(takeRows(chunk).map((row) => row['n'])).toEqual(expected);
        }
      } finally {
        await reader.close();
      }
    });
  });

  test.for<[string, string, string]>([
    ['INT', 'k0 INT', 'k0'],
    ['BIGINT UNSIGNED', 'k0 BIGINT UNSIGNED', 'k0'],
    ['VARCHAR of another character set', 'k0 VARCHAR(20) CHARACTER SET latin1', 'k0'],
    ['VARCHAR', 'k0 VARCHAR(20) CHARACTER SET utf8mb4', 'k0'],
    ['VARBINARY', 'k0 VARBINARY(20)', 'k0'],
    ['DECIMAL', 'k0 DECIMAL(20,3)', 'k0'],
    ['DOUBLE', 'k0 DOUBLE', 'k0'],
    ['FLOAT', 'k0 FLOAT', 'k0'],
    ['DATETIME', 'k0 DATETIME', 'k0'],
    ['TIMESTAMP', 'k0 TIMESTAMP', 'k0'],
    ['BIT', 'k0 BIT(20)', 'k0'],
    ['two columns', 'k1 INT, k0 INT', 'k1, k0'],
    ['three columns', 'k1 VARCHAR(9), k2 INT, k0 INT', 'k1, k2, k0'],
    ['both directions', 'k1 INT, k0 INT', 'k1 DESC, k0'],
    // With more than one range MySQL would rather pass over the beginning of a small index that has all that is asked for.
    ['ENUM first', "k1 ENUM('a','b','c','d','e'), k0 INT", 'k1, k0'],
  ])(
    'a chunk in the middle of a table costs the server no more than its own rows: %s',
    async ([name, columns, key]) => {
      const value = /DATETIME|TIMESTAMP/.test(columns) ? "'2026-01-01' + INTERVAL i SECOND" : 'i';
      const others = { k1: 'i % 3 + 1', k2: 'i % 7' };
      const names = columns.split(', k').map((column, i) => (i === 0 ? column : `k${column}`).split(' ')[0] ?? '');
      const values = names.map((name) => (name === 'k0' ? value : others[name as 'k1' | 'k2']));
      const database = await inDatabase(server(), [
        `CREATE TABLE t (${columns}, n INT, PRIMARY KEY (${key}), KEY (n))`,
        `INSERT INTO t (${names.join(', ')}, n) WITH RECURSIVE seq (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < 1000) SELECT ${values.join(', ')}, i % 5 FROM seq`,
        `INSERT IGNORE INTO t (${names.join(', ')}, n) WITH RECURSIVE seq (i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM seq WHERE i < 2000) SELECT ${values.join(', ')}, i % 5 FROM seq`,
        'ANALYZE TABLE t',
      ]);
      const reader = openReader(server(), { tables: [`${database}.*`] });
      try {
        const wanted = { database, table: 't', where: name === 'ENUM first' ? null : 'n < 4 OR n = 4' };
        const begin = await readChunk(server(), reader, { ...wanted, rows: 1300 });
        expect(takeRows(begin)).toHaveLength(1300);
        const before = await rowsTouched(server());
        const chunk = await readChunk(server(), reader, { ...wanted, rows: 10, after: begin.next });
        expect(takeRows(chunk)).toHaveLength(10);
        expect((await rowsTouched(server())) - before).toBeLessThan(200);
        const found = await readChunk(server(), reader, { ...wanted, where: null, rows: 10, after: begin.next });
        const keys = [...found.keys()];
        found.release();
        const beforeKeys = await rowsTouched(server());
        const byKey = await readChunk(server(), reader, { ...wanted, where: null, keys });
        expect(takeRows(byKey)).toHaveLength(10);
        expect((await rowsTouched(server())) - beforeKeys).toBeLessThan(200);
        if (wanted.where === null) return;
        const again = await rowsTouched(server());
        const none = await readChunk(server(), reader, { ...wanted, where: 'n = 77', rows: 10, after: begin.next });
        expect([none.count, none.next]).toEqual([0, chunk.next]);
        none.release();
        expect((await rowsTouched(server())) - again).toBeLessThan(200);
      } finally {
        await reader.close();
      }
    },
  );
});

/** Each row's `n`, and its key as the line of the row has it. */
function keysInLines(chunk: SnapshotChunk): { readonly n: unknown; readonly key: RowKey }[] {
  const lines: string[] = [];
  const end = chunk.mark;
  const transaction = { id: null, committedAtUs: 0, serverId: 1, start: end };
  const encoder = new JsonEncoder();
  const entries = chunk.rows(new Set());
  encoder.encode({ transaction, begins: true, restarted: false, entries, end }, (line) => lines.push(line));
  const { key } = chunk;
  chunk.release();
  return lines.map((line) => {
    const { after } = parseExactJson(line) as { readonly after: Readonly<Record<string, KeyValue>> };
    const values = key.map((name) => after[name] as KeyValue);
    return { n: after['n'], key: values.length === 1 ? (values[0] as KeyValue) : values };
  });
}

/** Rows and index entries that the server has looked at so far, for whatever reason; and those that it has sorted. */
async function rowsTouched(server: TestServer): Promise<number> {
  const rows = await server.query<{ Value: string }>(
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_rows_read', 'Rows_read', 'Sort_rows')",
  );
  return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
}
