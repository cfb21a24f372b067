import { expect, test } from 'vitest';
import { tableOf } from '../../testing/tables.ts';
import { chooseCollation, columnDefinition } from './column-definition.ts';
import { primaryKeyParts } from './key-parts.ts';
import type { TargetServer } from './target-server.ts';

function server(flavour: TargetServer['flavour'], ...collations: readonly string[]): TargetServer {
  return {
    flavour,
    versionText: '',
    version: 0,
    packetBytesMax: 0,
    hasRowAlias: false,
    foldsNames: false,
    collations: new Map(collations.map((name) => [name, name.replace(/_.*/, '')])),
  };
}

const MYSQL = server(
  'mysql',
  'utf8mb4_0900_ai_ci',
  'utf8mb4_0900_as_cs',
  'utf8mb4_0900_bin',
  'utf8mb4_bin',
  'latin1_swedish_ci',
);
const MARIADB = server(
  'mariadb',
  'utf8mb4_unicode_520_ci',
  'utf8mb4_unicode_520_nopad_ci',
  'utf8mb4_bin',
  'utf8mb4_nopad_bin',
  'utf8mb4_general_ci',
);

const MARIADB_11_8 = server(
  'mariadb',
  'utf8mb4_0900_ai_ci',
  'utf8mb4_0900_as_cs',
  'utf8mb4_uca1400_nopad_ai_ci',
  'utf8mb4_nopad_bin',
);

test.each([
  [MYSQL, 'utf8mb4_0900_ai_ci', true, 'utf8mb4_0900_ai_ci'],
  [MARIADB_11_8, 'utf8mb4_0900_ai_ci', false, 'utf8mb4_0900_ai_ci'],
  [MARIADB_11_8, 'utf8mb4_0900_ai_ci', true, 'utf8mb4_nopad_bin'],
  [MARIADB_11_8, 'utf8mb4_tr_0900_as_cs', true, 'utf8mb4_nopad_bin'],
  [MARIADB_11_8, 'utf8mb4_tr_0900_ai_ci', false, 'utf8mb4_uca1400_nopad_ai_ci'],
  [MYSQL, 'utf8mb4_uca1400_ai_ci', false, 'utf8mb4_0900_ai_ci'],
  [MYSQL, 'utf8mb4_uca1400_as_cs', false, 'utf8mb4_0900_as_cs'],
  [MYSQL, 'utf8mb4_uca1400_ai_ci', true, 'utf8mb4_0900_bin'],
  [MYSQL, 'latin1_swedish_ci', true, 'latin1_swedish_ci'],
  [MARIADB, 'utf8mb4_0900_ai_ci', false, 'utf8mb4_unicode_520_nopad_ci'],
  [MARIADB, 'utf8mb4_0900_as_cs', false, 'utf8mb4_nopad_bin'],
  [MARIADB, 'utf8mb4_0900_ai_ci', true, 'utf8mb4_nopad_bin'],
  [MARIADB, 'gb18030_chinese_ci', false, 'utf8mb4_unicode_520_ci'],
])('a near collation is found, and in a key one that tells all texts apart', (target, collation, inKey, chosen) => {
  expect(chooseCollation({ charset: collation.replace(/_.*/, ''), collation, inKey }, target)).toBe(chosen);
});

test('a CHAR that keeps the spaces at its end is made a VARCHAR, which does', () => {
  const charset = { charset: 'filename', collation: 'filename' };
  const [column] = tableOf('shop.t', { c: { type: 'char', length: 20, ...charset } }).columns;
  if (column === undefined) throw new Error('the table has no column');
  const options = { server: MARIADB, inKey: false, nullable: false };
  expect(columnDefinition(column, options)).toEqual({
    sql: '`c` VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL',
    instead: 'VARCHAR(20)',
  });
  expect(columnDefinition({ ...column, charset: 'utf8mb4', collation: 'utf8mb4_bin' }, options).sql).toContain(
    'CHAR(20)',
  );
});

test('a key has as long beginnings of long texts as there is room for', () => {
  const { columns } = tableOf('a.b', {
    id: 'int',
    short: { type: 'varchar', length: 10 },
    long: { type: 'varchar', length: 5000 },
    text: { type: 'text', length: 65_535 },
    tiny: { type: 'blob', length: 255 },
  });
  const parts = (...names: readonly string[]): readonly string[] =>
    primaryKeyParts(
      columns.filter(({ name }) => names.includes(name)),
      () => 'utf8mb4',
    );
  expect(parts('id', 'short')).toEqual(['`id`', '`short`']);
  expect(parts('id', 'tiny')).toEqual(['`id`', '`tiny`(255)']);
  expect(parts('long')).toEqual(['`long`(768)']);
  expect(parts('short', 'long', 'text')).toEqual(['`short`', '`long`(379)', '`text`(379)']);
});
