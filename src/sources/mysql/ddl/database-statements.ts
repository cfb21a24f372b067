import { CharsetSpecReader } from './charset-parser.ts';
import { resolveCharset } from './charsets.ts';
import type { CharsetAndCollation } from '../schema/table-definition.ts';
import type { DatabaseKnowledge } from './effect.ts';
import type { Statement } from './statement.ts';
import { NotUnderstood } from './token-reader.ts';

/** CREATE [OR REPLACE] DATABASE, from behind that word. */
export function understandCreateDatabase(statement: Statement, orReplace: boolean): void {
  const { reader, context } = statement;
  const ifNotExists = reader.ifNotExists();
  const database = reader.databaseName();
  const before = statement.lookupDatabase(database);
  if (orReplace) statement.add({ op: 'drop-database', database });
  else if (ifNotExists && before !== 'absent') {
    // When it existed, nothing happened. When that is not known, neither is its default now.
    if (before === 'unknown') statement.add({ op: 'define-database', database, charset: null });
    return;
  }
  statement.add({ op: 'define-database', database, charset: readDefault(statement, context.serverCharset) });
}

/** ALTER DATABASE, from behind that word. The name may be left out: then it is the default database. */
export function understandAlterDatabase(statement: Statement): void {
  const { reader, context } = statement;
  const named = reader.atName() && !isOption(statement);
  const database = named ? reader.databaseName() : context.database;
  if (database === '' || reader.at('UPGRADE')) throw new NotUnderstood('which database');
  const before = statement.lookupDatabase(database);
  const charset = readDefault(statement, known(before));
  if (charset !== known(before) || before === 'absent') statement.add({ op: 'define-database', database, charset });
}

/** DROP DATABASE, from behind that word. */
export function understandDropDatabase(statement: Statement): void {
  const { reader } = statement;
  reader.ifExists();
  const database = reader.databaseName();
  reader.expectEnd();
  statement.add({ op: 'drop-database', database });
}

/** The default that the options give, null when they cannot be understood: the tables are not touched by that. */
function readDefault(statement: Statement, inherited: CharsetAndCollation | null): CharsetAndCollation | null {
  const { reader, context } = statement;
  const charset = new CharsetSpecReader(reader, context);
  try {
    while (!reader.atEnd()) {
      if (charset.acceptOption()) continue;
      // [DEFAULT] ENCRYPTION [=] 'Y', READ ONLY [=] 1, COMMENT [=] 'x'
      reader.accept('DEFAULT');
      if (!reader.accept('READ', 'ONLY') && !reader.accept('ENCRYPTION')) reader.expect('COMMENT');
      reader.accept('=');
      reader.next();
    }
    const { spec } = charset;
    if (spec.charset === null && spec.collation === null) return inherited;
    return resolveCharset(spec, inherited, context);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    return null;
  }
}

function isOption({ reader }: Statement): boolean {
  return (
    reader.at('DEFAULT') ||
    reader.at('CHARACTER', 'SET') ||
    reader.at('CHAR', 'SET') ||
    reader.at('CHARSET') ||
    reader.at('COLLATE') ||
    (reader.at('ENCRYPTION') && reader.peek(1).kind !== 'word') ||
    reader.at('READ', 'ONLY') ||
    (reader.at('COMMENT') && reader.peek(1).kind !== 'word')
  );
}

function known(database: DatabaseKnowledge): CharsetAndCollation | null {
  return typeof database === 'string' ? null : database;
}
