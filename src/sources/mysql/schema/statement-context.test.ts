import { expect, test } from 'vitest';
import { serverOf } from '../../../../test/support/server-facts.ts';
import type { QueryStatusVariables } from '../binlog/query-status-variables.ts';
import { Catalog } from '../ddl/catalog.ts';
import { statementContext } from './statement-context.ts';

/** The ids of utf8mb4_general_ci and utf8mb4_german2_ci. */
const GENERAL = 45;
const GERMAN2 = 244;

test("what a statement carries of character_set_collations is all of it, whatever the server's setting is today", () => {
  expect(defaultsOf({})).toEqual(['utf8mb4_uca1400_ai_ci', 'ucs2_uca1400_ai_ci']);
  expect(defaultsOf({ characterSetCollations: [] })).toEqual(['utf8mb4_general_ci', 'ucs2_general_ci']);
  expect(defaultsOf({ characterSetCollations: [{ charset: GENERAL, collation: GERMAN2 }] })).toEqual([
    'utf8mb4_german2_ci',
    'ucs2_general_ci',
  ]);
});

/** The default collations of utf8mb4 and ucs2 in a statement of MariaDB 11.8. */
function defaultsOf(variables: QueryStatusVariables): (string | null)[] {
  const server = serverOf('mariadb', {
    version: '11.8.9-MariaDB',
    server: {
      defaultCollations: new Map([
        ['utf8mb4', 'utf8mb4_uca1400_ai_ci'],
        ['ucs2', 'ucs2_uca1400_ai_ci'],
      ]),
    },
  });
  const { defaultCollation } = statementContext({
    event: {
      kind: 'query',
      threadId: 1,
      executionTime: 0,
      errorCode: 0,
      database: 'd',
      variables,
      query: Buffer.from('CREATE TABLE t (a CHAR(1) CHARACTER SET utf8mb4)'),
    },
    flags: 0,
    server,
    writtenBy: server.versionText,
    catalog: new Catalog({ lookup: () => 'absent', lookupDatabase: () => 'absent' }),
  });
  return [defaultCollation('utf8mb4'), defaultCollation('ucs2')];
}
