import type { Row, Value } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import type { Evaluate } from './expression/compiled.ts';
import { fault } from './faults.ts';

/** A column of a target and how its value comes about. */
export interface ImageColumn {
  readonly name: string;
  readonly evaluate: Evaluate;
  /** The column of the source whose value it is as it stands; null where it is calculated. */
  readonly copyOf: string | null;
}

/**
 * Makes a target's row of a source's row. Generated for the columns, so that a row is made by one object literal, without a look at what the columns
 * are. The text of a generated function holds names as JSON string literals, nothing else from outside.
 */
export class RowImage {
  readonly columns: readonly ImageColumn[];
  /** The rows stay as they are: the same names in the same order. */
  readonly isIdentity: boolean;
  readonly #whole: (row: Row, change: StreamChange) => Row | null;
  readonly #isWhole: (row: Row) => boolean;

  /** @param source the names of the source's columns, in their order */
  constructor(columns: readonly ImageColumn[], source: readonly string[]) {
    this.columns = columns;
    this.isIdentity =
      columns.length === source.length &&
      columns.every(({ name, copyOf }, index) => copyOf === name && source[index] === name);
    this.#whole = compileImage(columns);
    this.#isWhole = compilePresence(columns.map(({ name }) => name));
  }

  /** Columns that cannot be known are absent. @throws ValueFault */
  of(row: Row, change: StreamChange): Row {
    if (this.isIdentity) return row;
    return this.#whole(row, change) ?? this.#partial(row, change);
  }

  /** Whether a row that was made has all of its columns. */
  isWhole(row: Row): boolean {
    return this.#isWhole(row);
  }

  /** Every column that there is a value for, in spite of others that have none. */
  tolerant(row: Row, change: StreamChange): Row {
    try {
      return this.of(row, change);
    } catch {
      return this.#partial(row, change, () => undefined);
    }
  }

  /** The first column that there is no value for, and why: to be asked when `of` has thrown. */
  firstFault(row: Row, change: StreamChange): { readonly column: string; readonly error: unknown } | null {
    for (const { name, evaluate } of this.columns) {
      try {
        evaluate(row, change);
      } catch (error) {
        return { column: name, error };
      }
    }
    return null;
  }

  #partial(row: Row, change: StreamChange, onFault?: () => undefined): Row {
    const partial = {};
    for (const { name, evaluate } of this.columns) {
      let value: Value | undefined;
      try {
        value = evaluate(row, change);
      } catch (error) {
        if (onFault === undefined) throw error;
        value = onFault();
      }
      if (value !== undefined) define(partial, name, value);
    }
    return partial;
  }
}

/** Also of a name such as `__proto__`. */
function define(row: object, name: string, value: Value): void {
  Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Null when a column cannot be known. */
function compileImage(columns: readonly ImageColumn[]): (row: Row, change: StreamChange) => Row | null {
  const reads = columns.map(({ copyOf }, i) => (isPlain(copyOf) ? `r[${JSON.stringify(copyOf)}]` : `e[${i}](r, c)`));
  const values = reads.map((read, i) => `const v${i} = ${read}; if (v${i} === undefined) return null;`);
  const fields = columns.map(({ name }, i) => `${propertyName(name)}: v${i}`);
  return generated(
    'e',
    `return (r, c) => { ${values.join('\n')} return { ${fields.join(', ')} }; }`,
  )(columns.map(({ evaluate }) => evaluate)) as (row: Row, change: StreamChange) => Row | null;
}

/** Whether a row has all of these columns. */
export function compilePresence(names: readonly string[]): (row: Row) => boolean {
  const tests = names.map((name) =>
    isPlain(name) ? `r[${JSON.stringify(name)}] !== undefined` : `Object.hasOwn(r, ${JSON.stringify(name)})`,
  );
  return generated('_', `return (r) => ${tests.length === 0 ? 'true' : tests.join(' && ')};`)(null) as (
    row: Row,
  ) => boolean;
}

/** The key of a row that was made for the target. */
export type PickKey = (row: Row) => Row;

/** @throws ValueFault when a column of the key is not there, or NULL */
export function compileKey(names: readonly string[]): PickKey {
  const lacking = (row: Row, name: string): never => {
    const isNull = Object.hasOwn(row, name) && row[name] === null;
    return fault(
      isNull ? `"${name}" of the key is NULL` : `"${name}" of the key was not logged: set binlog_row_image to FULL`,
    );
  };
  const reads = names.map((name, i) => {
    const quoted = JSON.stringify(name);
    const read = isPlain(name) ? `r[${quoted}]` : `(Object.hasOwn(r, ${quoted}) ? r[${quoted}] : null)`;
    return `const v${i} = ${read}; if (v${i} === undefined || v${i} === null) f(r, ${quoted});`;
  });
  const fields = names.map((name, i) => `${propertyName(name)}: v${i}`);
  return generated('f', `return (r) => { ${reads.join('\n')} return { ${fields.join(', ')} }; }`)(lacking) as PickKey;
}

/** Whether an own property is all that can answer to the name. */
function isPlain(name: string | null): name is string {
  return name !== null && !(name in {});
}

/** In brackets, `__proto__` is an ordinary property. */
function propertyName(name: string): string {
  const quoted = JSON.stringify(name);
  return name === '__proto__' ? `[${quoted}]` : quoted;
}

function generated(parameter: string, body: string): (argument: unknown) => unknown {
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of quoted names and numbers only, see the head of this file
  return new Function(parameter, `'use strict'; ${body}`) as (argument: unknown) => unknown;
}

/** Whether two values of one column are the same. */
export function isSameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
  // A bigint is one only beyond the numbers; a document is compared as text.
  return false;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
