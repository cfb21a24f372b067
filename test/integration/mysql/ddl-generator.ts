import type { Column } from '../../../src/core/table-schema.ts';
import type { TableDefinition } from '../../../src/sources/mysql/schema/table-definition.ts';

type Flavour = 'mysql' | 'mariadb';

const INTEGERS = ['TINYINT', 'SMALLINT(4)', 'MEDIUMINT', 'INT', 'INTEGER', 'BIGINT', 'INT8', 'MIDDLEINT', 'BOOL'];
const OTHER_TYPES = [
  'DECIMAL(20,5)',
  'NUMERIC(7)',
  'DEC',
  'FLOAT',
  'FLOAT(30)',
  'DOUBLE PRECISION',
  'REAL',
  'BIT(9)',
  'YEAR',
  'DATE',
  'TIME(2)',
  'DATETIME(6)',
  'TIMESTAMP(3)',
  'TIMESTAMP',
  'BINARY(7)',
  'VARBINARY(70)',
  'BLOB(900)',
  'LONGBLOB',
  'JSON',
  'GEOMETRY',
];
const TEXT_TYPES = [
  'CHAR(7)',
  'VARCHAR(30)',
  'VARCHAR(300)',
  'TINYTEXT',
  'TEXT',
  'MEDIUMTEXT',
  'TEXT(40)',
  'LONG VARCHAR',
  'CHARACTER VARYING(8)',
];
const MEMBERS = ["'a'", "'b,c'", "'d''e'", "'f '", "'g)'", "' h'", "'I'"];
const FOREIGN_MEMBERS = ["'é'", "'日本'", "'ж'", "'ß'"];
const CHARSETS = [
  'latin1',
  'utf8mb4',
  'utf8mb3',
  'utf8',
  'gbk',
  'ujis',
  'sjis',
  'cp1251',
  'utf16',
  'ucs2',
  'binary',
  'latin2',
  'ascii',
];
const COLLATIONS = [
  'latin1_bin',
  'utf8mb4_bin',
  'utf8mb4_unicode_ci',
  'utf8_bin',
  'gbk_bin',
  'binary',
  'latin1_german1_ci',
  'cp1251_general_cs',
];
const COLUMN_NAMES = [
  'a',
  'b',
  'c',
  'D',
  'e_e',
  '`f f`',
  '`key`',
  '`g``h`',
  'größe',
  'id',
  'i2',
  '`order`',
  'x',
  'y',
  'z',
];
const TABLE_NAMES = ['t1', 't2', '`t 3`', 't4', 'T5', '`t``6`', 'd2.t7', 'd2.t1', '`d2`.`t8`', 'tés'];

/** Without characters that MariaDB encodes in file names: renaming such a table by ALTER TABLE leaves its .frm file behind there. */
const PLAIN_TABLE_NAMES = TABLE_NAMES.filter((name) => /^[\w.]+$/.test(name));

/** A reproducible source of chance: mulberry32. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** True in `percent` of the cases. */
  often(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  some<T>(list: readonly T[], most: number): T[] {
    const rest = [...list];
    return Array.from(
      { length: Math.min(1 + this.below(most), rest.length) },
      () => rest.splice(this.below(rest.length), 1)[0] as T,
    );
  }
}

/** Makes statements that the server mostly accepts, from the tables that there are. */
export class DdlGenerator {
  readonly #chance: Chance;
  readonly #flavour: Flavour;
  readonly #tableNames: readonly string[];
  #serial = 0;

  constructor(chance: Chance, flavour: Flavour) {
    this.#chance = chance;
    this.#flavour = flavour;
    this.#tableNames = flavour === 'mariadb' ? PLAIN_TABLE_NAMES : TABLE_NAMES;
  }

  statement(tables: readonly TableDefinition[]): string {
    return this.#decorate(this.#plain(tables));
  }

  /** A change of the session's modes; null mostly. */
  setting(): string | null {
    if (!this.#chance.often(4)) return null;
    if (this.#chance.often(40)) {
      return `SET SESSION explicit_defaults_for_timestamp = ${this.#chance.pick(['ON', 'OFF'])}`;
    }
    const modes = this.#chance.pick([
      '',
      'STRICT_ALL_TABLES',
      'NO_BACKSLASH_ESCAPES',
      'REAL_AS_FLOAT',
      'STRICT_ALL_TABLES,REAL_AS_FLOAT',
    ]);
    return `SET SESSION sql_mode = '${modes}'`;
  }

  #plain(tables: readonly TableDefinition[]): string {
    const chance = this.#chance;
    if (tables.length < 4 || (tables.length < 9 && chance.often(12))) return this.#create(tables);
    const table = chance.pick(tables);
    const name = tableName(table);
    switch (chance.below(40)) {
      case 0:
      case 1:
        return `DROP TABLE ${chance.often(50) ? 'IF EXISTS ' : ''}${name}`;
      case 2:
        return `TRUNCATE TABLE ${name}`;
      case 3:
        return `RENAME TABLE ${name} TO ${chance.pick(this.#tableNames)}`;
      case 4: {
        const other = tableName(chance.pick(tables));
        return `RENAME TABLE ${name} TO d1.swap_${++this.#serial}, ${other} TO ${name}, d1.swap_${this.#serial} TO ${other}`;
      }
      case 5:
        return `CREATE ${chance.often(50) ? 'UNIQUE ' : ''}INDEX i${++this.#serial} ON ${name} (${this.#keyParts(table.schema.columns)})`;
      case 6:
        return `DROP INDEX \`PRIMARY\` ON ${name}`;
      case 7:
        return `ALTER TABLE ${name} CONVERT TO CHARACTER SET ${this.#charsetAndCollation()}`;
      case 8:
        return `ALTER TABLE ${name} RENAME TO ${chance.pick(this.#tableNames)}, ${this.#clause(table)}`;
      default: {
        const clauses = Array.from({ length: 1 + chance.below(4) }, () => this.#clause(table));
        return `ALTER TABLE ${name} ${clauses.join(', ')}`;
      }
    }
  }

  #create(tables: readonly TableDefinition[]): string {
    const chance = this.#chance;
    const replace = this.#flavour === 'mariadb' && chance.often(15);
    const head = `CREATE ${replace ? 'OR REPLACE ' : ''}TABLE ${!replace && chance.often(20) ? 'IF NOT EXISTS ' : ''}${chance.pick(this.#tableNames)}`;
    if (tables.length > 0 && chance.often(8)) return `${head} LIKE ${tableName(chance.pick(tables))}`;
    if (tables.length > 0 && chance.often(8)) {
      return `${head}${this.#tableOptions()} AS SELECT * FROM ${tableName(chance.pick(tables))}`;
    }
    const names = chance.some(COLUMN_NAMES, 7);
    const types = names.map(() => this.#type());
    const elements = names.map((name, index) => `${name} ${types[index] ?? ''}${this.#attributes(types[index] ?? '')}`);
    const inlineKey = elements.some((element) => / PRIMARY KEY/.test(element));
    const keyable = names.filter((_name, index) => !/TEXT|BLOB|LONG|JSON|GEO|VARCHAR\(300/.test(types[index] ?? ''));
    if (!inlineKey && keyable.length > 0 && chance.often(60)) {
      const key = chance.some(keyable, 3).map((name) => `${name}${chance.often(15) ? ' DESC' : ''}`);
      const primary = `${chance.often(20) ? 'CONSTRAINT ' : ''}PRIMARY KEY ${chance.often(20) ? 'USING BTREE ' : ''}(${key.join(', ')})`;
      elements.splice(chance.below(elements.length + 1), 0, primary);
    }
    if (keyable.length > 0 && chance.often(30)) elements.push(`KEY k1 (${chance.pick(keyable)})`);
    return `${head} (${elements.join(', ')})${this.#tableOptions()}`;
  }

  #tableOptions(): string {
    const chance = this.#chance;
    const options: string[] = [];
    if (chance.often(40)) {
      options.push(
        `${chance.often(50) ? 'DEFAULT ' : ''}${chance.pick(['CHARSET', 'CHARACTER SET'])}${chance.pick(['=', ' ', ' = '])}${chance.pick(CHARSETS)}`,
      );
    } else if (chance.often(30)) options.push(`COLLATE${chance.pick(['=', ' '])}${chance.pick(COLLATIONS)}`);
    if (chance.often(20)) options.push("COMMENT='x, COLLATE=y'");
    if (chance.often(20)) options.push('ENGINE=InnoDB');
    if (chance.often(10)) options.reverse();
    return options.map((option) => ` ${option}`).join('');
  }

  #type(): string {
    const chance = this.#chance;
    switch (chance.below(6)) {
      case 0:
      case 1:
        return `${chance.pick(INTEGERS)}${chance.often(30) ? '' : ''}`;
      case 2:
      case 3:
        return `${chance.pick(TEXT_TYPES)}${this.#charset()}`;
      case 4: {
        const members = chance.some(chance.often(20) ? [...MEMBERS, ...FOREIGN_MEMBERS] : MEMBERS, 4);
        const kind = members.some((member) => member.includes(',')) ? 'ENUM' : chance.pick(['ENUM', 'SET']);
        return `${kind}(${members.join(chance.pick([',', ' , ']))})${this.#charset()}`;
      }
      default: {
        const extra =
          this.#flavour === 'mysql'
            ? ['VECTOR(3)', 'GEOMCOLLECTION']
            : ['UUID', 'INET6', 'INET4', 'TEXT COMPRESSED', 'VARCHAR(20) COMPRESSED'];
        return chance.often(15) ? chance.pick(extra) : chance.pick(OTHER_TYPES);
      }
    }
  }

  #charset(): string {
    const chance = this.#chance;
    switch (chance.below(8)) {
      case 0:
        return ` CHARACTER SET ${chance.pick(CHARSETS)}`;
      case 1:
        return ` CHARSET ${this.#charsetAndCollation()}`;
      case 2:
        return ` COLLATE ${chance.pick(COLLATIONS)}`;
      case 3:
        return chance.pick([
          ' BINARY',
          ' ASCII',
          ' UNICODE',
          ' CHARACTER SET latin1 BINARY',
          ' BINARY CHARSET utf8mb4',
          ' BYTE',
        ]);
      default:
        return '';
    }
  }

  #charsetAndCollation(): string {
    const chance = this.#chance;
    if (chance.often(50)) return chance.pick(CHARSETS);
    return chance.pick([
      'latin1 COLLATE latin1_bin',
      'utf8mb4 COLLATE utf8mb4_bin',
      'gbk COLLATE gbk_bin',
      'utf8 COLLATE utf8_unicode_ci',
    ]);
  }

  #attributes(type: string): string {
    const chance = this.#chance;
    const attributes: string[] = [];
    const numeric = /INT|DEC|NUM|FLOAT|DOUBLE|REAL/.test(type);
    if (numeric && chance.often(25)) {
      attributes.push(chance.pick(['UNSIGNED', 'ZEROFILL', 'UNSIGNED ZEROFILL', 'SIGNED']));
    }
    const rest: string[] = [];
    if (numeric && chance.often(12)) {
      rest.push(
        `${chance.often(50) ? 'GENERATED ALWAYS ' : ''}AS (1 + (2 * ${chance.below(9)}))${chance.pick(['', ' VIRTUAL', ' STORED'])}`,
      );
    } else {
      if (chance.often(35)) rest.push(chance.pick(['NOT NULL', 'NULL']));
      if (numeric && chance.often(20)) rest.push(chance.pick(['DEFAULT 7', 'DEFAULT -1', 'DEFAULT (1 + (2))']));
      if (/^(?:TIMESTAMP|DATETIME)$/.test(type) && chance.often(40)) {
        rest.push('DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP()');
      }
      if (numeric && chance.often(5)) rest.push('PRIMARY KEY');
      if (chance.often(4)) rest.push('DEFAULT NULL');
    }
    if (chance.often(15)) rest.push(chance.pick(["COMMENT 'it''s (a), comment'", "COMMENT 'PRIMARY KEY'"]));
    if (numeric && chance.often(5)) rest.push('UNIQUE');
    if (chance.often(7)) rest.push('INVISIBLE');
    if (chance.often(20)) rest.reverse();
    return [...attributes, ...rest].map((attribute) => ` ${attribute}`).join('');
  }

  #clause({ schema }: TableDefinition): string {
    const chance = this.#chance;
    const column = quoted(chance.pick(schema.columns).name);
    const position = chance.pick(['', '', ' FIRST', ` AFTER ${quoted(chance.pick(schema.columns).name)}`]);
    const word = chance.pick([' COLUMN', '']);
    const type = this.#type();
    const definition = `${type}${this.#attributes(type)}`;
    switch (chance.below(22)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return `ADD${word} ${this.#newName(schema.columns)} ${definition}${position}`;
      case 4: {
        const ifNotExists = this.#flavour === 'mariadb' && chance.often(50);
        if (!ifNotExists) {
          return `ADD${word} (n${++this.#serial} ${this.#type()}, n${++this.#serial} INT, INDEX (n${this.#serial}))`;
        }
        return `ADD COLUMN IF NOT EXISTS ${chance.pick(COLUMN_NAMES)} ${definition}${position}`;
      }
      case 5:
      case 6:
        return `DROP${word} ${column}`;
      case 7:
      case 8:
      case 9:
        return `MODIFY${word} ${column} ${definition}${position}`;
      case 10:
      case 11:
        return `CHANGE${word} ${column} ${this.#newName(schema.columns)} ${definition}${position}`;
      case 12:
      case 13:
        return `RENAME COLUMN ${column} TO ${this.#newName(schema.columns)}`;
      case 14:
        return 'DROP PRIMARY KEY';
      case 15:
      case 16:
        return `ADD PRIMARY KEY (${this.#keyParts(schema.columns)})`;
      case 17:
        return `${chance.pick(['DEFAULT ', ''])}CHARACTER SET ${chance.pick(['=', ''])} ${chance.pick(CHARSETS)}`;
      case 18:
        return chance.pick(["COMMENT = 'x'", 'ENGINE=InnoDB', 'FORCE', 'ALGORITHM=COPY', 'LOCK = DEFAULT']);
      case 19:
        return `ADD ${chance.pick(['INDEX', 'UNIQUE KEY', 'KEY'])} i${++this.#serial} (${this.#keyParts(schema.columns)})`;
      case 20:
        if (this.#flavour === 'mysql') return `ALTER COLUMN ${column} SET ${chance.pick(['VISIBLE', 'INVISIBLE'])}`;
        return `DROP COLUMN IF EXISTS ${chance.pick(COLUMN_NAMES)}`;
      default:
        return `ALTER ${column} DROP DEFAULT`;
    }
  }

  #keyParts(columns: readonly Column[]): string {
    return this.#chance
      .some(columns, 2)
      .map(({ name, type }) => `${quoted(name)}${type === 'text' || type === 'blob' ? '(5)' : ''}`)
      .join(', ');
  }

  #newName(columns: readonly Column[]): string {
    const taken = new Set(columns.map((column) => column.name.toLowerCase()));
    const free = COLUMN_NAMES.filter(
      (name) => !taken.has(name.replaceAll('``', '\0').replaceAll('`', '').replaceAll('\0', '`').toLowerCase()),
    );
    return free.length > 0 && this.#chance.often(95) ? this.#chance.pick(free) : this.#chance.pick(COLUMN_NAMES);
  }

  /** Comments, white space and another case: nothing that means anything. */
  #decorate(sql: string): string {
    const chance = this.#chance;
    if (chance.often(60)) return sql;
    let outside = true;
    return sql
      .split(/('(?:[^']|'')*'|`(?:[^`]|``)*`)/)
      .map((part) => {
        const plain = outside;
        outside = !outside;
        if (!plain) return part;
        return part.replaceAll(/[A-Z]{2,}| /g, (piece) => {
          if (piece !== ' ') return chance.often(30) ? piece.toLowerCase() : piece;
          return chance.often(8)
            ? chance.pick(['\n', '  ', ' /* , ( */ ', '\t', ' -- x\n', " # it's\n", '/*!50000 */', ' /*+ x */ '])
            : ' ';
        });
      })
      .join('');
  }
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function tableName({ schema }: TableDefinition): string {
  return `${quoted(schema.database)}.${quoted(schema.name)}`;
}
