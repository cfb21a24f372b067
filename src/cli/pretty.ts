import type { Row, TransactionInfo, Value } from '../core/change.ts';
import type { Entry, RowBatch, TransactionPart } from '../core/source.ts';
import { isoMicroseconds } from '../formats/json-text.ts';
import { leftOutKeys } from '../formats/left-out-keys.ts';
import type { LineEncoder, LineSink } from '../formats/line-encoder.ts';
import { renderLine, type Span } from './terminal-text.ts';

/** Longer texts are cut before anything looks at them: no terminal shows more. */
const VALUE_CHARS_MAX = 200;

const DIM = '2';
const BOLD = '1';
const SIGNS = {
  insert: { text: '+', color: '32' },
  upsert: { text: '+', color: '32' },
  update: { text: '~', color: '33' },
  delete: { text: '-', color: '31' },
} as const;

/**
 * Lines for a person at a terminal: `09:15:02.123 ~ shop.orders 42  status 'new' → 'paid'`. Not for programs: it cuts off what
 * does not fit, and is free to change.
 */
export class PrettyEncoder implements LineEncoder {
  readonly #width: () => number;
  readonly #color: boolean;

  constructor({ width, color }: { width: () => number; color: boolean }) {
    this.#width = width;
    this.#color = color;
  }

  encode(part: TransactionPart, emit: LineSink): void {
    const time = { text: `${clock(part.transaction)} `, color: DIM };
    const layout = { width: this.#width(), color: this.#color };
    const print = (spans: readonly Span[]): void => emit(renderLine([time, ...spans], layout));
    for (const entry of part.entries) {
      if (entry.type === 'rows') rows(entry, print);
      else print(statement(entry));
    }
  }
}

function clock({ committedAtUs }: TransactionInfo): string {
  return isoMicroseconds(committedAtUs).slice(11, 23);
}

function statement(entry: Exclude<Entry, RowBatch>): Span[] {
  return [
    { text: '# ', color: '36' },
    { text: entry.database, color: BOLD },
    { text: `  ${entry.sql.replace(/\s+/g, ' ')}` },
  ];
}

function rows(batch: RowBatch, print: (spans: readonly Span[]) => void): void {
  const { table } = batch;
  const decoded = batch.rows();
  const { before, after, count } = decoded;
  const keys = leftOutKeys(batch, decoded);
  const name = `${table.database}.${table.name}`;
  const keyNames = new Set(table.key.map((index) => table.columns[index]?.name ?? ''));
  const names = table.columns.map((column) => column.name);
  for (let row = 0; row < count; row++) {
    const old = before?.[row] ?? null;
    const now = after?.[row] ?? null;
    const image = keys?.[row] ?? now ?? old ?? {};
    const key = [...keyNames]
      .map((column) => shown(valueOf(image, column) ?? valueOf(old ?? {}, column) ?? null))
      .join(',');
    const sign = SIGNS[batch.kind];
    const spans: Span[] = [
      { text: `${sign.text} `, color: sign.color },
      { text: name, color: BOLD },
      { text: ` ${key}` },
    ];
    for (const column of names) spans.push(...columnSpans(column, { old, now, isKey: keyNames.has(column) }));
    print(spans);
  }
}

function columnSpans(name: string, { old, now, isKey }: { old: Row | null; now: Row | null; isKey: boolean }): Span[] {
  const was = old === null ? undefined : valueOf(old, name);
  const is = now === null ? undefined : valueOf(now, name);
  const label = { text: `  ${name} `, color: DIM };
  if (old !== null && now !== null) {
    // What an image left out was not changed; of what was not logged before, only the new value is known.
    if (is === undefined) return [];
    if (was === undefined) return isKey ? [] : [label, { text: shown(is) }];
    const texts = [shown(was), shown(is)] as const;
    if (equal(was, is)) return [];
    return [label, { text: texts[0], color: '31' }, { text: ' → ', color: DIM }, { text: texts[1], color: '32' }];
  }
  const value = is ?? was;
  return isKey || value === undefined ? [] : [label, { text: shown(value) }];
}

function valueOf(row: Row, name: string): Value | undefined {
  return Object.hasOwn(row, name) ? row[name] : undefined;
}

function equal(a: Value, b: Value): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (a instanceof Float32Array && b instanceof Float32Array) return String(a) === String(b);
  return Object.is(a, b);
}

/** A value for people: cut where it is long. */
export function shown(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `'${short(value)}'`;
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, 16)).toString('hex');
    return value.length > 16 ? `0x${hex}…(${value.length} bytes)` : `0x${hex}`;
  }
  if (value instanceof Float32Array) return `[${short(value.subarray(0, 8).join(','))}${value.length > 8 ? ',…' : ''}]`;
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value);
}

function short(text: string): string {
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}
