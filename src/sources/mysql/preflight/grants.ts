/**
 * What an account may do, from the lines of SHOW GRANTS. Both servers list the privileges of active roles among the account's own.
 *
 *     GRANT SELECT, REPLICATION SLAVE ON *.* TO `tidings`@`%`
 *     GRANT SELECT (`id`), INSERT ON `shop`.`orders` TO …
 *     REVOKE SELECT ON `secret`.* FROM …                          (MySQL, partial_revokes)
 */
export class Grants {
  readonly #global = new Set<string>();
  /** Databases by their pattern as granted, and whether SELECT on them is given or taken away. */
  readonly #databases: { readonly matches: (name: string) => boolean; readonly given: boolean }[] = [];
  readonly #tables = new Set<string>();

  /** @param partialRevokes MySQL: `%` and `_` in database names are no wildcards */
  constructor(lines: readonly string[], { partialRevokes = false }: { partialRevokes?: boolean } = {}) {
    for (const line of lines) this.#take(line, partialRevokes);
  }

  /** Any of these, for the whole server; ALL PRIVILEGES has them all. */
  hasGlobal(...privileges: readonly string[]): boolean {
    return this.#global.has('ALL PRIVILEGES') || privileges.some((privilege) => this.#global.has(privilege));
  }

  /** SELECT on every table of every database. */
  get selectsEverything(): boolean {
    return this.hasGlobal('SELECT');
  }

  /** SELECT on every table of a database, those that do not exist yet included. */
  selectsDatabase(database: string): boolean {
    const rules = this.#databases.filter(({ matches }) => matches(database));
    if (rules.some(({ given }) => given)) return true;
    return this.selectsEverything && rules.length === 0;
  }

  /** SELECT on all columns of a table. */
  selectsTable(database: string, table: string): boolean {
    return this.selectsDatabase(database) || this.#tables.has(tableKey(database, table));
  }

  #take(line: string, partialRevokes: boolean): void {
    const found = /^(GRANT|REVOKE) (.+?) ON (?:TABLE )?(\*|`(?:[^`]|``)*`)\.(\*|`(?:[^`]|``)*`) (?:TO|FROM) /s.exec(
      line,
    );
    if (found === null) return; // A role, a proxy, a routine: none of them is a privilege that matters here.
    const [, verb, list = '', database = '', table = ''] = found;
    const privileges = splitPrivileges(list);
    if (database === '*') {
      if (verb === 'GRANT') for (const privilege of privileges) this.#global.add(privilege);
      return;
    }
    if (!privileges.includes('SELECT') && !privileges.includes('ALL PRIVILEGES')) return;
    if (table === '*') {
      const name = unquote(database);
      const matches = partialRevokes ? (other: string): boolean => other === name : wildcard(name);
      this.#databases.push({ matches, given: verb === 'GRANT' });
    } else if (verb === 'GRANT') this.#tables.add(tableKey(unquote(database), unquote(table)));
  }
}

/** A privilege on some columns only keeps its column list, so it is not taken for one on the table. */
function splitPrivileges(list: string): string[] {
  const privileges: string[] = [];
  for (const [text] of list.matchAll(/(?:\((?:`(?:[^`]|``)*`|[^)`])*\)|[^,(])+/g)) {
    privileges.push(text.trim().toUpperCase());
  }
  return privileges;
}

/** The pattern of a database in GRANT: `_` any character, `%` any characters, escaped by a backslash. */
function wildcard(pattern: string): (name: string) => boolean {
  const source = pattern.replaceAll(
    /\\([\\_%])|([_%])|[.*+?^${}()|[\]\\/]/g,
    (all, escaped: string | undefined, any: string | undefined) => {
      if (any !== undefined) return any === '_' ? '.' : '.*';
      return `\\${escaped ?? all}`.replace(/^\\([_%])$/, '$1');
    },
  );
  const expression = new RegExp(`^${source}$`, 'su');
  return (name) => expression.test(name);
}

function unquote(name: string): string {
  return name.slice(1, -1).replaceAll('``', '`');
}

function tableKey(database: string, table: string): string {
  return `${database}\0${table}`;
}
