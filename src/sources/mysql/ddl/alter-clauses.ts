import { CharsetSpecReader } from './charset-parser.ts';
import type { CharsetSpec } from './charsets.ts';
import { parseColumn, type WrittenColumn } from './column-parser.ts';
import { skipPartitions } from './create-table.ts';
import type { DdlContext, TableName } from './effect.ts';
import { parseKeyElement, parseTableElement, type TableElement } from './table-elements.ts';
import { TableOptionsReader } from './table-options.ts';
import { NotUnderstood, type TokenReader } from './token-reader.ts';

/** Where a column goes; null: where it was, or at the end. */
export type ColumnPosition = { readonly after: string | null } | null;

/** What one clause of ALTER TABLE asks for. */
export type AlterClause =
  | {
      readonly op: 'add';
      readonly element: TableElement;
      readonly position: ColumnPosition;
      readonly ifNotExists: boolean;
    }
  | {
      readonly op: 'change';
      readonly from: string;
      readonly column: WrittenColumn;
      readonly position: ColumnPosition;
      readonly ifExists: boolean;
    }
  | { readonly op: 'drop-column'; readonly name: string; readonly ifExists: boolean }
  | { readonly op: 'rename-column'; readonly from: string; readonly to: string; readonly ifExists: boolean }
  | { readonly op: 'set-invisible'; readonly name: string; readonly invisible: boolean }
  | { readonly op: 'drop-primary-key'; readonly ifExists: boolean }
  /** Any other index went: of interest where a hidden column depends on it. */
  | { readonly op: 'drop-index' }
  | { readonly op: 'rename-table'; readonly to: TableName }
  | { readonly op: 'convert'; readonly charset: CharsetSpec }
  | { readonly op: 'add-versioning' }
  | { readonly op: 'drop-versioning' }
  | { readonly op: 'truncate-partitions' }
  /** The table's rows are replaced, and those of `other`. */
  | { readonly op: 'replace-rows'; readonly other: TableName | null }
  | { readonly op: 'table-to-partition'; readonly other: TableName }
  | { readonly op: 'partition-to-table'; readonly other: TableName }
  /** Without effect on columns, key and rows. */
  | { readonly op: 'other' };

export interface AlterStatement {
  readonly clauses: readonly AlterClause[];
  /** The new default of the table; nothing in it when no clause says so. */
  readonly charset: CharsetSpec;
}

const OTHER: AlterClause = { op: 'other' };

/** Reads the clauses of ALTER TABLE, from behind the table's name to the end. */
export function parseAlterClauses(reader: TokenReader, context: DdlContext): AlterStatement {
  return new AlterReader(reader, context).read();
}

class AlterReader {
  readonly #reader: TokenReader;
  readonly #context: DdlContext;
  readonly #options: TableOptionsReader;
  readonly #clauses: AlterClause[] = [];

  constructor(reader: TokenReader, context: DdlContext) {
    this.#reader = reader;
    this.#context = context;
    this.#options = new TableOptionsReader(reader, context);
  }

  read(): AlterStatement {
    const reader = this.#reader;
    // MariaDB: how long to wait for the lock, before the clauses.
    if (reader.accept('WAIT')) reader.integer();
    else reader.accept('NOWAIT');
    while (!reader.atEnd()) {
      this.#clause();
      // Options and partitioning may follow without a comma; anything else must not.
      if (!reader.accept(',') && !reader.atEnd() && !this.#mayFollow()) throw new NotUnderstood('expected a comma');
    }
    return { clauses: this.#clauses, charset: this.#options.options.charset };
  }

  #mayFollow(): boolean {
    const reader = this.#reader;
    const mark = reader.mark;
    const option = new TableOptionsReader(reader, this.#context).accept();
    reader.rewind(mark);
    return option || reader.at('PARTITION', 'BY') || reader.at('REMOVE', 'PARTITIONING');
  }

  #clause(): void {
    const reader = this.#reader;
    if (reader.accept('ADD')) this.#add();
    else if (reader.accept('DROP')) this.#clauses.push(this.#drop());
    else if (reader.accept('MODIFY')) this.#modify();
    else if (reader.accept('CHANGE')) this.#change();
    else if (reader.accept('ALTER')) this.#clauses.push(this.#alter());
    else if (reader.accept('RENAME')) this.#clauses.push(this.#rename());
    else if (reader.at('CONVERT')) this.#clauses.push(this.#convert());
    else if (reader.accept('ORDER', 'BY')) this.#orderBy();
    else if (!this.#options.accept()) this.#clauses.push(this.#partitioning() ?? this.#execution());
  }

  #add(): void {
    const reader = this.#reader;
    if (reader.accept('SYSTEM', 'VERSIONING')) this.#clauses.push({ op: 'add-versioning' });
    else if (reader.accept('PARTITION')) this.#skipPartitionList();
    else if (reader.accept('COLUMN')) this.#addColumns();
    else if (reader.at('(') || reader.at('IF', 'NOT', 'EXISTS')) this.#addColumns();
    else {
      const element = parseKeyElement(reader, this.#context);
      if (element === null) this.#addColumns();
      else this.#clauses.push({ op: 'add', element, position: null, ifNotExists: false });
    }
  }

  #addColumns(): void {
    const reader = this.#reader;
    const ifNotExists = reader.ifNotExists();
    const context = this.#context;
    if (reader.at('(')) {
      reader.group(() => {
        this.#clauses.push({ op: 'add', element: parseTableElement(reader, context), position: null, ifNotExists });
      });
      return;
    }
    const column = parseColumn(reader, context);
    this.#clauses.push({ op: 'add', element: { kind: 'column', column }, position: this.#position(), ifNotExists });
  }

  #modify(): void {
    const reader = this.#reader;
    reader.accept('COLUMN');
    const ifExists = reader.ifExists();
    const column = parseColumn(reader, this.#context);
    this.#clauses.push({ op: 'change', from: column.name, column, position: this.#position(), ifExists });
  }

  #change(): void {
    const reader = this.#reader;
    reader.accept('COLUMN');
    const ifExists = reader.ifExists();
    const from = reader.name();
    const column = parseColumn(reader, this.#context);
    this.#clauses.push({ op: 'change', from, column, position: this.#position(), ifExists });
  }

  #position(): ColumnPosition {
    if (this.#reader.accept('FIRST')) return { after: null };
    return this.#reader.accept('AFTER') ? { after: this.#reader.name() } : null;
  }

  #drop(): AlterClause {
    const reader = this.#reader;
    if (reader.accept('PRIMARY', 'KEY')) return { op: 'drop-primary-key', ifExists: false };
    if (reader.accept('SYSTEM', 'VERSIONING')) return { op: 'drop-versioning' };
    if (reader.accept('PARTITION')) {
      reader.ifExists();
      reader.list(() => reader.name());
      return { op: 'truncate-partitions' };
    }
    if (reader.accept('PERIOD', 'FOR')) {
      reader.refuse('SYSTEM_TIME');
      reader.ifExists();
      reader.name();
      return OTHER;
    }
    if (reader.accept('FOREIGN', 'KEY') || reader.accept('CHECK')) {
      reader.ifExists();
      reader.name();
      return OTHER;
    }
    if (reader.accept('INDEX') || reader.accept('KEY') || reader.accept('CONSTRAINT')) {
      const ifExists = reader.ifExists();
      if (reader.accept('PRIMARY', 'KEY')) return { op: 'drop-primary-key', ifExists };
      return reader.name().toUpperCase() === 'PRIMARY' ? { op: 'drop-primary-key', ifExists } : { op: 'drop-index' };
    }
    reader.accept('COLUMN');
    const ifExists = reader.ifExists();
    const name = reader.name();
    if (!reader.accept('RESTRICT')) reader.accept('CASCADE');
    return { op: 'drop-column', name, ifExists };
  }

  #alter(): AlterClause {
    const reader = this.#reader;
    if (reader.accept('INDEX') || reader.accept('KEY') || reader.accept('CHECK') || reader.accept('CONSTRAINT')) {
      reader.skipElement();
      return OTHER;
    }
    reader.accept('COLUMN');
    reader.ifExists();
    const name = reader.name();
    if (reader.accept('SET', 'INVISIBLE')) return { op: 'set-invisible', name, invisible: true };
    if (reader.accept('SET', 'VISIBLE')) return { op: 'set-invisible', name, invisible: false };
    if (!reader.accept('DROP', 'DEFAULT')) {
      reader.expect('SET', 'DEFAULT');
      reader.skipElement();
    }
    return OTHER;
  }

  #rename(): AlterClause {
    const reader = this.#reader;
    if (reader.accept('COLUMN')) {
      const ifExists = reader.ifExists();
      const from = reader.name();
      reader.expect('TO');
      return { op: 'rename-column', from, to: reader.name(), ifExists };
    }
    if (reader.accept('INDEX') || reader.accept('KEY')) {
      reader.ifExists();
      reader.name();
      reader.expect('TO');
      reader.name();
      return OTHER;
    }
    if (!reader.accept('TO') && !reader.accept('AS')) reader.accept('=');
    return { op: 'rename-table', to: reader.tableName() };
  }

  #convert(): AlterClause {
    const reader = this.#reader;
    reader.expect('CONVERT');
    if (reader.accept('PARTITION')) {
      reader.name();
      reader.expect('TO', 'TABLE');
      return { op: 'partition-to-table', other: reader.tableName() };
    }
    if (reader.accept('TABLE')) {
      const other = reader.tableName();
      reader.skipElement();
      return { op: 'table-to-partition', other };
    }
    reader.expect('TO');
    const charset = new CharsetSpecReader(reader, this.#context);
    if (!charset.acceptAttribute()) throw new NotUnderstood('CONVERT TO');
    if (reader.at('COLLATE')) charset.acceptAttribute();
    return { op: 'convert', charset: charset.spec };
  }

  #orderBy(): void {
    const reader = this.#reader;
    // A clause behind the list is taken for a part of it and then not understood, or is one without effect.
    reader.list(() => {
      reader.name();
      if (!reader.accept('ASC')) reader.accept('DESC');
    });
  }

  /** A clause about partitions or tablespaces, if one comes next. */
  #partitioning(): AlterClause | null {
    const reader = this.#reader;
    if (reader.at('PARTITION', 'BY')) {
      skipPartitions(reader);
      return OTHER;
    }
    if (reader.accept('REMOVE', 'PARTITIONING')) return OTHER;
    if (reader.accept('TRUNCATE', 'PARTITION')) {
      reader.list(() => reader.name());
      return { op: 'truncate-partitions' };
    }
    if (reader.accept('EXCHANGE', 'PARTITION')) {
      reader.name();
      reader.expect('WITH', 'TABLE');
      const other = reader.tableName();
      if (!reader.accept('WITH', 'VALIDATION')) reader.accept('WITHOUT', 'VALIDATION');
      return { op: 'replace-rows', other };
    }
    for (const word of ['COALESCE', 'REORGANIZE', 'REBUILD', 'ANALYZE', 'CHECK', 'OPTIMIZE', 'REPAIR']) {
      if (!reader.accept(word, 'PARTITION')) continue;
      this.#skipPartitionList();
      return OTHER;
    }
    for (const word of ['DISCARD', 'IMPORT']) {
      if (reader.accept(word, 'TABLESPACE')) return { op: 'replace-rows', other: null };
      if (reader.accept(word, 'PARTITION')) {
        this.#skipPartitionList();
        return { op: 'replace-rows', other: null };
      }
    }
    return null;
  }

  /** Everything up to the end: a clause about partitions stands alone. */
  #skipPartitionList(): void {
    const reader = this.#reader;
    while (!reader.atEnd()) {
      if (reader.at('(')) reader.skipGroup();
      else reader.next();
    }
  }

  /** How to carry it out; nothing of it changes the table. */
  #execution(): AlterClause {
    const reader = this.#reader;
    if (reader.accept('ALGORITHM') || reader.accept('LOCK')) {
      reader.accept('=');
      reader.name();
    } else if (reader.accept('WAIT')) reader.integer();
    else if (
      !reader.accept('NOWAIT') &&
      !reader.accept('FORCE') &&
      !reader.accept('DISABLE', 'KEYS') &&
      !reader.accept('ENABLE', 'KEYS') &&
      !reader.accept('WITH', 'VALIDATION') &&
      !reader.accept('WITHOUT', 'VALIDATION') &&
      !reader.accept('SECONDARY_LOAD') &&
      !reader.accept('SECONDARY_UNLOAD')
    ) {
      throw new NotUnderstood('unknown clause');
    }
    return OTHER;
  }
}
