import type { SchemaChange, Truncation } from '../../../core/change.ts';
import type { QueryEvent } from '../binlog/query-event.ts';
import type { SchemaStep, TableName } from '../ddl/effect.ts';
import { understandStatement } from '../ddl/understand-statement.ts';
import type { SchemaHistory } from '../schema/schema-history.ts';
import { statementContext, statementText } from '../schema/statement-context.ts';
import type { Server } from '../server.ts';
import type { TableSelection } from '../table-selection.ts';

/** Statements that steer a transaction, as the servers write them into the binlog; all others are 'statement'. */
export type ControlStatement =
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'xa-end' | 'statement' }
  /** The name as far as it tells savepoints apart: without quotes and in lower case. */
  | { readonly kind: 'savepoint' | 'rollback-to'; readonly name: string }
  | { readonly kind: 'xa-start' | 'xa-commit' | 'xa-rollback'; readonly xid: string };

/** Longer statements are never control statements: an XA id has 64 + 64 bytes at most, in hexadecimal. */
const CONTROL_BYTES_MAX = 512;

export function classifyControl(query: Buffer): ControlStatement {
  if (query.length > CONTROL_BYTES_MAX) return { kind: 'statement' };
  const text = query.toString('latin1').trim();
  const word = /^[a-z]+/i.exec(text)?.[0].toUpperCase() ?? '';
  switch (word) {
    case 'BEGIN':
      return { kind: /^BEGIN(\s+WORK)?$/i.test(text) ? 'begin' : 'statement' };
    case 'COMMIT':
      return { kind: 'commit' };
    case 'ROLLBACK': {
      const target = /^ROLLBACK\s+(?:WORK\s+)?TO\b\s*(?:SAVEPOINT\b)?(.*)$/is.exec(text)?.[1];
      return target === undefined ? { kind: 'rollback' } : { kind: 'rollback-to', name: savepointName(target) };
    }
    case 'SAVEPOINT':
      return { kind: 'savepoint', name: savepointName(text.slice(word.length)) };
    case 'XA':
      return xaStatement(text);
    default:
      return { kind: 'statement' };
  }
}

function savepointName(text: string): string {
  return text
    .trim()
    .replace(/^[`"](.*)[`"]$/s, '$1')
    .toLowerCase();
}

function xaStatement(text: string): ControlStatement {
  const found = /^XA\s+(START|BEGIN|END|COMMIT|ROLLBACK)\s+X'([0-9a-f]*)'\s*,\s*X'([0-9a-f]*)'\s*,\s*(\d+)/i.exec(text);
  if (found === null) return { kind: 'statement' };
  const [, verb = '', gtrid = '', bqual = '', format = ''] = found;
  const xid = `X'${gtrid.toLowerCase()}',X'${bqual.toLowerCase()}',${format}`;
  switch (verb.toUpperCase()) {
    case 'COMMIT':
      return { kind: 'xa-commit', xid };
    case 'ROLLBACK':
      return { kind: 'xa-rollback', xid };
    case 'END':
      return { kind: 'xa-end' };
    default:
      return { kind: 'xa-start', xid };
  }
}

export interface StatementOutcome {
  readonly changesSchema: boolean;
  /** What consumers are told. */
  readonly entries: readonly (SchemaChange | Truncation)[];
  /** Rows of a watched table changed though no row event says so: what did it, for a message. */
  readonly rowsWithoutEvents: string | null;
}

export interface StatementOptions {
  readonly flags: number;
  readonly server: Server;
  readonly writtenBy: string;
  readonly history: SchemaHistory;
  readonly selection: TableSelection;
}

/** Moves the schema history on, and says what a statement means for the watched tables. */
export function applyStatement(
  event: QueryEvent,
  { flags, server, writtenBy, history, selection }: StatementOptions,
): StatementOutcome {
  const sql = statementText(event, server.flavour);
  const context = statementContext({ event, flags, server, writtenBy, catalog: history.catalog });
  const effect = sql === null ? UNREADABLE : understandStatement(sql, context);
  switch (effect.kind) {
    case 'irrelevant':
      return { changesSchema: false, entries: [], rowsWithoutEvents: null };
    case 'dml': {
      const watched = effect.tables?.find(({ database, name }) => selection.watches(database, name));
      if (effect.tables !== null && watched === undefined) {
        return { changesSchema: false, entries: [], rowsWithoutEvents: null };
      }
      const what =
        watched === undefined ? 'tables that cannot be told from the statement' : `${watched.database}.${watched.name}`;
      const table = watched?.name ?? null;
      return {
        changesSchema: false,
        entries: [{ type: 'schema', database: watched?.database ?? event.database, table, sql: sql ?? '' }],
        rowsWithoutEvents: `a statement changed rows of ${what}`,
      };
    }
    case 'schema':
      history.apply(effect.steps);
      return {
        changesSchema: true,
        entries: announced(effect.steps, { sql: sql ?? '', database: event.database, selection }),
        rowsWithoutEvents: silentRows(effect.steps, selection),
      };
  }
}

const UNREADABLE: { readonly kind: 'schema'; readonly steps: readonly SchemaStep[] } = {
  kind: 'schema',
  steps: [{ op: 'unknown-all' }],
};

function silentRows(steps: readonly SchemaStep[], selection: TableSelection): string | null {
  for (const step of steps) {
    if (step.op !== 'replace-rows' && !(step.op === 'truncate' && step.rows === 'some')) continue;
    const { database, name } = step.table;
    if (!selection.watches(database, name)) continue;
    return step.op === 'truncate'
      ? `partitions of ${database}.${name} were emptied`
      : `rows of ${database}.${name} were exchanged`;
  }
  return null;
}

/** One entry for each watched table that the statement names, in the order of its steps. */
function announced(
  steps: readonly SchemaStep[],
  { sql, database, selection }: { sql: string; database: string; selection: TableSelection },
): (SchemaChange | Truncation)[] {
  const entries: (SchemaChange | Truncation)[] = [];
  const seen = new Set<string>();
  const table = ({ database: db, name }: TableName): void => {
    const key = `${db}.${name}`;
    if (seen.has(key) || !selection.watches(db, name)) return;
    seen.add(key);
    entries.push({ type: 'schema', database: db, table: name, sql });
  };
  const wholeDatabase = (db: string): void => {
    if (selection.touches(db)) entries.push({ type: 'schema', database: db, table: null, sql });
  };
  for (const step of steps) {
    switch (step.op) {
      case 'define':
        table({ database: step.definition.schema.database, name: step.definition.schema.name });
        break;
      case 'drop':
      case 'unknown':
      case 'replace-rows':
        table(step.table);
        break;
      case 'rename':
        table(step.from);
        table(step.to);
        break;
      case 'truncate':
        if (step.rows === 'some') table(step.table);
        else if (selection.watches(step.table.database, step.table.name)) {
          entries.push({ type: 'truncate', database: step.table.database, table: step.table.name, sql });
        }
        break;
      case 'define-database':
      case 'drop-database':
      case 'unknown-database':
        wholeDatabase(step.database);
        break;
      case 'unknown-all':
        // Whatever it is about, it may have changed a watched table: who keeps definitions must hear of it.
        entries.push({ type: 'schema', database, table: null, sql });
        break;
    }
  }
  return entries;
}
