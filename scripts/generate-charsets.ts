/**
 * Asks running servers for every character set they know and writes the tables in `src/sources/mysql/charset/`.
 *
 *     node scripts/generate-charsets.ts mysql://root@127.0.0.1:3306 mariadb://root@127.0.0.1:3307
 *
 * The servers are the only authority: each byte sequence is given to a character set, read back (a server that had to
 * mend the bytes gives other bytes back) and converted to utf8mb4, as SELECT would. Sequences that the server shows as
 * '?', or not at all, have no character and are left out. (A few of big5 and tis620 it shows as U+FFFD, and writes that for U+FFFD.) Tables are shared by both servers; the script stops
 * when they disagree, so that a difference is never papered over. It needs a user that may create a database.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import mysql from 'mysql2/promise';
import { packTable } from './support/pack-table.ts';

type Flavour = 'mysql' | 'mariadb';
/** Byte sequence in lower-case hex to the one code point that the server shows for it. */
type Mapping = Map<string, number>;

const FOLDER = new URL('../src/sources/mysql/charset/', import.meta.url);
const HEADER = '// Written by scripts/generate-charsets.ts from the answers of running servers. Do not edit.\n';
const SCRATCH = 'tidings_generate_charsets';

const SINGLE_BYTE = [
  'armscii8',
  'ascii',
  'cp1250',
  'cp1251',
  'cp1256',
  'cp1257',
  'cp850',
  'cp852',
  'cp866',
  'dec8',
  'geostd8',
  'greek',
  'hebrew',
  'hp8',
  'keybcs2',
  'koi8r',
  'koi8u',
  'latin1',
  'latin2',
  'latin5',
  'latin7',
  'macce',
  'macroman',
  'swe7',
  'tis620',
];
const DOUBLE_BYTE = ['big5', 'cp932', 'euckr', 'gb2312', 'gbk', 'sjis'];
const EUC_JAPANESE = ['eucjpms', 'ujis'];

/** One server, with a scratch database that holds all byte strings of length one and two. */
class Server {
  readonly flavour: Flavour;
  readonly #connection: mysql.Connection;

  private constructor(flavour: Flavour, connection: mysql.Connection) {
    this.flavour = flavour;
    this.#connection = connection;
  }

  static async open(url: string): Promise<Server> {
    const uri = url.replace(/^mariadb:/, 'mysql:');
    const connection = await mysql.createConnection({ uri, charset: 'utf8mb4', rowsAsArray: true });
    const [[version]] = (await connection.query('SELECT version()')) as unknown as [[[string]]];
    const server = new Server(/mariadb/i.test(version[0]) ? 'mariadb' : 'mysql', connection);
    // MariaDB's setting says other defaults from 11.5 on, and each statement in the binlog carries it: here they are those without it.
    const [overrides] = (await connection.query("SHOW VARIABLES LIKE 'character_set_collations'")) as unknown as [[]];
    if (overrides.length > 0) await connection.query("SET SESSION character_set_collations = ''");
    const bytes = Array.from({ length: 256 }, (_, byte) => `(x'${hex(byte)}')`);
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${SCRATCH}`);
    await connection.query(`USE ${SCRATCH}`);
    await connection.query('SET max_error_count = 0'); // one warning per malformed sequence is of no use
    await connection.query('DROP TABLE IF EXISTS one, two');
    await connection.query('CREATE TABLE one (b VARBINARY(1) PRIMARY KEY)');
    await connection.query('CREATE TABLE two (b VARBINARY(2) PRIMARY KEY)');
    await connection.query(`INSERT INTO one VALUES ${bytes.join()}`);
    await connection.query('INSERT INTO two SELECT CONCAT(x.b, y.b) FROM one x, one y');
    return server;
  }

  async rows(sql: string): Promise<string[][]> {
    const [rows] = (await this.#connection.query(sql)) as unknown as [string[][]];
    return rows;
  }

  /** The sequences of `source` (a query with one binary column `b`) that are one character, and which. */
  async map(charset: string, source: string): Promise<Mapping> {
    const rows = await this.rows(
      `SELECT LOWER(HEX(b)), HEX(CONVERT(s USING utf8mb4)) FROM (SELECT b, CONVERT(b USING ${charset}) s FROM (${source}) t) u
       WHERE CAST(s AS BINARY) = b AND CHAR_LENGTH(s) = 1`,
    );
    const mapping: Mapping = new Map();
    for (const [sequence, shown] of rows as [string, string | null][]) {
      const text = Buffer.from(shown ?? '', 'hex').toString('utf8');
      const undefinedHere = text === '' || (text === '?' && sequence !== '3f');
      if (undefinedHere) continue;
      assert.equal(Array.from(text).length, 1, `${charset} ${sequence} is ${text.length} units`);
      mapping.set(sequence, text.codePointAt(0) as number);
    }
    return mapping;
  }

  async close(): Promise<void> {
    await this.#connection.query(`DROP DATABASE ${SCRATCH}`);
    await this.#connection.end();
  }
}

const servers = await Promise.all(process.argv.slice(2).map((url) => Server.open(url)));
const mysqlServer = servers.find((server) => server.flavour === 'mysql');
const mariadbServer = servers.find((server) => server.flavour === 'mariadb');
assert(mysqlServer && mariadbServer, 'usage: generate-charsets.ts mysql://… mariadb://…');

try {
  writeFileSync(new URL('single-byte-tables.generated.ts', FOLDER), await singleByteTables());
  writeFileSync(new URL('multi-byte-tables.generated.ts', FOLDER), await multiByteTables());
  writeFileSync(new URL('collation-lists.generated.ts', FOLDER), await collationLists(mysqlServer, mariadbServer));
} finally {
  for (const server of servers) await server.close();
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** What both servers say, which must be the same. */
async function mapOnBoth(charset: string, source: string): Promise<Mapping> {
  const [first, ...others] = await Promise.all(servers.map((server) => server.map(charset, source)));
  assert(first);
  for (const other of others) assert.deepEqual(other, first, `the servers disagree about ${charset}`);
  return first;
}

async function singleByteTables(): Promise<string> {
  const tables: string[] = [];
  for (const charset of SINGLE_BYTE) {
    const mapping = await mapOnBoth(charset, 'SELECT b FROM one');
    const units = Array.from({ length: 256 }, (_, byte) => mapping.get(hex(byte)) ?? 0xffff);
    const ascii = units.slice(0, 128).every((unit, byte) => unit === byte);
    const text = (ascii ? units.slice(128) : units).map(literal).join('');
    tables.push(`  ${charset}: '${withoutTail(text)}',\n`);
  }
  return `${HEADER}
/**
 * The characters of bytes 0x80 to 0xff, or from 0 where the lower half is not ASCII (swe7). U+FFFF, or behind the end of
 * the string: no character.
 */
export const SINGLE_BYTE_TABLES: Readonly<Record<string, string>> = {
${tables.join('')}};
`;
}

/** One code unit inside a string literal; what is invisible, combines or runs right to left is escaped. */
function literal(unit: number): string {
  const character = String.fromCharCode(unit);
  const plain =
    /[\p{L}\p{N}\p{P}\p{S} ]/u.test(character) && !/[\p{sc=Hebrew}\p{sc=Arabic}\p{sc=Thai}\ufffd]/u.test(character);
  if (character === "'" || character === '\\') return `\\${character}`;
  return plain ? character : `\\u${unit.toString(16).padStart(4, '0')}`;
}

function withoutTail(text: string): string {
  return text.replace(/(?:\\uffff)+$/, '');
}

async function multiByteTables(): Promise<string> {
  const tables: string[] = [];
  const highBytes: string[] = [];
  const names: string[] = [];
  const add = (name: string, mapping: Mapping, base: number, prefix: string): void => {
    const units = new Uint16Array(0x8000);
    for (const [sequence, unit] of mapping) {
      const index = Number.parseInt(sequence.slice(prefix.length), 16) - base;
      assert(sequence.startsWith(prefix) && index >= 0 && index < 0x8000 && unit > 0 && unit < 0x10000, sequence);
      units[index] = unit;
    }
    names.push(name);
    tables.push(`  ${name}:\n    '${packTable(units)}',\n`);
  };
  for (const charset of [...DOUBLE_BYTE, ...EUC_JAPANESE, 'gb18030']) {
    const ask =
      charset === 'gb18030'
        ? (source: string) => mapOnMysql(charset, source)
        : (source: string) => mapOnBoth(charset, source);
    const singles = await ask('SELECT b FROM one');
    const ascii = Array.from({ length: 128 }, (_, byte) => singles.get(hex(byte)) === byte);
    assert(!ascii.includes(false), `${charset} is not ASCII below 0x80`);
    const high = [...singles].filter(([, unit]) => unit >= 0x80);
    if (high.length > 0) {
      const units = Array.from({ length: 128 }, (_, byte) => singles.get(hex(byte + 128)) ?? 0xffff);
      highBytes.push(`  ${charset}: '${withoutTail(units.map(literal).join(''))}',\n`);
    }
    add(charset, await ask('SELECT b FROM two WHERE LENGTH(b) = 2'), 0x8000, '');
    if (EUC_JAPANESE.includes(charset)) {
      const source = `SELECT CONCAT(x.b, y.b) b FROM one x, two y WHERE x.b >= x'80' AND LENGTH(y.b) = 2`;
      add(`${charset}After8f`, await ask(source), 0x8000, '8f');
    }
  }
  const triples = `SELECT CONCAT('@', b) b FROM two WHERE LENGTH(b) = 2 AND b <> '@@'`; // '@@@' is NUL
  assert(mariadbServer);
  add('filenameAfterAt', await mariadbServer.map('filename', triples), 0, '40');
  return `${HEADER}
/** Characters of the single bytes 0x80 to 0xff, for the sets that have some. U+FFFF or beyond the end: a lead byte, or none. */
export const HIGH_BYTE_TABLES: Readonly<Record<string, string>> = {
${highBytes.join('')}};

export type PackedTableName = ${names.map((name) => `'${name}'`).join(' | ')};

/**
 * Packed tables (see packed-table.ts) of the two-byte sequences, by \`(first << 8 | second) - 0x8000\`; \`…After8f\`: the two
 * bytes behind 0x8f; \`filenameAfterAt\`: the two bytes behind '@', by \`first << 8 | second\`. 0: no character.
 */
export const PACKED_TABLES: Readonly<Record<PackedTableName, string>> = {
${tables.join('')}};

/**
 * Four-byte sequences of gb18030 in the BMP: first linear index, first code point, length, over and over. The linear
 * index of b1 b2 b3 b4 is \`(((b1 - 0x81) * 10 + b2 - 0x30) * 126 + b3 - 0x81) * 10 + b4 - 0x30\`.
 */
export const GB18030_RANGES: readonly number[] = [
${wrapped((await gb18030Ranges()).flat())}
];
`;
}

function mapOnMysql(charset: string, source: string): Promise<Mapping> {
  assert(mysqlServer);
  return mysqlServer.map(charset, source);
}

async function gb18030Ranges(): Promise<[number, number, number][]> {
  const pair = (alias: string): string =>
    `LENGTH(${alias}.b) = 2 AND ${alias}.b >= x'8130' AND SUBSTR(${alias}.b, 2) BETWEEN x'30' AND x'39'`;
  const mapping = await mapOnMysql(
    'gb18030',
    `SELECT CONCAT(x.b, y.b) b FROM two x, two y WHERE ${pair('x')} AND ${pair('y')}`,
  );
  const linear = (sequence: string): number => {
    const [b1, b2, b3, b4] = Buffer.from(sequence, 'hex') as unknown as [number, number, number, number];
    return (((b1 - 0x81) * 10 + b2 - 0x30) * 126 + b3 - 0x81) * 10 + b4 - 0x30;
  };
  const ranges: [number, number, number][] = [];
  const characters = [...mapping].map(([sequence, codePoint]) => [linear(sequence), codePoint] as const);
  for (const [index, codePoint] of characters.sort((a, b) => a[0] - b[0])) {
    const last = ranges.at(-1);
    if (last && last[0] + last[2] === index && last[1] + last[2] === codePoint) last[2]++;
    else ranges.push([index, codePoint, 1]);
  }
  assert.deepEqual(ranges.pop(), [189_000, 0x10000, 0x100000], 'beyond the BMP gb18030 is linear');
  return ranges;
}

function wrapped(numbers: readonly number[]): string {
  return (numbers.join(', ').match(/.{1,110}(?:,|$) ?/g) ?? [])
    .map((line) => `  ${line.trim()}`)
    .join('\n')
    .replace(/,?$/, ',');
}

/** `id name` lists; MariaDB's uca1400 collations (ids from 2048) follow a formula, which is checked here. */
async function collationLists(mysqlSide: Server, mariadbSide: Server): Promise<string> {
  const onMysql = await mysqlSide.rows('SELECT id, collation_name FROM information_schema.collations ORDER BY id');
  const onMariadb = await mariadbSide.rows(
    'SELECT id, full_collation_name FROM information_schema.collation_character_set_applicability WHERE id > 0 ORDER BY id',
  );
  const charsets = ['utf8mb3', 'utf8mb4', 'ucs2', 'utf16', 'utf32'];
  const tailorings: string[] = [];
  const uca = onMariadb.filter(([id]) => Number(id) >= 2048);
  for (const [id, name] of uca as [string, string][]) {
    const offset = Number(id) - 2048;
    const match = /^(\w+?)_uca1400_(?:([a-z0-9]+)_)??((?:nopad_)?a[is]_c[is])$/.exec(name);
    assert(match, name);
    const variant = `${offset & 4 ? 'nopad_' : ''}${offset & 2 ? 'as' : 'ai'}_${offset & 1 ? 'cs' : 'ci'}`;
    assert.deepEqual([match[1], match[3]], [charsets[offset >> 8], variant], name);
    const tailoring = (offset >> 3) & 31;
    tailorings[tailoring] ??= match[2] ?? '';
    assert.equal(tailorings[tailoring], match[2] ?? '', name);
  }
  const list = (rows: string[][]): string => rows.map(([id, name]) => `${id} ${name}`).join('\n');
  const names = Array.from(tailorings, (name) => (name === undefined ? 'null' : `'${name}'`));
  return `${HEADER}
/** All collations of MySQL, \`id name\` a line. */
export const MYSQL_COLLATIONS = \`
${list(onMysql)}
\`;

/** All collations of MariaDB below id 2048, \`id name\` a line. */
export const MARIADB_COLLATIONS = \`
${list(onMariadb.filter(([id]) => Number(id) < 2048))}
\`;

/** From id 2048: \`2048 + 256 * charset + 8 * tailoring + variant\`; variant bits: 4 nopad, 2 accents, 1 case. */
export const UCA1400_CHARSETS: readonly string[] = [${charsets.map((name) => `'${name}'`).join(', ')}];
export const UCA1400_TAILORINGS: readonly (string | null)[] = [${names.join(', ')}];

/** The collation that a character set has when none is named. */
export const MYSQL_DEFAULT_COLLATIONS = \`
${await defaults(mysqlSide)}
\`;
export const MARIADB_DEFAULT_COLLATIONS = \`
${await defaults(mariadbSide)}
\`;
`;
}

async function defaults(server: Server): Promise<string> {
  const rows = await server.rows('SELECT default_collate_name FROM information_schema.character_sets ORDER BY 1');
  return rows.map(([name]) => name).join('\n');
}
