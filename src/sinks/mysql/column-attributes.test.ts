import { expect, test } from 'vitest';
import type { ColumnType } from '../../core/table-schema.ts';
import { tableOf } from '../../testing/tables.ts';
import { attributesText, columnAttributes } from './column-attributes.ts';

const MYSQL = `CREATE TABLE \`odd ( name\` (
  \`id\` int unsigned zerofill NOT NULL AUTO_INCREMENT COMMENT 'it''s, a (key) \\\\ with\\na break',
  \`a,b\` enum('x,','y)') CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x,',
  \`tick\`\`ed\` varchar(10) /*!50633 COLUMN_FORMAT COMPRESSED */ COLLATE utf8mb4_bin NOT NULL /*!80023 INVISIBLE */ DEFAULT 'DEFAULT NULL',
  \`at\` timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  \`plain\` decimal(10,2) DEFAULT NULL,
  \`made\` text COLLATE utf8mb4_bin DEFAULT (concat(_utf8mb4'a''b',\`plain\`)),
  PRIMARY KEY (\`id\`),
  KEY \`k\` (\`a,b\`),
  CONSTRAINT \`c\` CHECK ((\`plain\` > 0))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='( \`x\` int DEFAULT 1, )'
/*!50100 PARTITION BY HASH (\`id\`) */`;

test('what stands behind a type in SHOW CREATE TABLE, with texts as a session without escapes takes them', () => {
  const found = columnAttributes(MYSQL);
  expect([...found.keys()]).toEqual(['id', 'a,b', 'tick`ed', 'at', 'plain', 'made']);
  expect(found.get('id')).toEqual({
    zerofill: true,
    words: ['AUTO_INCREMENT', 'COMMENT', "'it''s, a (key) \\ with\na break'"],
  });
  expect(found.get('a,b')?.words).toEqual(['DEFAULT', "'x,'"]);
  expect(found.get('tick`ed')?.words).toEqual([
    '/*!50633 COLUMN_FORMAT COMPRESSED */',
    '/*!80023 INVISIBLE */',
    'DEFAULT',
    "'DEFAULT NULL'",
  ]);
  expect(found.get('plain')?.words).toEqual(['DEFAULT', 'NULL']);
  expect(found.get('made')?.words).toEqual(['DEFAULT', "(concat(_utf8mb4'a''b',`plain`))"]);
});

test.each<[string, { type: ColumnType; length: number }, 'mysql' | 'mariadb', string]>([
  ['at', { type: 'timestamp', length: 6 }, 'mysql', 'DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6)'],
  ['at', { type: 'timestamp', length: 0 }, 'mariadb', 'DEFAULT current_timestamp(0) ON UPDATE current_timestamp(0)'],
  ['a,b', { type: 'text', length: 255 }, 'mysql', "DEFAULT ('x,')"],
  ['a,b', { type: 'text', length: 255 }, 'mariadb', "DEFAULT 'x,'"],
  ['a,b', { type: 'varchar', length: 255 }, 'mysql', "DEFAULT 'x,'"],
])('%s that becomes %o on %s keeps %s', (name, sketch, flavour, text) => {
  const [column] = tableOf('a.b', { c: sketch }).columns;
  const attributes = columnAttributes(MYSQL).get(name);
  if (column === undefined || attributes === undefined) throw new Error('no column');
  expect(attributesText(attributes, column, flavour)).toBe(text);
});
