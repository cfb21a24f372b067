import type { Value } from '../../core/change.ts';
import { expressionError } from '../faults.ts';
import { type Compiled, type Evaluate, textOf } from './compiled.ts';
import type { Scaled } from './scaled-number.ts';
import { type Family, familyOf, typeText } from './value-type.ts';

/** A function of the expression language. */
export interface FunctionSpec {
  /** How it is written, for messages and the page. */
  readonly form: string;
  /** How many arguments it takes. */
  readonly args: readonly [min: number, max: number];
  readonly compile: (call: Call) => Compiled;
}

/** A function with its arguments, in the making. */
export class Call {
  readonly name: string;
  readonly args: readonly Compiled[];
  readonly at: number;
  readonly #form: string;

  constructor(spec: FunctionSpec, { name, args, at }: { name: string; args: readonly Compiled[]; at: number }) {
    this.name = name;
    this.args = args;
    this.at = at;
    this.#form = spec.form;
  }

  get label(): string {
    return `the value of ${this.name}`;
  }

  argument(index: number): Compiled {
    const argument = this.args[index];
    if (argument === undefined) throw new RangeError(`${this.name} has no argument ${index}`);
    return argument;
  }

  /** Null where the argument is the literal NULL. */
  family(index: number): Family | null {
    const { type } = this.argument(index);
    return type === null ? null : familyOf(type.type);
  }

  /** The argument's value as text: also of numbers and dates. */
  text(index: number): Evaluate<string> {
    const { type, evaluate } = this.argument(index);
    if (type === null) return () => null;
    const family = familyOf(type.type);
    if (family === 'text' || family === 'json' || family === 'decimal') return evaluate as Evaluate<string>;
    const text = textOf(type);
    if (text === null) throw this.mistake(index, 'text');
    return (row, change) => {
      const value = evaluate(row, change);
      return value === null || value === undefined ? value : text(value);
    };
  }

  /** An integer or a decimal. */
  scaled(index: number): { readonly scaled: Evaluate<Scaled>; readonly scale: number } {
    const { type, scaled } = this.argument(index);
    if (type === null) return { scaled: () => null, scale: 0 };
    if (scaled === null) throw this.mistake(index, 'an integer or a DECIMAL');
    return { scaled, scale: type.scale ?? 0 };
  }

  /** The value of one of these families. */
  of<V extends Value>(index: number, families: readonly Family[], wanted: string): Evaluate<V> {
    const family = this.family(index);
    if (family === null) return () => null;
    if (!families.includes(family)) throw this.mistake(index, wanted);
    return this.argument(index).evaluate as Evaluate<V>;
  }

  integerLiteral(index: number): number {
    const { literal } = this.argument(index);
    if (literal?.kind !== 'number' || !/^-?\d{1,9}$/.test(literal.text)) {
      throw this.mistake(index, 'an integer written out');
    }
    return Number(literal.text);
  }

  stringLiteral(index: number): string {
    const { literal } = this.argument(index);
    if (literal?.kind !== 'string') throw this.mistake(index, 'a string written out');
    return literal.text;
  }

  mistake(index: number, wanted: string): Error {
    const { type, label } = this.argument(index);
    const found = type === null ? 'NULL' : `${label}, ${typeText(type)}`;
    return expressionError(
      `"${this.name}" takes ${wanted} as argument ${index + 1}, not ${found}`,
      this.at,
      `${this.#form}.`,
    );
  }
}
