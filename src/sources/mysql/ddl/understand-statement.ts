import { understandAlterTable } from './alter-table.ts';
import { understandCreateTable } from './create-table.ts';
import { understandAlterDatabase, understandCreateDatabase, understandDropDatabase } from './database-statements.ts';
import { writtenTables } from './dml.ts';
import type { DdlContext, DdlEffect, SchemaStep, TableName } from './effect.ts';
import { tokenize } from './lexer.ts';
import { understandCreateSequence } from './sequence-statements.ts';
import { Statement } from './statement.ts';
import {
  understandCreateIndex,
  understandDropIndex,
  understandDropTable,
  understandRenameTable,
  understandTruncate,
} from './table-statements.ts';
import { NotUnderstood, TokenReader } from './token-reader.ts';

const IRRELEVANT: DdlEffect = { kind: 'irrelevant' };
const UNKNOWN_ALL: DdlEffect = { kind: 'schema', steps: [{ op: 'unknown-all' }] };
const DML_UNKNOWN: DdlEffect = { kind: 'dml', tables: null };

/** Statements that change no base table, told by their first word. */
const IRRELEVANT_WORDS: ReadonlySet<string> = new Set(
  (
    'COMMIT ROLLBACK SAVEPOINT RELEASE XA START STOP LOCK UNLOCK SET RESET FLUSH PURGE KILL SHOW USE HELP ' +
    'EXPLAIN DESCRIBE DESC CHECK CHECKSUM OPTIMIZE REPAIR CACHE GRANT REVOKE INSTALL UNINSTALL CHANGE RESTART SHUTDOWN ' +
    'SIGNAL RESIGNAL GET DEALLOCATE HANDLER BACKUP'
  ).split(' '),
);

/** Statements that read or change rows. Reading counts: a stored function may write. */
const DML_WORDS: ReadonlySet<string> = new Set(
  'INSERT REPLACE UPDATE DELETE LOAD WITH SELECT VALUES TABLE DO CALL ('.split(' '),
);

/** What CREATE, ALTER and DROP may be about without touching a base table. */
const IRRELEVANT_OBJECTS: ReadonlySet<string> = new Set(
  (
    'VIEW TRIGGER PROCEDURE FUNCTION EVENT USER ROLE SERVER TABLESPACE UNDO LOGFILE RESOURCE SPATIAL PACKAGE LIBRARY ' +
    'INSTANCE PREPARE MASKING'
  ).split(' '),
);

/** Variables that change how a statement is read, or what it makes. */
const DECISIVE_VARIABLES: ReadonlySet<string> = new Set(
  (
    'SQL_MODE OLD_MODE CHARACTER_SET_CLIENT CHARACTER_SET_CONNECTION CHARACTER_SET_SERVER CHARACTER_SET_DATABASE ' +
    'CHARACTER_SET_COLLATIONS COLLATION_CONNECTION COLLATION_SERVER COLLATION_DATABASE EXPLICIT_DEFAULTS_FOR_TIMESTAMP ' +
    'LOWER_CASE_TABLE_NAMES DEFAULT_STORAGE_ENGINE ENFORCE_STORAGE_ENGINE'
  ).split(' '),
);

/**
 * What a statement of the binlog does to the definitions and rows of base tables. Pure and total: it never throws, and whatever
 * it does not understand to the last word is reported as unknown for all tables that the statement may touch.
 */
export function understandStatement(sql: string, context: DdlContext): DdlEffect {
  const { flavour, serverVersion, sqlMode } = context;
  const { ansiQuotes, noBackslashEscapes } = sqlMode;
  const tokens = tokenize(sql, { flavour, serverVersion, ansiQuotes, noBackslashEscapes });
  const reader = new TokenReader(tokens, context);
  // Names read where the server read something else are worth nothing.
  const misread = tokens.some((token) => token.kind === 'error');
  try {
    const effect = understand(reader, context, misread);
    return context.errorCode === 0 ? effect : halfDone(effect);
  } catch (error) {
    if (error instanceof NotUnderstood) return UNKNOWN_ALL;
    throw error;
  }
}

function understand(reader: TokenReader, context: DdlContext, misread: boolean): DdlEffect {
  if (reader.atEnd()) return misread ? UNKNOWN_ALL : IRRELEVANT; // an empty statement, or only a comment
  if (isSetStatement(reader)) {
    if (!skipSetStatement(reader)) return UNKNOWN_ALL;
    return understand(reader, context, misread);
  }
  if (reader.atOneOf(DML_WORDS) && !reader.at('LOAD', 'INDEX')) return understandDml(reader, misread);
  if (misread) return UNKNOWN_ALL;
  if (reader.accept('CREATE')) return understandCreate(reader, context);
  if (reader.accept('ALTER')) return understandAlter(reader, context);
  if (reader.accept('DROP')) return understandDrop(reader, context);
  if (reader.accept('RENAME')) return understandRename(reader, context);
  if (reader.accept('TRUNCATE')) return collect(reader, context, understandTruncate);
  if (reader.accept('ANALYZE')) return understandAnalyze(reader);
  // MariaDB: BEGIN NOT ATOMIC … END is a block of any statements.
  if (reader.accept('BEGIN')) return reader.at('NOT') ? UNKNOWN_ALL : IRRELEVANT;
  // What a BINLOG statement holds is row events.
  if (reader.at('BINLOG')) return DML_UNKNOWN;
  return reader.atOneOf(IRRELEVANT_WORDS) || reader.at('LOAD') ? IRRELEVANT : UNKNOWN_ALL;
}

function understandDml(reader: TokenReader, misread: boolean): DdlEffect {
  if (misread) return DML_UNKNOWN;
  try {
    return { kind: 'dml', tables: writtenTables(reader) };
  } catch (error) {
    if (error instanceof NotUnderstood) return DML_UNKNOWN;
    throw error;
  }
}

function understandCreate(reader: TokenReader, context: DdlContext): DdlEffect {
  const orReplace = reader.accept('OR', 'REPLACE');
  // A temporary table or sequence is one session's own.
  if (reader.accept('TEMPORARY')) return IRRELEVANT;
  if (reader.accept('TABLE')) {
    return collect(reader, context, (statement) => understandCreateTable(statement, orReplace));
  }
  if (reader.accept('SEQUENCE')) {
    return collect(reader, context, (statement) => understandCreateSequence(statement, orReplace));
  }
  if (reader.accept('DATABASE') || reader.accept('SCHEMA')) {
    return collect(reader, context, (statement) => understandCreateDatabase(statement, orReplace));
  }
  reader.accept('ONLINE');
  reader.accept('OFFLINE');
  const unique = reader.accept('UNIQUE');
  if (!unique && !reader.at('SPATIAL', 'REFERENCE') && !reader.accept('FULLTEXT') && !reader.accept('SPATIAL')) {
    reader.accept('VECTOR');
  }
  if (reader.accept('INDEX')) return collect(reader, context, (statement) => understandCreateIndex(statement, unique));
  return understandObject(reader);
}

function understandAlter(reader: TokenReader, context: DdlContext): DdlEffect {
  reader.accept('ONLINE');
  reader.accept('OFFLINE');
  const ignore = reader.accept('IGNORE');
  if (reader.accept('TABLE')) return collect(reader, context, (statement) => understandAlterTable(statement, ignore));
  if (reader.accept('DATABASE') || reader.accept('SCHEMA')) return collect(reader, context, understandAlterDatabase);
  // A sequence's columns stay; its new values are written as row events.
  if (reader.accept('SEQUENCE')) return IRRELEVANT;
  return understandObject(reader);
}

function understandDrop(reader: TokenReader, context: DdlContext): DdlEffect {
  if (reader.accept('TEMPORARY')) return IRRELEVANT;
  if (reader.accept('TABLE') || reader.accept('TABLES') || reader.accept('SEQUENCE')) {
    return collect(reader, context, understandDropTable);
  }
  if (reader.accept('DATABASE') || reader.accept('SCHEMA')) return collect(reader, context, understandDropDatabase);
  reader.accept('ONLINE');
  reader.accept('OFFLINE');
  if (reader.accept('INDEX')) return collect(reader, context, understandDropIndex);
  return understandObject(reader);
}

function understandRename(reader: TokenReader, context: DdlContext): DdlEffect {
  if (reader.accept('USER')) return IRRELEVANT;
  if (!reader.accept('TABLES')) reader.expect('TABLE');
  return collect(reader, context, understandRenameTable);
}

/** ANALYZE TABLE; in MariaDB also ANALYZE before a statement, which it executes. */
function understandAnalyze(reader: TokenReader): DdlEffect {
  if (!reader.accept('NO_WRITE_TO_BINLOG')) reader.accept('LOCAL');
  return reader.at('TABLE') || reader.at('TABLES') ? IRRELEVANT : DML_UNKNOWN;
}

/** CREATE, ALTER and DROP of what is no table, behind clauses such as DEFINER and ALGORITHM. */
function understandObject(reader: TokenReader): DdlEffect {
  for (;;) {
    if (reader.atOneOf(IRRELEVANT_OBJECTS)) return IRRELEVANT;
    if (reader.accept('ALGORITHM') || reader.accept('DEFINER')) {
      reader.expect('=');
      // user@host, CURRENT_USER(), MERGE
      reader.next();
      if (reader.at('(')) reader.skipGroup();
      if (reader.accept('@')) reader.next();
    } else if (reader.accept('SQL', 'SECURITY')) reader.next();
    else if (!reader.accept('AGGREGATE')) throw new NotUnderstood('unknown object');
  }
}

/** MariaDB: SET STATEMENT variable = value, … FOR statement. */
function isSetStatement(reader: TokenReader): boolean {
  return reader.at('SET', 'STATEMENT') && reader.peek(2).upper !== '=';
}

/** Reads up to behind FOR; false when a variable decides what the statement means. */
function skipSetStatement(reader: TokenReader): boolean {
  let harmless = true;
  reader.expect('SET', 'STATEMENT');
  while (!reader.accept('FOR')) {
    if (reader.at('(')) reader.skipGroup();
    else if (DECISIVE_VARIABLES.has(reader.next().text.toUpperCase())) harmless = false;
  }
  return harmless;
}

function collect(reader: TokenReader, context: DdlContext, understandIt: (statement: Statement) => void): DdlEffect {
  const statement = new Statement(reader, context);
  understandIt(statement);
  return statement.steps.length === 0 ? IRRELEVANT : { kind: 'schema', steps: statement.steps };
}

/** The effect of a statement that failed in part: everything it names is in doubt. */
function halfDone(effect: DdlEffect): DdlEffect {
  if (effect.kind !== 'schema') return effect;
  return { kind: 'schema', steps: effect.steps.flatMap(inDoubt) };
}

function inDoubt(step: SchemaStep): SchemaStep[] {
  const unknown = (table: TableName): SchemaStep => ({ op: 'unknown', table });
  switch (step.op) {
    case 'define': {
      const { database, name } = step.definition.schema;
      return [unknown({ database, name })];
    }
    case 'drop':
    case 'unknown':
      return [unknown(step.table)];
    case 'rename':
      return [unknown(step.from), unknown(step.to)];
    case 'truncate':
    case 'replace-rows':
      return [{ op: 'replace-rows', table: step.table }];
    case 'define-database':
    case 'drop-database':
    case 'unknown-database':
      return [{ op: 'unknown-database', database: step.database }];
    case 'unknown-all':
      return [step];
  }
}
