import type { Row, Value } from '../core/change.ts';
import { TidingsError } from '../core/errors.ts';
import type { Column, TableSchema } from '../core/table-schema.ts';
import { jsonString } from './json-text.ts';

/** JSON text of a value that is not null; undefined when the format cannot say this value exactly. */
export type ValueEncoder = (value: NonNullable<Value>) => string | undefined;

/**
 * How a format writes a column. `digits`: the value's own digits, for types whose values are integers always. `quoted`: the text
 * as it is in quotes, for types whose text is made of digits, letters and punctuation that JSON does not escape.
 */
export type ColumnEncoding = ValueEncoder | 'digits' | 'quoted';

/** Chooses how a format writes a column. */
export type ChooseEncoding = (column: Column, table: TableSchema) => ColumnEncoding;

/** One table version's functions. Each takes a row with any of its columns absent. */
export interface TableEncoder {
  /** `{"id":1,"note":null}`; columns that the row does not have are left out. */
  readonly object: (row: Row) => string;
  /** `,"id":1,"note":null`: the same members, to stand behind others. */
  readonly members: (row: Row) => string;
  /** `{"id":1}` of the primary key's columns in key order, from `row`, or from `fallback` where `row` does not have them. */
  readonly key: (row: Row, fallback: Row) => string;
}

/**
 * Compiles and keeps the encoders of the tables that one format meets.
 *
 * The functions are generated: with the column names as constants the engine reads each property from its known place, where a
 * loop over column names would look every one up. No name reaches the generated code other than as a JSON string literal.
 */
export class TableEncoders {
  readonly #encoding: ChooseEncoding;
  readonly #tables: WeakMap<TableSchema, TableEncoder> = new WeakMap();

  constructor(encoding: ChooseEncoding) {
    this.#encoding = encoding;
  }

  of(table: TableSchema): TableEncoder {
    let encoder = this.#tables.get(table);
    if (encoder === undefined) {
      encoder = compile(table, this.#encoding);
      this.#tables.set(table, encoder);
    }
    return encoder;
  }
}

type Helper = (value: NonNullable<Value>) => string;

function compile(table: TableSchema, encoding: ChooseEncoding): TableEncoder {
  const helpers: Helper[] = [];
  const texts = table.columns.map((column, index) => {
    const chosen = encoding(column, table);
    if (chosen === 'digits') return 'value';
    if (chosen === 'quoted') return `'"' + value + '"'`;
    helpers[index] = checked(chosen, { table, column });
    return `helpers[${index}](value)`;
  });
  // Adds one column to `text`, reading it from the first of the rows that has it.
  const field = (index: number, rows: readonly string[]): string => {
    const name = table.columns[index]?.name ?? '';
    const prefix = JSON.stringify(jsonString(name) + ':');
    return `
      value = ${rows.map((row) => read(row, name)).join('; if (value === undefined) value = ')};
      if (value !== undefined) {
        text += separator + ${prefix} + (value === null ? 'null' : ${texts[index]});
        separator = ',';
      }`;
  };
  const object = (indexes: readonly number[], rows: readonly string[]): string => `
      let text = '', separator = '{', value;
      ${indexes.map((index) => field(index, rows)).join('')}
      return text === '' ? '{}' : text + '}';`;
  const members = `
      let text = '', separator = ',', value;
      ${[...table.columns.keys()].map((index) => field(index, ['row'])).join('')}
      return text;`;
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- see the class comment: names come in as literals only
  const build = new Function(
    'helpers',
    `return {
      object(row) {${object([...table.columns.keys()], ['row'])} },
      members(row) {${members} },
      key(row, fallback) {${object(table.key, ['row', 'fallback'])} },
    };`,
  ) as (helpers: readonly Helper[]) => TableEncoder;
  return build(helpers);
}

/** Reads an own property. Names that every object inherits need the question whether the row has them. */
function read(row: string, name: string): string {
  const literal = JSON.stringify(name);
  return name in Object.prototype
    ? `(Object.hasOwn(${row}, ${literal}) ? ${row}[${literal}] : undefined)`
    : `${row}[${literal}]`;
}

function checked(encode: ValueEncoder, { table, column }: { table: TableSchema; column: Column }): Helper {
  return (value) => {
    const text = encode(value);
    if (text !== undefined) return text;
    const name = `${table.database}.${table.name}.${column.name}`;
    // The value itself stays out of the message (I10).
    throw new TidingsError('FORMAT_VALUE', `a value of ${name} (${column.type}) has no exact form in this format`, {
      details: { database: table.database, table: table.name, column: column.name, type: column.type },
    });
  };
}
