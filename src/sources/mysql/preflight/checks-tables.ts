import { type Check, error, ok, type Verdict, warning } from './check.ts';
import { configure, cures, grantSelect, list, quoteName, quoteTable } from './cures.ts';
import { isOn, setting, type TableFacts, type WatchedTable } from './facts.ts';

// The tables that are watched.

export const tablesMatched: Check = {
  code: 'TABLES',
  atStart: null,
  look(facts) {
    const { tables } = facts;
    if (tables === null) return [];
    const { watched, patterns } = tables;
    const idle = patterns.filter(({ matches }) => matches === 0);
    if (idle.length === 0) {
      return [ok(watched.length === 1 ? '1 table is watched' : `${watched.length} tables are watched`)];
    }
    const hidden = idle.filter(({ selectable }) => !selectable);
    const names = list(idle.map(({ text }) => text));
    const none = watched.length === 0;
    if (hidden.length === 0) {
      return [warning(`${none ? 'no table is watched: nothing matches' : 'no table matches'} ${names}`, null)];
    }
    const message = `${none ? 'no table is watched: nothing matches' : 'no table matches'} ${names}. It does not exist, or the account may not see it`;
    const cure = grantSelect(
      facts,
      hidden.map(({ target }) => target),
    );
    return [none ? error(message, cure) : warning(message, cure)];
  },
};

/**
 * Reading needs SELECT for nothing but the definitions: information_schema shows only what the account may select from. Full
 * metadata makes that unnecessary on MySQL; MariaDB's does not tell UUID, INET and VECTOR columns from binary ones.
 */
export const tableAccess: Check = {
  code: 'TABLE_ACCESS',
  atStart: null,
  look(facts) {
    const { tables, server, grants } = facts;
    if (tables === null || grants === null) return [];
    const described = setting(server, 'binlog_row_metadata') === 'FULL';
    const unnecessary = described && server.flavour === 'mysql';
    const verdicts: Verdict[] = [];
    const partly = tables.watched.filter(({ selectable }) => !selectable);
    if (partly.length > 0 && !unnecessary) {
      const make = described ? warning : error;
      verdicts.push(
        make(
          `the account has no SELECT on all of ${list(partly.map(nameOf))}: the definitions cannot be read`,
          grantSelect(facts, partly.map(quoteTable)),
        ),
      );
    }
    const open = tables.patterns.filter(({ selectable, matches }) => !selectable && matches > 0);
    if (open.length > 0 && partly.length === 0 && !unnecessary) {
      verdicts.push(
        warning(
          `the account cannot see all that ${list(open.map(({ text }) => text))} may match: a table that it does not see stops the reading at its first change`,
          grantSelect(
            facts,
            open.map(({ target }) => target),
          ),
        ),
      );
    }
    const unreadable = tables.watched.filter((table) => table.unreadable !== null && table.selectable);
    for (const table of unreadable) {
      const make = unnecessary ? warning : error;
      verdicts.push(
        make(
          `the definition of ${nameOf(table)} cannot be read: ${table.unreadable}`,
          `--exclude '${quoteTable(table)}'`,
        ),
      );
    }
    if (verdicts.length > 0 || tables.watched.length === 0) return verdicts;
    return [
      ok(
        unnecessary
          ? 'the binlog describes its rows: the account needs no SELECT'
          : 'the account may read the definitions of all watched tables',
      ),
    ];
  },
};

export const primaryKeys: Check = {
  code: 'PRIMARY_KEYS',
  atStart: null,
  look: ({ tables }) =>
    aboutTables(tables, {
      found: ({ hasPrimaryKey }) => hasPrimaryKey === false,
      message: (names) =>
        `${names} have no primary key: their changes carry no key, and key events are not published for them`,
      cure: ({ keyProposal }) => keyProposal,
      fine: 'all watched tables have a primary key',
    }),
};

export const engines: Check = {
  code: 'ENGINES',
  atStart: null,
  look: ({ tables }) =>
    aboutTables(tables, {
      found: ({ transactional }) => transactional === false,
      message: (names) =>
        `${names} have an engine without transactions: what a failed or rolled back statement has changed there stays changed, and a transaction that also touches others may stop the reading`,
      cure: (table) => `ALTER TABLE ${quoteTable(table)} ENGINE = InnoDB;`,
      fine: 'all watched tables have an engine with transactions',
    }),
};

/** MariaDB 11.8 logs generated columns with inserted rows and nowhere else, also with binlog_row_image=FULL. */
export const generatedColumns: Check = {
  code: 'GENERATED_COLUMNS',
  atStart: null,
  look: ({ tables }) =>
    aboutTables(tables, {
      found: ({ insertedOnly }) => insertedOnly.length > 0,
      message: (names) =>
        `this server logs the generated columns of ${names} with inserted rows only: they are absent from updates and deletes, also where their values change`,
      // A target would keep what the inserted row had.
      cure: (table) =>
        `'${nameOf(table)}': { exclude: ${JSON.stringify(table.insertedOnly)} }    # in the mapping of each sink`,
      fine: 'no watched table has generated columns that inserted rows alone have',
    }),
};

/** InnoDB changes the child rows below the level at which rows are logged. MySQL 9.6 took that over into the server, which logs them. */
export const cascades: Check = {
  code: 'CASCADES',
  atStart: null,
  look({ tables, server }) {
    if (tables === null || tables.watched.length === 0) return [];
    if (tables.cascades.length === 0) {
      return [ok('no foreign key of a watched table changes or deletes rows by itself')];
    }
    const native = setting(server, 'innodb_native_foreign_keys');
    if (native !== '' && !isOn(native)) {
      return [ok('rows that foreign keys change or delete are logged by this server')];
    }
    const keys = tables.cascades.map(({ database, table, actions }) => `${database}.${table} (${actions.join(', ')})`);
    const message = `InnoDB does not log the rows that foreign keys change or delete by themselves: such changes of ${list(keys)} are missed`;
    if (native !== '') return [warning(message, configure('innodb_native_foreign_keys = OFF'))];
    return [
      warning(
        `${message}. Without the action, the application has to change the child rows before their parent`,
        cures(
          tables.cascades.map(({ database, table, constraint, definition }) => {
            const alter = `ALTER TABLE ${quoteTable({ database, name: table })}`;
            return `${alter} DROP FOREIGN KEY ${quoteName(constraint)};\n${alter} ADD CONSTRAINT ${quoteName(constraint)} ${definition};`;
          }),
        ),
      ),
    ];
  },
};

interface TableQuestion {
  readonly found: (table: WatchedTable) => boolean;
  readonly message: (names: string) => string;
  readonly cure: (table: WatchedTable) => string | null;
  readonly fine: string;
}

/** A warning that names the tables in question. */
function aboutTables(tables: TableFacts | null, { found, message, cure, fine }: TableQuestion): readonly Verdict[] {
  if (tables === null || tables.watched.length === 0) return [];
  const concerned = tables.watched.filter(found);
  if (concerned.length === 0) return [ok(fine)];
  return [warning(message(list(concerned.map(nameOf))), cures(concerned.map(cure)))];
}

function nameOf({ database, name }: WatchedTable): string {
  return `${database}.${name}`;
}
