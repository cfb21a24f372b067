import { parseColumn, type WrittenColumn } from './column-parser.ts';
import type { DdlContext } from './effect.ts';
import { NotUnderstood, type TokenReader } from './token-reader.ts';

/** A column within a key: by name, with the prefix of it that is indexed (null: all of it). */
export interface KeyPart {
  readonly column: string;
  readonly prefix: number | null;
  /** MariaDB: `period WITHOUT OVERLAPS`, where `column` names the period. */
  readonly period: boolean;
}

export type TableElement =
  | { readonly kind: 'column'; readonly column: WrittenColumn }
  | { readonly kind: 'primary-key'; readonly parts: readonly KeyPart[]; readonly ifNotExists: boolean }
  /** `parts` is null when a part is an expression. */
  | { readonly kind: 'unique'; readonly parts: readonly KeyPart[] | null; readonly hash: boolean }
  /** MariaDB: PERIOD FOR name (from, to); both columns become NOT NULL. */
  | { readonly kind: 'period'; readonly name: string; readonly from: string; readonly to: string }
  | { readonly kind: 'system-period'; readonly from: string; readonly to: string }
  /** Without effect on any column: other indexes, foreign keys, checks. */
  | { readonly kind: 'other' };

const OTHER: TableElement = { kind: 'other' };
const INDEX_WORDS: ReadonlySet<string> = new Set(['INDEX', 'KEY']);

/** Reads a column, key, constraint or period, as it stands in CREATE TABLE or behind ADD. */
export function parseTableElement(reader: TokenReader, context: DdlContext): TableElement {
  return parseKeyElement(reader, context) ?? { kind: 'column', column: parseColumn(reader, context) };
}

/** Reads anything but a column; null, and nothing read, when a column comes next. */
export function parseKeyElement(reader: TokenReader, context: DdlContext): TableElement | null {
  if (reader.at('CONSTRAINT')) return constraint(reader);
  if (isPeriod(reader, context)) return period(reader);
  const isVectorIndex = context.flavour === 'mariadb' && reader.at('VECTOR') && INDEX_WORDS.has(reader.peek(1).upper);
  if (reader.atOneOf(INDEX_WORDS) || reader.at('FULLTEXT') || reader.at('SPATIAL') || isVectorIndex) {
    return other(reader);
  }
  return constraintBody(reader);
}

function constraint(reader: TokenReader): TableElement {
  reader.expect('CONSTRAINT');
  if (!reader.at('PRIMARY') && !reader.at('UNIQUE') && !reader.at('FOREIGN') && !reader.at('CHECK')) {
    reader.ifNotExists();
    reader.name();
  }
  const body = constraintBody(reader);
  if (body === null) throw new NotUnderstood('unknown constraint');
  return body;
}

function constraintBody(reader: TokenReader): TableElement | null {
  if (reader.accept('PRIMARY', 'KEY')) {
    const ifNotExists = indexHead(reader);
    const parts = keyParts(reader);
    if (parts === null) throw new NotUnderstood('an expression in the primary key');
    reader.skipElement();
    return { kind: 'primary-key', parts, ifNotExists };
  }
  if (reader.accept('UNIQUE')) {
    if (!reader.accept('INDEX')) reader.accept('KEY');
    const before = reader.mark;
    indexHead(reader);
    const parts = keyParts(reader);
    reader.skipElement();
    return { kind: 'unique', parts, hash: mentionsHash(reader, before, reader.mark) };
  }
  if (reader.at('FOREIGN', 'KEY') || reader.at('CHECK')) return other(reader);
  return null;
}

function other(reader: TokenReader): TableElement {
  reader.skipElement();
  return OTHER;
}

/** `[IF NOT EXISTS] [name] [USING type]`; whether there was IF NOT EXISTS. */
function indexHead(reader: TokenReader): boolean {
  const ifNotExists = reader.ifNotExists();
  while (!reader.at('(')) {
    if (reader.accept('USING') || reader.accept('TYPE')) reader.name();
    else reader.name();
  }
  return ifNotExists;
}

/** `(column [(n)] [ASC | DESC], …)`; null when one is an expression. */
export function keyParts(reader: TokenReader): readonly KeyPart[] | null {
  const parts: KeyPart[] = [];
  let expression = false;
  reader.group(() => {
    if (reader.at('(')) {
      reader.skipGroup();
      expression = true;
    } else {
      const column = reader.name();
      const prefix = reader.optionalLength();
      parts.push({ column, prefix, period: reader.accept('WITHOUT', 'OVERLAPS') });
    }
    if (!reader.accept('ASC')) reader.accept('DESC');
  });
  return expression ? null : parts;
}

/** Whether `USING HASH` stands between two marks. Leaves the reader where it was. */
export function mentionsHash(reader: TokenReader, from: number, to: number): boolean {
  const mark = reader.mark;
  reader.rewind(from);
  let found = false;
  while (reader.mark < to) {
    if (reader.at('USING', 'HASH') || reader.at('TYPE', 'HASH')) found = true;
    reader.next();
  }
  reader.rewind(mark);
  return found;
}

function isPeriod(reader: TokenReader, context: DdlContext): boolean {
  return context.flavour === 'mariadb' && reader.at('PERIOD', 'FOR');
}

function period(reader: TokenReader): TableElement {
  reader.expect('PERIOD', 'FOR');
  const system = reader.accept('SYSTEM_TIME');
  if (!system) reader.ifNotExists();
  const name = system ? '' : reader.name();
  reader.expect('(');
  const from = reader.name();
  reader.expect(',');
  const to = reader.name();
  reader.expect(')');
  return system ? { kind: 'system-period', from, to } : { kind: 'period', name, from, to };
}
