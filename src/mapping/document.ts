import type { Value, Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import { base64, jsonNumber, jsonString, vectorText } from '../formats/json-text.ts';
import type { Compiled, Evaluate } from './expression/compiled.ts';
import { familyOf, type ValueType } from './expression/value-type.ts';
import { fault } from './faults.ts';

/** A place in a document and what stands there. */
export interface Leaf {
  /** Names of members and indexes of elements. */
  readonly steps: readonly (string | number)[];
  readonly compiled: Compiled;
  /** The columns of the source that it reads. */
  readonly inputs: ReadonlySet<string>;
}

/** A document's JSON text for a row; undefined when a value in it cannot be known. */
export type WriteDocument = Evaluate<string>;

/** Puts a document together as text, so that every number keeps its digits. */
export function compileDocument(leaves: readonly Leaf[], nulls: 'keep' | 'omit'): WriteDocument {
  return compileNode(
    leaves.map(({ steps, compiled }) => ({ steps, write: leafWriter(compiled) })),
    nulls,
  );
}

/** The JSON text of a value; of NULL, `null`. */
export function leafWriter({ type, evaluate }: Compiled): WriteDocument {
  if (type === null) return () => 'null';
  const text = jsonText(type);
  return (row, change) => {
    const value = evaluate(row, change);
    return value === undefined ? undefined : value === null ? 'null' : text(value);
  };
}

/** Whether the parts of a document can be changed one by one: an element of a list has no name to be found by. */
export function isPatchable(leaves: readonly Leaf[]): boolean {
  return leaves.length > 0 && leaves.every(({ steps }) => steps.every((step) => typeof step === 'string'));
}

interface Writer {
  readonly steps: readonly (string | number)[];
  readonly write: WriteDocument;
}

function compileNode(writers: readonly Writer[], nulls: 'keep' | 'omit'): WriteDocument {
  const [first] = writers;
  if (first !== undefined && first.steps.length === 0) return first.write;
  const children = new Map<string | number, Writer[]>();
  for (const { steps, write } of writers) {
    const [step = '', ...rest] = steps;
    const child = children.get(step) ?? [];
    children.set(step, [...child, { steps: rest, write }]);
  }
  const isList = typeof first?.steps[0] === 'number';
  const parts = [...children]
    .toSorted(([a], [b]) => (typeof a === 'number' && typeof b === 'number' ? a - b : 0))
    .map(([step, child]) => ({ name: isList ? '' : `${jsonString(String(step))}:`, write: compileNode(child, nulls) }));
  return (row: Row, change: StreamChange) => {
    let text = '';
    for (const { name, write } of parts) {
      const value = write(row, change);
      if (value === undefined) return undefined;
      if (nulls === 'omit' && value === 'null') continue;
      text += text === '' ? name + value : `,${name}${value}`;
    }
    return isList ? `[${text}]` : `{${text}}`;
  };
}

/** How a type's values look in JSON: docs/concepts/values.md. */
function jsonText({ type, isBoolean }: ValueType): (value: Value) => string {
  switch (familyOf(type)) {
    case 'integer':
      return isBoolean ? (value) => (value === 1 ? 'true' : 'false') : (value) => `${value as number | bigint}`;
    case 'double':
      return (value) => jsonNumber(value as number) ?? fault('the number is not finite');
    case 'bytes':
      return (value) => `"${base64(value as Uint8Array)}"`;
    case 'json':
      return (value) => value as string;
    case 'vector':
      return (value) => vectorText(value as Float32Array) ?? fault('an element of the vector is not finite');
    default:
      return (value) => jsonString(value as string);
  }
}
