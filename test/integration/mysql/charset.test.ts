import { isUtf8 } from 'node:buffer';
import type { Connection } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { isTidingsError } from '../../../src/core/errors.ts';
import { type Charset, charsetByName } from '../../../src/sources/mysql/charset/charset.ts';
import {
  charsetOfCollation,
  charsetOfCollationName,
  collationName,
  defaultCollationOf,
} from '../../../src/sources/mysql/charset/collations.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

const FLAVOURS: readonly ServerFlavour[] = ['mariadb', 'mysql'];
const CHARACTERS_PER_ROW = 4096;
/** Each test asks for more than a million characters or byte sequences. */
const TIMEOUT_MS = 180_000;
/** First bytes of three: those of ujis, and in utf8mb3 those among which the surrogates would be. */
const TRIPLE_LEADS = ['8f', 'ed'];

describeServers(FLAVOURS, 'character sets', (server, flavour) => {
  test('every character that a set can encode reads as SELECT shows it', { timeout: TIMEOUT_MS }, async () => {
    await using scratch = await Scratch.open(server());
    await scratch.createAllCharacters();
    for (const name of await scratch.charsets(flavour)) {
      const charset = requireCharset(name, flavour);
      const rows = await scratch.storeAllCharacters(name);
      let characters = 0;
      for (const { raw, shown } of rows) {
        const text = charset.decode(raw, 0, raw.length);
        if (text !== shown.toString('utf8')) expect.fail(`${name}: ${firstDifference(text, shown.toString('utf8'))}`);
        characters += text.replaceAll('?', '').length;
      }
      expect({ name, enough: characters > 60 }).toEqual({ name, enough: true }); // `filename` has the fewest that are not written by their numbers
    }
  });

  test(
    'every byte sequence that is a character reads as SELECT shows it, and every other is refused',
    { timeout: TIMEOUT_MS },
    async () => {
      await using scratch = await Scratch.open(server());
      await scratch.createAllBytes();
      for (const name of await scratch.charsets(flavour)) {
        const charset = requireCharset(name, flavour);
        const sequences = await scratch.sequences(charset);
        const wrong: string[] = [];
        for (const { hex, isCharacter, shown } of sequences) {
          const bytes = Buffer.from(hex, 'hex');
          const text = decodeOrNull(charset, bytes);
          const expected = isCharacter ? definedText(bytes, shown) : null;
          // What is not one character may be several: those are sequences of their own here.
          if (text === expected || (!isCharacter && text !== null && Array.from(text).length > 1)) continue;
          wrong.push(`${hex}: ${JSON.stringify(text)} instead of ${JSON.stringify(expected)}`);
        }
        expect({ name, wrong: wrong.slice(0, 10) }).toEqual({ name, wrong: [] });
        expect({ name, enough: sequences.length >= 128 }).toEqual({ name, enough: true });
      }
    },
  );

  test('every collation of the server has its name and its character set', async () => {
    const listed = await listCollations(server(), flavour);
    const known = listed.map(({ id }) => ({
      id,
      name: collationName(id, flavour),
      charset: charsetOfCollation(id, flavour),
    }));
    expect(known).toEqual(listed);
    expect(listed.map(({ name }) => charsetOfCollationName(name))).toEqual(listed.map(({ charset }) => charset));
    // What MariaDB's own default for the variable changes, from 11.5 on, is in the binlog with each statement.
    const [overrides] = await server().query("SHOW VARIABLES LIKE 'character_set_collations'");
    if (overrides !== undefined) await server().query("SET SESSION character_set_collations = ''");
    const defaults = await server().query<{ charset: string; collation: string }>(
      'SELECT character_set_name AS charset, default_collate_name AS collation FROM information_schema.character_sets',
    );
    for (const { charset, collation } of defaults) expect(defaultCollationOf(charset, flavour)).toBe(collation);
  });
});

interface StoredText {
  readonly raw: Buffer;
  /** What the server sends for it over a utf8mb4 connection. */
  readonly shown: Buffer;
}

interface Sequence {
  readonly hex: string;
  /** The server takes these bytes for one well-formed character. */
  readonly isCharacter: boolean;
  readonly shown: Buffer | null;
}

/** A database of its own on a connection that yields the bytes as the server sends them. */
class Scratch implements AsyncDisposable {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async open(server: TestServer): Promise<Scratch> {
    const connection = await server.connection({ charset: 'utf8mb4', typeCast: (field) => field.buffer() });
    const scratch = new Scratch(connection);
    await connection.query('CREATE DATABASE charset_test CHARACTER SET utf8mb4; USE charset_test');
    await connection.query('SET SESSION sql_log_bin = 0, SESSION max_error_count = 0');
    return scratch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.query('DROP DATABASE charset_test');
    await this.#connection.end();
  }

  async rows(sql: string): Promise<Record<string, Buffer | null>[]> {
    const [rows] = await this.#connection.query(sql);
    return rows as Record<string, Buffer | null>[];
  }

  async charsets(flavour: ServerFlavour): Promise<string[]> {
    const listed = await this.rows('SELECT character_set_name AS name FROM information_schema.character_sets');
    const names = listed.map(({ name }) => String(name)).filter((name) => name !== 'binary');
    return flavour === 'mariadb' ? [...names, 'filename'] : names; // not listed, but a column of MariaDB can have it
  }

  /** All of Unicode from U+0001 on, surrogates left out, in rows of some thousand characters. */
  async createAllCharacters(): Promise<void> {
    await this.rows('CREATE TABLE all_characters (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)');
    for (let from = 0; from <= 0x10ffff; from += CHARACTERS_PER_ROW) {
      let row = '';
      for (let codePoint = Math.max(from, 1); codePoint < from + CHARACTERS_PER_ROW; codePoint++) {
        if (codePoint < 0xd800 || codePoint > 0xdfff) row += String.fromCodePoint(codePoint);
      }
      await this.#connection.query('INSERT INTO all_characters (v) VALUES (?)', [row]);
    }
  }

  /** Stores them in a column of that set, where '?' takes the place of those that it lacks; rows of '?' alone are left out. */
  async storeAllCharacters(charset: string): Promise<StoredText[]> {
    await this.rows(`CREATE TABLE stored_text (id INT PRIMARY KEY, v LONGTEXT CHARACTER SET ${charset})`);
    // The server's `filename` keeps four of a number's five digits: beyond the BMP it stores another character.
    const last = charset === 'filename' ? 0x10000 / CHARACTERS_PER_ROW : 0x110000 / CHARACTERS_PER_ROW;
    await this.rows(`INSERT IGNORE INTO stored_text SELECT id, v FROM all_characters WHERE id <= ${last}`);
    const rows = await this.rows(
      `SELECT CAST(v AS BINARY) AS raw, v AS shown FROM stored_text
       WHERE LENGTH(REPLACE(CONVERT(v USING utf8mb4), '?', '')) > 0 ORDER BY id`,
    );
    await this.rows('DROP TABLE stored_text');
    return rows as unknown as StoredText[];
  }

  async createAllBytes(): Promise<void> {
    const values = Array.from({ length: 256 }, (_, byte) => `(x'${byte.toString(16).padStart(2, '0')}')`);
    await this.rows('CREATE TABLE one (b VARBINARY(1) PRIMARY KEY)');
    await this.rows('CREATE TABLE two (b VARBINARY(2) PRIMARY KEY)');
    await this.rows(`INSERT INTO one VALUES ${values.join()}`);
    await this.rows('INSERT INTO two SELECT CONCAT(x.b, y.b) FROM one x, one y');
  }

  /** All sequences of one and two bytes, and many longer ones where the set has longer characters. */
  async sequences({ name, bytesPerCharMax, bytesPerCharMin }: Charset): Promise<Sequence[]> {
    const sources: string[] = [];
    if (bytesPerCharMin === 1) sources.push('SELECT b FROM one');
    if (bytesPerCharMin <= 2 && bytesPerCharMax > 1) sources.push('SELECT b FROM two');
    if (name.startsWith('u') && bytesPerCharMax === 3) {
      for (const lead of TRIPLE_LEADS) sources.push(`SELECT CONCAT(x'${lead}', b) b FROM two`);
    }
    if (name === 'eucjpms') sources.push(`SELECT CONCAT(x'8f', b) b FROM two`);
    if (name === 'filename') sources.push(`SELECT CONCAT('@', b) b FROM two`, `SELECT CONCAT('@', HEX(b)) b FROM two`);
    if (name === 'filename') sources.push(`SELECT LOWER(CONCAT('@', HEX(b))) b FROM two`);
    if (name === 'utf32') sources.push(`SELECT CONCAT(x'0000', b) b FROM two`, `SELECT CONCAT(x'0010', b) b FROM two`);
    if (name === 'utf16') sources.push(`SELECT CONCAT(x'd83d', b) b FROM two`, `SELECT CONCAT(x'dbff', b) b FROM two`);
    if (name === 'utf16le') sources.push(`SELECT CONCAT(x'3dd8', b) b FROM two`);
    const planes = name === 'utf8mb4' ? ['f09f', 'f48f'] : [];
    sources.push(...planes.map((lead) => `SELECT CONCAT(x'${lead}', b) b FROM two`));
    if (name === 'gb18030') {
      // The first and last four-byte sequences of the BMP, and those around U+10FFFF.
      const leads = ['8130', '8431', 'e332'];
      sources.push(...leads.map((lead) => `SELECT CONCAT(x'${lead}', b) b FROM two`));
    }
    const rows = await this.rows(
      `SELECT HEX(b) AS hex, CAST(s AS BINARY) = b AND CHAR_LENGTH(s) = 1 AS one, CONVERT(s USING utf8mb4) AS shown FROM
       (SELECT b, CONVERT(b USING ${name}) s FROM (${sources.map((source) => `(${source})`).join(' UNION ALL ')}) t) u`,
    );
    return rows.map(({ hex, one, shown }) => ({
      hex: String(hex),
      isCharacter: one?.toString() === '1',
      shown: shown ?? null,
    }));
  }
}

function requireCharset(name: string, flavour: ServerFlavour): Charset {
  const charset = charsetByName(name, flavour);
  if (charset === null) throw new Error(`${flavour} has a character set ${name} that Tidings does not know`);
  expect(charset.name).toBe(name);
  return charset;
}

function decodeOrNull(charset: Charset, bytes: Buffer): string | null {
  try {
    return charset.decode(bytes, 0, bytes.length);
  } catch (error) {
    if (isTidingsError(error) && error.code === 'TEXT_UNDECODABLE') return null;
    throw error;
  }
}

/** What the server shows, or null where that is no character: nothing, '?' in place of one, or no UTF-8. */
function definedText(bytes: Buffer, shown: Buffer | null): string | null {
  if (shown === null || shown.length === 0 || !isUtf8(shown)) return null;
  const text = shown.toString('utf8');
  const isQuestionMark = bytes.includes(0x3f) || bytes.toString() === '@003f'; // the latter in `filename`
  return text === '?' && !isQuestionMark ? null : text;
}

function firstDifference(text: string, shown: string): string {
  let at = 0;
  while (text[at] === shown[at]) at++;
  return `unit ${at} is ${text.charCodeAt(at).toString(16)}, the server shows ${shown.charCodeAt(at).toString(16)}`;
}

async function listCollations(
  server: TestServer,
  flavour: ServerFlavour,
): Promise<{ id: number; name: string; charset: string }[]> {
  const columns = 'c.id AS id, c.collation_name AS name, c.character_set_name AS charset';
  const [{ full } = { full: 0 }] = await server.query<{ full: number }>(
    `SELECT COUNT(*) AS full FROM information_schema.columns WHERE column_name = 'FULL_COLLATION_NAME'`,
  );
  const inOneTable = `SELECT ${columns} FROM information_schema.collations c ORDER BY id`;
  if (flavour === 'mysql' || full === 0) return await server.query(inOneTable);
  return await server.query(
    `SELECT id, full_collation_name AS name, character_set_name AS charset
     FROM information_schema.collation_character_set_applicability WHERE id > 0 ORDER BY id`,
  );
}
