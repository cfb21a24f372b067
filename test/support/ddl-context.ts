import type { Column } from '../../src/core/table-schema.ts';
import { charsetOfCollationName, defaultCollationOf } from '../../src/sources/mysql/charset/collations.ts';
import { Catalog } from '../../src/sources/mysql/ddl/catalog.ts';
import type { DdlContext, DdlEffect, SchemaStep } from '../../src/sources/mysql/ddl/effect.ts';
import { understandStatement } from '../../src/sources/mysql/ddl/understand-statement.ts';

/** MySQL 8.4 with the default database `shop`, whose default is utf8mb4, and the tables that the catalog has. */
function ddlContext(catalog: Catalog, changes: Partial<DdlContext> = {}): DdlContext {
  const flavour = changes.flavour ?? 'mysql';
  return {
    database: 'shop',
    flavour,
    serverVersion: flavour === 'mysql' ? 80_400 : 101_100,
    sqlMode: { ansiQuotes: false, noBackslashEscapes: false, realAsFloat: false, oracle: false, maxdb: false },
    lowerCaseTableNames: 0,
    explicitDefaultsForTimestamp: true,
    utf8: 'utf8mb3',
    serverCharset: { charset: 'utf8mb4', collation: 'utf8mb4_0900_ai_ci' },
    threadSpecific: false,
    errorCode: 0,
    lookup: (database, table) => catalog.lookup(database, table),
    lookupDatabase: (database) => catalog.lookupDatabase(database),
    defaultCollation: (charset) => defaultCollationOf(charset, flavour),
    charsetOfCollation: (collation) => charsetOfCollationName(collation),
    ...changes,
  };
}

/** A history that begins with an empty database `shop`. */
export class TestHistory {
  readonly catalog: Catalog;
  readonly #changes: Partial<DdlContext>;

  constructor(changes: Partial<DdlContext> = {}) {
    this.#changes = changes;
    this.catalog = new Catalog({ lookup: () => 'absent', lookupDatabase: () => 'absent' });
    this.catalog.apply({
      op: 'define-database',
      database: 'shop',
      charset: { charset: 'utf8mb4', collation: 'utf8mb4_general_ci' },
    });
  }

  /** What a statement does, without letting it happen. */
  effect(sql: string, changes: Partial<DdlContext> = {}): DdlEffect {
    return understandStatement(sql, ddlContext(this.catalog, { ...this.#changes, ...changes }));
  }

  run(...statements: string[]): DdlEffect {
    let effect: DdlEffect = { kind: 'irrelevant' };
    for (const sql of statements) {
      effect = this.effect(sql);
      if (effect.kind === 'schema') for (const step of effect.steps) this.catalog.apply(step);
    }
    return effect;
  }

  /** A table in one line: its columns, `*` behind those of the key (in key order), or what is known instead. */
  table(name: string, database = 'shop'): string {
    const known = this.catalog.lookup(database, name);
    if (typeof known === 'string') return known;
    const { columns, key } = known.schema;
    const keyText = key.length === 0 ? '' : ` key(${key.map((index) => columns[index]?.name).join(',')})`;
    return columns.map(describeColumn).join(', ') + keyText;
  }
}

function describeColumn(column: Column): string {
  const { name, type, length, scale, unsigned, nullable, charset, collation, members, generated, invisible } = column;
  const size = length === null ? '' : `(${length}${scale === null ? '' : `.${scale}`})`;
  return [
    name,
    type + size,
    unsigned ? 'unsigned' : '',
    members === null ? '' : JSON.stringify(members),
    charset === null ? '' : (collation ?? charset),
    nullable ? '' : '!',
    generated ?? '',
    invisible ? 'invisible' : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** The steps of an effect, one word or two each; the kind of any other effect. */
export function describeEffect(effect: DdlEffect): string | string[] {
  if (effect.kind === 'schema') return effect.steps.map(describeStep);
  if (effect.kind === 'irrelevant') return effect.kind;
  return `dml ${effect.tables?.map(({ database, name }) => `${database}.${name}`).join(' ') ?? '?'}`;
}

/** A step in a few words. */
function describeStep(step: SchemaStep): string {
  switch (step.op) {
    case 'define':
      return `define ${step.definition.schema.database}.${step.definition.schema.name}`;
    case 'rename':
      return `rename ${step.from.database}.${step.from.name} ${step.to.database}.${step.to.name}`;
    case 'truncate':
      return `truncate ${step.rows} ${step.table.database}.${step.table.name}`;
    case 'drop':
    case 'unknown':
    case 'replace-rows':
      return `${step.op} ${step.table.database}.${step.table.name}`;
    case 'unknown-all':
      return step.op;
    default:
      return `${step.op} ${step.database}`;
  }
}
