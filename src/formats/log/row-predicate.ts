import { isTidingsError } from '../../core/errors.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import { avroKind } from '../../core/rows/avro-schema.ts';
import type { Column, TableSchema } from '../../core/table-schema.ts';
import { compileLocator, type RowColumn } from './row-locator.ts';
import { compileValueTest, type TestValue } from './where-values.ts';
import type { Condition, ValueTest } from './where-parser.ts';

/**
 * Whether a row passes: bytes `from` to `end` are its images.
 *
 * @throws DamagedRow, and RangeError when the bytes reach past the buffer
 */
export type RowPredicate = (bytes: Buffer, view: DataView, from: number, end: number) => boolean;

/**
 * What a condition can come to, as a set: SQL's true, false and unknown (from NULL), each a bit. With a column that was not logged, or
 * that this version of the table does not have, it can come to several of them. A row passes when it may be true: rather one change too
 * many than a hole (I4).
 */
const TRUE = 1;
const FALSE = 2;
const UNKNOWN = 4;
const ANYTHING = TRUE | FALSE | UNKNOWN;

type Evaluate = (bytes: Buffer, view: DataView, places: Uint32Array) => number;

/** A row passes when each of the conditions may hold for the image before the change, or each for the image after it. */
export function compilePredicate(shape: RowShape, conditions: readonly Condition[]): RowPredicate {
  const condition: Condition =
    conditions.length === 1 ? (conditions[0] as Condition) : { kind: 'and', parts: conditions };
  const columns: RowColumn[] = [];
  const before = shape.before === null ? null : new Compiler(shape, 'before', columns).compile(condition);
  const after = shape.after === null ? null : new Compiler(shape, 'after', columns).compile(condition);
  const locate = compileLocator(shape, columns);
  const places = new Uint32Array(columns.length);
  return (bytes, view, from, end) => {
    locate(bytes, from, end, places);
    if (after !== null && (after(bytes, view, places) & TRUE) !== 0) return true;
    return before !== null && (before(bytes, view, places) & TRUE) !== 0;
  };
}

class Compiler {
  readonly #shape: RowShape;
  readonly #image: 'before' | 'after';
  /** The columns to be located in a row; shared by both images. */
  readonly #columns: RowColumn[];

  constructor(shape: RowShape, image: 'before' | 'after', columns: RowColumn[]) {
    this.#shape = shape;
    this.#image = image;
    this.#columns = columns;
  }

  compile(condition: Condition): Evaluate {
    switch (condition.kind) {
      case 'and':
        return combined(
          condition.parts.map((part) => this.compile(part)),
          AND,
        );
      case 'or':
        return combined(
          condition.parts.map((part) => this.compile(part)),
          OR,
        );
      case 'not': {
        const part = this.compile(condition.part);
        return (bytes, view, places) => negated(part(bytes, view, places));
      }
      default:
        return this.#test(condition);
    }
  }

  #test(test: ValueTest): Evaluate {
    const index = columnIndex(this.#shape.table, test.column.name);
    const place = index < 0 ? -1 : this.#place(index);
    if (place < 0) return test.kind === 'null' ? () => TRUE | FALSE : () => ANYTHING;
    const column = this.#shape.table.columns[index] as Column;
    if (test.kind === 'null') {
      if (!column.nullable) return () => FALSE;
      return (bytes, _, places) => (bytes[places[place] as number] === 0 ? TRUE : FALSE);
    }
    const passes = compiledTest(test, column);
    if (passes === null) return () => ANYTHING;
    if (!column.nullable) return (bytes, view, places) => (passes(bytes, view, places[place] as number) ? TRUE : FALSE);
    // A value behind its union's branch; but the values of these types are branches themselves.
    const skipped = avroKind(column) === 'unsigned' ? 0 : 1;
    return (bytes, view, places) => {
      const at = places[place] as number;
      if (bytes[at] === 0) return UNKNOWN;
      return passes(bytes, view, at + skipped) ? TRUE : FALSE;
    };
  }

  /**
   * Where the column is to be found; -1 when it was not logged. What the image after does not hold was not changed, and stands in the
   * image before.
   */
  #place(index: number): number {
    const { before, after } = this.#shape;
    const image = this.#image === 'after' && after?.includes(index) === true ? 'after' : 'before';
    if (image === 'before' && before?.includes(index) !== true) return -1;
    const known = this.#columns.findIndex((column) => column.image === image && column.index === index);
    return known >= 0 ? known : this.#columns.push({ image, index }) - 1;
  }
}

function columnIndex({ columns }: TableSchema, name: string): number {
  return columns.findIndex((column) => column.name === name);
}

/** Null when the test does not go with the column: this version of the table is another than the condition was written for. */
function compiledTest(test: Exclude<ValueTest, { kind: 'null' }>, column: Column): TestValue | null {
  try {
    return compileValueTest(test, column);
  } catch (error) {
    if (isTidingsError(error)) return null;
    throw error;
  }
}

function combined(parts: readonly Evaluate[], table: Uint8Array): Evaluate {
  const [first, ...rest] = parts;
  if (first === undefined) return () => TRUE;
  // All parts are looked at until the result is certain.
  const certain = table === AND ? FALSE : TRUE;
  return (bytes, view, places) => {
    let result = first(bytes, view, places);
    for (let i = 0; i < rest.length && result !== certain; i++) {
      result = table[result * 8 + (rest[i] as Evaluate)(bytes, view, places)] as number;
    }
    return result;
  };
}

function negated(set: number): number {
  return ((set & TRUE) === 0 ? 0 : FALSE) | ((set & FALSE) === 0 ? 0 : TRUE) | (set & UNKNOWN);
}

/** By both sets: what the two together can come to. */
const AND = tableOf((a, b) => (a === FALSE || b === FALSE ? FALSE : a === UNKNOWN || b === UNKNOWN ? UNKNOWN : TRUE));
const OR = tableOf((a, b) => (a === TRUE || b === TRUE ? TRUE : a === UNKNOWN || b === UNKNOWN ? UNKNOWN : FALSE));

function tableOf(combine: (a: number, b: number) => number): Uint8Array {
  const table = new Uint8Array(64);
  for (let left = 0; left < 8; left++) {
    for (let right = 0; right < 8; right++) {
      let set = 0;
      for (const a of [TRUE, FALSE, UNKNOWN]) {
        for (const b of [TRUE, FALSE, UNKNOWN]) if ((left & a) !== 0 && (right & b) !== 0) set |= combine(a, b);
      }
      table[left * 8 + right] = set;
    }
  }
  return table;
}
