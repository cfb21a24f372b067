import { hash } from 'node:crypto';
import type { Value } from '../../core/change.ts';
import { fault } from '../faults.ts';
import { type Call, type FunctionSpec } from './call.ts';
import { type Compiled, type Evaluate, strict, strictPair, valueOf } from './compiled.ts';
import type { Scaled } from './scaled-number.ts';
import { characterCount, characters } from './text-units.ts';
import { textLengthMax, TYPES, type ValueType } from './value-type.ts';

/** Changing the case can make three characters of one. */
const CASE_GROWTH = 3;

export const TEXT_FUNCTIONS: Readonly<Record<string, FunctionSpec>> = {
  concat: { form: 'concat(value, …)', args: [1, 100], compile: concat },
  lower: {
    form: 'lower(text)',
    args: [1, 1],
    compile: (call) => changed(call, (text) => text.toLowerCase(), CASE_GROWTH),
  },
  upper: {
    form: 'upper(text)',
    args: [1, 1],
    compile: (call) => changed(call, (text) => text.toUpperCase(), CASE_GROWTH),
  },
  trim: { form: 'trim(text)', args: [1, 1], compile: (call) => changed(call, (text) => text.trim(), 1) },
  length: { form: 'length(text or bytes)', args: [1, 1], compile: length },
  substring: { form: 'substring(text, from[, count])', args: [2, 3], compile: substring },
  replace: { form: 'replace(text, what, by)', args: [3, 3], compile: replace },
  lpad: { form: "lpad(text, length, 'filling')", args: [3, 3], compile: lpad },
  sha256: { form: 'sha256(text or bytes)', args: [1, 1], compile: sha256 },
  hex: { form: 'hex(bytes)', args: [1, 1], compile: (call) => encoded(call, 'hex') },
  base64: { form: 'base64(bytes)', args: [1, 1], compile: (call) => encoded(call, 'base64') },
  uuid: { form: 'uuid(bytes)', args: [1, 1], compile: uuid },
};

function concat(call: Call): Compiled {
  const parts = call.args.map((_, index) => call.text(index));
  const evaluate: Evaluate = (row, change) => {
    let text = '';
    let isKnown = true;
    for (let i = 0; i < parts.length; i++) {
      const part = (parts[i] as Evaluate<string>)(row, change);
      if (part === null) return null;
      if (part === undefined) isKnown = false;
      else text += part;
    }
    return isKnown ? text : undefined;
  };
  return valueOf(textType(call.args.map(({ type }) => type)), evaluate, call.label);
}

/** A text that has room for all of them. */
function textType(types: readonly (ValueType | null)[], growth = 1): ValueType {
  let length: number | null = 0;
  for (const type of types) {
    const max = type === null ? 0 : textLengthMax(type);
    length = max === null || length === null ? null : length + max * growth;
  }
  return length === null ? TYPES.text : TYPES.varchar(length);
}

function changed(call: Call, change: (text: string) => string, growth: number): Compiled {
  return valueOf(textType([call.argument(0).type], growth), strict(call.text(0), change), call.label);
}

function length(call: Call): Compiled {
  const evaluate: Evaluate =
    call.family(0) === 'bytes'
      ? strict(call.of<Uint8Array>(0, ['bytes'], 'bytes'), (bytes) => bytes.length)
      : strict(call.text(0), characterCount);
  return valueOf(TYPES.bigint, evaluate, call.label);
}

/** As in SQL: the first character is 1, −1 the last one; from 0 on there is nothing. */
function substring(call: Call): Compiled {
  const text = call.text(0);
  const from = call.of<Scaled>(1, ['integer'], 'an integer');
  const count: Evaluate<Scaled> =
    call.args.length === 3 ? call.of(2, ['integer'], 'an integer') : () => Number.MAX_SAFE_INTEGER;
  const rest = strictPair(from, count, (a, b): readonly [number, number] => [Number(a), Number(b)]);
  const evaluate = strictPair(text, rest, (value, [first, size]) => {
    if (first === 0 || size <= 0) return '';
    const start = first > 0 ? first - 1 : characterCount(value) + first;
    return start < 0 ? '' : characters(value, start, size);
  });
  return valueOf(textType([call.argument(0).type]), evaluate, call.label);
}

function replace(call: Call): Compiled {
  const pair = strictPair(call.text(1), call.text(2), (what, by): readonly [string, string] => [what, by]);
  const evaluate = strictPair(call.text(0), pair, (text, [what, by]) =>
    what === '' ? text : text.replaceAll(what, () => by),
  );
  return valueOf(TYPES.text, evaluate, call.label);
}

/** Longer texts are cut, as in SQL. */
function lpad(call: Call): Compiled {
  const size = call.integerLiteral(1);
  const filling = call.stringLiteral(2);
  if (size < 0 || size > 1000) throw call.mistake(1, 'a length from 0 to 1000');
  if (characterCount(filling) !== 1) throw call.mistake(2, 'one character');
  const evaluate = strict(call.text(0), (text) => {
    const count = characterCount(text);
    return count >= size ? characters(text, 0, size) : filling.repeat(size - count) + text;
  });
  return valueOf(TYPES.varchar(size), evaluate, call.label);
}

const SHA256: ValueType = { ...TYPES.varchar(64), type: 'char', charset: 'ascii' };

/** Of a text its bytes in UTF-8. */
function sha256(call: Call): Compiled {
  const input: Evaluate<string | Uint8Array> =
    call.family(0) === 'bytes' ? call.of<Uint8Array>(0, ['bytes'], 'bytes') : call.text(0);
  return valueOf(
    SHA256,
    strict(input, (value) => hash('sha256', value)),
    call.label,
  );
}

function encoded(call: Call, encoding: 'hex' | 'base64'): Compiled {
  const { type } = call.argument(0);
  const bytes = type?.length ?? null;
  const length = bytes === null ? null : encoding === 'hex' ? bytes * 2 : Math.ceil(bytes / 3) * 4;
  const evaluate = strict(call.of<Uint8Array>(0, ['bytes'], 'bytes'), (value) => buffer(value).toString(encoding));
  return valueOf(length === null ? TYPES.text : TYPES.varchar(length), evaluate, call.label);
}

const UUID_BYTES = 16;

/** 16 bytes in their order as the text of a UUID. */
function uuid(call: Call): Compiled {
  const evaluate = strict(call.of<Uint8Array>(0, ['bytes'], 'bytes'), (value): Value => {
    if (value.length !== UUID_BYTES) fault(`a UUID has ${UUID_BYTES} bytes`);
    const hex = buffer(value).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  });
  return valueOf({ ...TYPES.varchar(36), type: 'char', charset: 'ascii' }, evaluate, call.label);
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
