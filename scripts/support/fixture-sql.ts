/** What `record-fixtures.ts` runs. A segment becomes a binlog file of its own. */
export interface Segment {
  readonly file: string;
  /** What the file is good for, for the README. */
  readonly shows: string;
  /** Run before the file begins. */
  readonly before?: readonly string[];
  readonly sql: readonly string[];
}

/** In the folder of the database, where LOAD DATA looks for a bare name. */
export const LOAD_FILE = 'load-data.csv';
export const LOAD_FILE_TEXT = '1,one\n2,two\n3,three\n';

const COMMON_COLUMNS = `
  id INT UNSIGNED PRIMARY KEY,
  c_tinyint TINYINT, c_utinyint TINYINT UNSIGNED, c_bool BOOLEAN,
  c_smallint SMALLINT, c_usmallint SMALLINT UNSIGNED,
  c_mediumint MEDIUMINT, c_umediumint MEDIUMINT UNSIGNED,
  c_int INT, c_uint INT UNSIGNED,
  c_bigint BIGINT, c_ubigint BIGINT UNSIGNED,
  c_float FLOAT, c_double DOUBLE,
  c_decimal DECIMAL(65,30), c_decimal0 DECIMAL(10,0), c_decimal2 DECIMAL(9,2) UNSIGNED,
  c_bit1 BIT(1), c_bit17 BIT(17), c_bit64 BIT(64),
  c_year YEAR, c_date DATE,
  c_time TIME, c_time3 TIME(3), c_time6 TIME(6),
  c_datetime DATETIME, c_datetime2 DATETIME(2), c_datetime6 DATETIME(6),
  c_timestamp TIMESTAMP NULL, c_timestamp4 TIMESTAMP(4) NULL, c_timestamp6 TIMESTAMP(6) NULL,
  c_char CHAR(10), c_char0 CHAR(0), c_char255 CHAR(255) CHARACTER SET utf8mb4,
  c_varchar VARCHAR(50), c_varchar_long VARCHAR(500), c_varchar_latin1 VARCHAR(50) CHARACTER SET latin1,
  c_varchar_gbk VARCHAR(50) CHARACTER SET gbk, c_varchar_ujis VARCHAR(50) CHARACTER SET ujis,
  c_varchar_utf16 VARCHAR(50) CHARACTER SET utf16,
  c_binary BINARY(8), c_varbinary VARBINARY(300),
  c_tinytext TINYTEXT, c_text TEXT, c_mediumtext MEDIUMTEXT, c_longtext LONGTEXT,
  c_tinyblob TINYBLOB, c_blob BLOB, c_mediumblob MEDIUMBLOB, c_longblob LONGBLOB,
  c_enum ENUM('one','with,comma','with''quote','ü'), c_set SET('a','b','ö','with space'),
  c_json JSON, c_geometry GEOMETRY, c_point POINT,
  c_stored INT GENERATED ALWAYS AS (c_tinyint + 1) STORED, c_virtual INT GENERATED ALWAYS AS (c_tinyint + 2) VIRTUAL`;

const COMMON_NAMES = [...COMMON_COLUMNS.matchAll(/\b((?:id|c_\w+)) [A-Z]/g)]
  .map((match) => match[1] ?? '')
  .filter((name) => name !== 'c_stored' && name !== 'c_virtual');

function values(literals: readonly string[]): string {
  return `(${literals.join(', ')})`;
}

/** In the order of the columns, several on a line. */
const FULL_ROW = (id: number): readonly string[] => [
  String(id),
  '-128, 255, TRUE, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295',
  '-9223372036854775808, 18446744073709551615, 1.5, -2.5e-300',
  '12345678901234567890123456789012345.123456789012345678901234567890, -1234567890, 1234567.89',
  "b'1', b'10101010101010101', b'1000000000000000000000000000000000000000000000000000000000000001'",
  "2155, '9999-12-31', '-838:59:59', '-00:00:00.001', '12:34:56.789012'",
  "'1000-01-01 00:00:00', '2024-02-29 23:59:59.99', '9999-12-31 23:59:59.999999'",
  "'1970-01-01 00:00:01', '2038-01-19 03:14:07.1234', '2024-05-06 07:08:09.123456'",
  `'char', '', 'Zoë 🚲', 'varchar', '${'long '.repeat(60)}', 'naïve'`,
  "'汉字', '日本語', '漢字 🚲', x'0102030000000000', x'00ff00ff'",
  "'tiny', 'text ü', 'medium', 'long', x'01', x'0203', x'040506', x'0708090a'",
  `'with''quote', 'a,ö', '{"a": [1, -1, 1.5, true, null, "ü"], "b": {"c": 18446744073709551615}}'`,
  "ST_GeomFromText('LINESTRING(0 0,1 1)'), ST_GeomFromText('POINT(1 2)')",
];

const NULL_ROW = (id: number): readonly string[] => [String(id), ...COMMON_NAMES.slice(1).map(() => 'NULL')];

/** The changes that each of the type segments makes: every kind of row event, one row and several. */
function typeChanges(extraColumns: string, extraNames: string, extra: { full: string; empty: string }): string[] {
  const names = COMMON_NAMES.join(', ') + extraNames;
  const full = (id: number): string => values([...FULL_ROW(id), extra.full].filter((text) => text !== ''));
  const empty = (id: number): string => values([...NULL_ROW(id), extra.empty].filter((text) => text !== ''));
  return [
    `CREATE TABLE types (${COMMON_COLUMNS}${extraColumns})`,
    `INSERT INTO types (${names}) VALUES ${full(1)}, ${empty(2)}, ${full(3)}`,
    "UPDATE types SET c_varchar = 'changed', c_int = 7 WHERE id IN (1, 2)",
    'DELETE FROM types WHERE id = 2',
    'CREATE TABLE no_key (a INT, b VARCHAR(20), c BLOB)',
    "INSERT INTO no_key VALUES (1, 'x', x'00'), (2, NULL, NULL)",
    "UPDATE no_key SET b = 'y'",
    'DELETE FROM no_key WHERE a = 1',
    'CREATE TABLE pair (a INT, b CHAR(3), v INT, PRIMARY KEY (b, a))',
    "BEGIN; INSERT INTO pair VALUES (1, 'k', 1); UPDATE pair SET v = 2; INSERT INTO no_key VALUES (9, 'z', NULL); DELETE FROM pair; COMMIT",
    'TRUNCATE TABLE no_key',
    'DROP TABLE types, no_key, pair',
  ];
}

const STATEMENTS: readonly string[] = [
  'CREATE TABLE st (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40), r DOUBLE)',
  "SET SESSION binlog_format = 'STATEMENT'",
  "INSERT INTO st (v) VALUES ('insert id')",
  "INSERT INTO st (v, r) VALUES ('rand', RAND())",
  "SET @text = 'Zoë', @number = -5, @decimal = 1.50, @real = 1e3, @nothing = NULL",
  'INSERT INTO st (v) VALUES (@text), (@number), (@decimal), (@real), (@nothing)',
  'INSERT INTO st (v) VALUES (LAST_INSERT_ID())',
  `LOAD DATA INFILE '${LOAD_FILE}' REPLACE INTO TABLE st FIELDS TERMINATED BY ',' (id, v)`,
  'SET @@session.time_zone = "+02:00", sql_mode = "ANSI_QUOTES", auto_increment_increment = 5, lc_time_names = "de_DE"',
  'CREATE TABLE "quoted" (id INT)',
  'DROP TABLE "quoted"',
  "SET @@session.time_zone = 'SYSTEM', sql_mode = DEFAULT, auto_increment_increment = 1, lc_time_names = DEFAULT",
  "SET SESSION binlog_format = 'ROW'",
  'DROP TABLE st',
];

const NON_TRANSACTIONAL: readonly string[] = [
  'CREATE TABLE my (id INT PRIMARY KEY) ENGINE=MyISAM',
  'INSERT INTO my VALUES (1), (2)',
  'DELETE FROM my',
  'DROP TABLE my',
];

const IMAGES: readonly string[] = [
  'CREATE TABLE img (id INT PRIMARY KEY, a VARCHAR(20), b BLOB, c INT)',
  "SET SESSION binlog_row_image = 'MINIMAL'",
  "INSERT INTO img (id, a) VALUES (1, 'x'), (2, 'y')",
  'UPDATE img SET c = 5 WHERE id = 1',
  'DELETE FROM img WHERE id = 2',
  "SET SESSION binlog_row_image = 'NOBLOB'",
  "INSERT INTO img VALUES (3, 'z', x'0102', 3)",
  "UPDATE img SET a = 'w' WHERE id = 3",
  "UPDATE img SET b = x'03' WHERE id = 3",
  'DELETE FROM img',
  "SET SESSION binlog_row_image = 'FULL'",
  'DROP TABLE img',
];

const XA: readonly string[] = [
  'CREATE TABLE xa (id INT PRIMARY KEY)',
  "XA START 'commits', 'branch', 7; INSERT INTO xa VALUES (1); XA END 'commits', 'branch', 7; XA PREPARE 'commits', 'branch', 7; XA COMMIT 'commits', 'branch', 7",
  "XA START 'rolls back'; INSERT INTO xa VALUES (2); XA END 'rolls back'; XA PREPARE 'rolls back'; XA ROLLBACK 'rolls back'",
  "XA START x'00ff', x''; INSERT INTO xa VALUES (3); XA END x'00ff', x''; XA COMMIT x'00ff', x'' ONE PHASE",
  'DROP TABLE xa',
];

export const MARIADB_SEGMENTS: readonly Segment[] = [
  {
    file: 'types-default.binlog',
    shows: 'every column type, default metadata, ANNOTATE_ROWS',
    sql: typeChanges(
      ', c_uuid UUID, c_inet4 INET4, c_inet6 INET6, c_compressed TEXT COMPRESSED, c_invisible INT INVISIBLE DEFAULT 5',
      ', c_uuid, c_inet4, c_inet6, c_compressed, c_invisible',
      {
        full: "'123e4567-e89b-12d3-a456-426614174000', '192.0.2.1', '2001:db8::1', REPEAT('compressed ', 20), 6",
        empty: 'NULL, NULL, NULL, NULL, NULL',
      },
    ),
  },
  {
    file: 'types-full-metadata.binlog',
    shows: 'the same with binlog_row_metadata=FULL',
    before: ['SET GLOBAL binlog_row_metadata = FULL'],
    sql: typeChanges(', c_uuid UUID, c_inet4 INET4, c_inet6 INET6', ', c_uuid, c_inet4, c_inet6', {
      full: "'123e4567-e89b-12d3-a456-426614174000', '192.0.2.1', '2001:db8::1'",
      empty: 'NULL, NULL, NULL',
    }),
  },
  {
    file: 'compressed.binlog',
    shows: 'log_bin_compress: QUERY_COMPRESSED and the compressed row events',
    before: [
      'SET GLOBAL binlog_row_metadata = NO_LOG',
      'SET GLOBAL log_bin_compress = ON',
      'SET GLOBAL log_bin_compress_min_len = 10',
    ],
    sql: [
      'CREATE TABLE comp (id INT PRIMARY KEY, v VARCHAR(200), b BLOB)',
      `INSERT INTO comp VALUES (1, REPEAT('a', 150), REPEAT('b', 300)), (2, REPEAT('c', 150), NULL)`,
      `UPDATE comp SET v = REPEAT('d', 150)`,
      'DELETE FROM comp',
      'DROP TABLE comp',
    ],
  },
  {
    file: 'row-images.binlog',
    shows: 'binlog_row_image MINIMAL and NOBLOB',
    before: ['SET GLOBAL log_bin_compress = OFF'],
    sql: IMAGES,
  },
  { file: 'xa.binlog', shows: 'XA prepared and committed, rolled back, in one phase', sql: XA },
  {
    file: 'gtid.binlog',
    shows: 'several domains and server ids, group commit ids, two-phase ALTER TABLE, a savepoint, MyISAM',
    sql: [
      'CREATE TABLE g (id INT PRIMARY KEY, v INT)',
      'SET SESSION gtid_domain_id = 3; INSERT INTO g VALUES (1, 1); INSERT INTO g VALUES (2, 2)',
      'SET SESSION gtid_domain_id = 0, SESSION server_id = 77; INSERT INTO g VALUES (3, 3); SET SESSION server_id = DEFAULT',
      'SET SESSION gtid_seq_no = 9007199254740993; INSERT INTO g VALUES (4, 4)',
      'SET SESSION binlog_alter_two_phase = ON; ALTER TABLE g ADD COLUMN w INT, ALGORITHM=COPY; SET SESSION binlog_alter_two_phase = OFF',
      'BEGIN; INSERT INTO g VALUES (5, 5, 5); SAVEPOINT s; INSERT INTO g VALUES (6, 6, 6); ROLLBACK TO s; COMMIT',
      ...NON_TRANSACTIONAL,
      'DROP TABLE g',
    ],
  },
  {
    file: 'statements.binlog',
    shows: 'binlog_format=STATEMENT: INTVAR, RAND, USER_VAR, LOAD DATA; status variables',
    sql: STATEMENTS,
  },
  {
    file: 'no-checksum.binlog',
    shows: 'binlog_checksum=NONE',
    before: ['SET GLOBAL binlog_checksum = NONE'],
    sql: ['CREATE TABLE plain (id INT PRIMARY KEY)', 'INSERT INTO plain VALUES (1)', 'DROP TABLE plain'],
  },
];

export const MYSQL_SEGMENTS: readonly Segment[] = [
  {
    file: 'types-default.binlog',
    shows: 'every column type, default metadata, ROWS_QUERY',
    before: ['SET SESSION binlog_rows_query_log_events = ON'],
    sql: typeChanges(', c_vector VECTOR(3), c_invisible INT DEFAULT 5 INVISIBLE', ', c_vector, c_invisible', {
      full: "TO_VECTOR('[1,-2.5,3e-5]'), 6",
      empty: 'NULL, NULL',
    }),
  },
  {
    file: 'types-full-metadata.binlog',
    shows: 'the same with binlog_row_metadata=FULL',
    before: ['SET SESSION binlog_rows_query_log_events = OFF', 'SET GLOBAL binlog_row_metadata = FULL'],
    sql: typeChanges(', c_vector VECTOR(3), c_invisible INT DEFAULT 5 INVISIBLE', ', c_vector, c_invisible', {
      full: "TO_VECTOR('[1,-2.5,3e-5]'), 6",
      empty: 'NULL, NULL',
    }),
  },
  {
    file: 'payload.binlog',
    shows: 'binlog_transaction_compression: TRANSACTION_PAYLOAD',
    before: ['SET GLOBAL binlog_row_metadata = MINIMAL'],
    sql: [
      'CREATE TABLE pay (id INT PRIMARY KEY, v VARCHAR(200))',
      'SET SESSION binlog_transaction_compression = ON',
      `INSERT INTO pay VALUES (1, REPEAT('a', 150)), (2, REPEAT('b', 150))`,
      `BEGIN; UPDATE pay SET v = 'x' WHERE id = 1; DELETE FROM pay WHERE id = 2; COMMIT`,
      'SET SESSION binlog_transaction_compression = OFF',
      'DROP TABLE pay',
    ],
  },
  {
    file: 'partial-json.binlog',
    shows: 'binlog_row_value_options=PARTIAL_JSON: PARTIAL_UPDATE_ROWS',
    sql: [
      'CREATE TABLE pj (id INT PRIMARY KEY, j JSON, k JSON)',
      `INSERT INTO pj VALUES (1, '{"a": 1, "list": [1, 2, 3], "text": "${'x'.repeat(100)}"}', '[]')`,
      "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
      "UPDATE pj SET j = JSON_SET(j, '$.a', 2)",
      "UPDATE pj SET j = JSON_REMOVE(JSON_REPLACE(j, '$.list[0]', 'one'), '$.list[1]')",
      "UPDATE pj SET j = JSON_SET(j, '$.new', CAST('{}' AS JSON)), k = '[1]'",
      "SET SESSION binlog_row_image = 'MINIMAL'",
      "UPDATE pj SET j = JSON_SET(j, '$.a', 3)",
      "SET SESSION binlog_row_image = 'FULL', SESSION binlog_row_value_options = ''",
      'DROP TABLE pj',
    ],
  },
  { file: 'row-images.binlog', shows: 'binlog_row_image MINIMAL and NOBLOB', sql: IMAGES },
  { file: 'xa.binlog', shows: 'XA prepared and committed, rolled back, in one phase', sql: XA },
  {
    file: 'gtid.binlog',
    shows: 'GTIDs untagged, tagged and of another server; a gap, numbers beyond 2^53; MyISAM',
    sql: [
      'CREATE TABLE g (id INT PRIMARY KEY)',
      "SET SESSION gtid_next = 'AUTOMATIC:blue'; INSERT INTO g VALUES (1); INSERT INTO g VALUES (2); SET SESSION gtid_next = 'AUTOMATIC'",
      "SET SESSION gtid_next = 'AUTOMATIC:a_tag_that_has_all_32_characters'; INSERT INTO g VALUES (3); SET SESSION gtid_next = 'AUTOMATIC'",
      "SET SESSION gtid_next = 'ffffffff-0000-1111-2222-aabbccddeeff:5'; INSERT INTO g VALUES (4); SET SESSION gtid_next = 'AUTOMATIC'",
      "SET SESSION gtid_next = 'ffffffff-0000-1111-2222-aabbccddeeff:9007199254740993'; INSERT INTO g VALUES (5); SET SESSION gtid_next = 'AUTOMATIC'",
      "SET SESSION gtid_next = 'ffffffff-0000-1111-2222-aabbccddeeff:red:9223372036854775806'; INSERT INTO g VALUES (6); SET SESSION gtid_next = 'AUTOMATIC'",
      'SET SESSION original_commit_timestamp = 1234567890123456; INSERT INTO g VALUES (7); SET SESSION original_commit_timestamp = DEFAULT',
      ...NON_TRANSACTIONAL,
      'DROP TABLE g',
    ],
  },
  {
    file: 'anonymous.binlog',
    shows: 'PREVIOUS_GTIDS with tags; anonymous transactions',
    // A change of gtid_mode begins a new file.
    before: ['SET GLOBAL gtid_mode = ON_PERMISSIVE'],
    sql: [
      "SET SESSION gtid_next = 'ANONYMOUS'; CREATE TABLE anon (id INT PRIMARY KEY)",
      "SET SESSION gtid_next = 'ANONYMOUS'; INSERT INTO anon VALUES (1)",
      "SET SESSION gtid_next = 'ANONYMOUS'; DROP TABLE anon",
      "SET SESSION gtid_next = 'AUTOMATIC'",
    ],
  },
  {
    file: 'statements.binlog',
    shows: 'binlog_format=STATEMENT: INTVAR, RAND, USER_VAR, LOAD DATA; status variables',
    before: ['SET GLOBAL gtid_mode = ON'],
    sql: STATEMENTS,
  },
  {
    file: 'no-checksum.binlog',
    shows: 'binlog_checksum=NONE',
    before: ['SET GLOBAL binlog_checksum = NONE'],
    sql: ['CREATE TABLE plain (id INT PRIMARY KEY)', 'INSERT INTO plain VALUES (1)', 'DROP TABLE plain'],
  },
];
