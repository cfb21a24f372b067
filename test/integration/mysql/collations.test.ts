import { expect, test } from 'vitest';
import { foldText } from '../../../src/core/rows/fold-text.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

const TIMEOUT_MS = 300_000;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** Collations with errors in their tables, which take unrelated letters for equal: no key relies on them. */
const UNSOUND = [
  ['big5_chinese_ci', 'e = `'],
  ['macce_general_ci', 'm = n'],
  ['latin2_general_ci', 'Đ = s'],
  ['latin2_hungarian_ci', 'ľ = á'],
  ['cp1251_bulgarian_ci', 'punctuation'],
  ['cp1257_lithuanian_ci', 'punctuation'],
  ['tis620_thai_ci', 'marks = digits'],
].map(([name]) => name);
const UNSOUND_KINDS = /persian|sinhala/; // Letters of Arabic script and Latin ones; marks and Thai letters.

interface Collation {
  readonly name: string;
  readonly charset: string;
}

describeServers(['mariadb', 'mysql'], 'collations', (server) => {
  test(
    'whatever characters, and pairs of letters, a collation holds for equal fold to one text',
    { timeout: TIMEOUT_MS },
    async () => {
      const texts = await fillTexts(server());
      const wrong: string[] = [];
      let checked = 0;
      for (const collation of await collations(server())) {
        for (const group of await equalTexts(server(), collation)) {
          const folded = new Set<string>();
          for (const id of group) {
            const text = texts[id] ?? '';
            if (counts(text, collation)) folded.add(foldText(text));
          }
          if (folded.size > 1) wrong.push(`${collation.name}: ${[...folded].join(' ')}`);
          checked++;
        }
      }
      expect(wrong.slice(0, 20)).toEqual([]);
      expect(checked).toBeGreaterThan(50_000);
    },
  );
});

/** All characters up to U+FFFF and all pairs of letters, by their id in the table that is made of them. */
async function fillTexts(server: TestServer): Promise<string[]> {
  const texts: string[] = [];
  for (let code = 1; code < 0x1_0000; code++) {
    const text = String.fromCharCode(code);
    // Left out: what no collation groups (Hangul syllables, ideographs of extension A), and what is no character.
    if (/[\p{Cs}\p{Co}\p{Cn}가-힣㐀-䶿]/u.test(text)) continue;
    texts.push(text);
  }
  for (const first of LETTERS) for (const second of LETTERS) texts.push(first + second);
  await server.query(`
    CREATE DATABASE collations;
    CREATE TABLE collations.texts (id INT PRIMARY KEY, text VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL)`);
  for (let from = 0; from < texts.length; from += 4000) {
    const rows = texts.slice(from, from + 4000).map((text, i) => [from + i, text]);
    await server.query('INSERT INTO collations.texts VALUES ?', [rows]);
  }
  await server.query('SET SESSION group_concat_max_len = 10000000');
  return texts;
}

/** One of each kind: `_bin` tells everything apart, NO PAD changes only trailing spaces, UTF-16 and the like share UTF-8's tables. */
async function collations(server: TestServer): Promise<Collation[]> {
  const rows = await server.query<{ name: string; charset: string | null }>(
    `SELECT COLLATION_NAME AS name, CHARACTER_SET_NAME AS charset FROM information_schema.COLLATIONS
     WHERE COLLATION_NAME NOT REGEXP '_bin$|^binary$|nopad|^(utf8|utf8mb3|ucs2|utf16|utf16le|utf32)_'`,
  );
  return rows
    .map(({ name, charset }) => ({
      name: charset === null ? `utf8mb4_${name}` : name,
      charset: charset ?? 'utf8mb4',
    }))
    .filter(({ name }) => !UNSOUND.includes(name) && !UNSOUND_KINDS.test(name));
}

async function equalTexts(server: TestServer, { name, charset }: Collation): Promise<number[][]> {
  const text = charset === 'utf8mb4' ? 'text' : `CONVERT(text USING ${charset})`;
  const rows = await server.query<{ ids: string }>(
    `SELECT GROUP_CONCAT(id) AS ids FROM collations.texts
     WHERE CONVERT(${text} USING utf8mb4) COLLATE utf8mb4_bin = text COLLATE utf8mb4_bin
     GROUP BY HEX(WEIGHT_STRING(${text} COLLATE ${name})) HAVING COUNT(*) > 1`,
  );
  return rows.map(({ ids }) => ids.split(',').map(Number));
}

/** What fold-text.ts answers for: of the 8-bit character sets letters and digits, which some of them take punctuation for. */
function counts(text: string, { name, charset }: Collation): boolean {
  if (name.startsWith('utf8mb4_sv_') && /[Ęę]/.test(text)) return false; // Equal to ä there, to e everywhere else.
  return charset === 'utf8mb4' || charset === 'gb18030' || text.length > 1 || /[\p{L}\p{Nd}]/u.test(text);
}
