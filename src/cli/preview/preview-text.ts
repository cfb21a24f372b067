import type { Row } from '../../core/change.ts';
import type { TidingsError } from '../../core/errors.ts';
import type { NestedPatch, SinkRow } from '../../core/sink.ts';
import { isoMicroseconds } from '../../formats/json-text.ts';
import { shown } from '../pretty.ts';
import { renderLine, type Span } from '../terminal-text.ts';
import { leftOutText, type Previewed } from './preview-entry.ts';

const DIM = '2';
const BOLD = '1';
const RED = '31';
const GREEN = '32';
const YELLOW = '33';

/** The lines of one change: what it is, and what becomes of it. Not for programs: long values are cut. */
export function previewText(previewed: Previewed, color: boolean): string {
  return linesOf(previewed)
    .map((spans) => `${renderLine(spans, { width: Number.MAX_SAFE_INTEGER, color })}\n`)
    .join('');
}

function linesOf(previewed: Previewed): Span[][] {
  switch (previewed.kind) {
    case 'mapped': {
      const { rows, leftOut } = previewed;
      return [
        ...changeLines(previewed),
        ...rows.flatMap(rowLines),
        ...leftOut.map((each) => [{ text: `  ${leftOutText(each)}`, color: YELLOW }]),
      ];
    }
    case 'failed':
      return [...changeLines(previewed), ...errorLines(previewed.error)];
    case 'emptied': {
      const { targets } = previewed;
      const names = targets.map(({ table }) => [{ text: `  → empties ${table.database}.${table.name}`, color: GREEN }]);
      return [headOf(previewed), ...(names.length === 0 ? [[{ text: '  empties no target', color: YELLOW }]] : names)];
    }
    case 'unemptied':
      return [headOf(previewed), ...errorLines(previewed.error)];
  }
}

function headOf({ truncation }: Extract<Previewed, { readonly kind: 'emptied' | 'unemptied' }>): Span[] {
  const { database, table, scn, committedAtUs } = truncation;
  return [
    { text: `truncate ${database}.${table}`, color: BOLD },
    { text: placeText(scn, committedAtUs), color: DIM },
  ];
}

function changeLines({ change }: Extract<Previewed, { readonly kind: 'mapped' | 'failed' }>): Span[][] {
  const { kind, table, key, before, after, scn, committedAtUs, moved, snapshot } = change;
  const half = moved === undefined ? '' : moved === 'from' ? ' (its key moved away)' : ' (its key moved here)';
  const head = `${kind} ${table.database}.${table.name}${keyText(key)}`;
  const place = placeText(scn, committedAtUs) + half + (snapshot === true ? ' (of a snapshot)' : '');
  return [
    [
      { text: head, color: BOLD },
      { text: place, color: DIM },
    ],
    ...imageLines(before, after, '  '),
  ];
}

function placeText(scn: number, committedAtUs: number): string {
  return `  scn ${scn}  ${isoMicroseconds(committedAtUs)}`;
}

function rowLines({ target, kind, key, before, after, patches = [] }: SinkRow): Span[][] {
  const { database, name } = target.table;
  return [
    [{ text: `  → ${kind} ${database}.${name}${keyText(key)}`, color: GREEN }],
    ...imageLines(before, after, '    '),
    ...patches.map((patch) => [{ text: `    ${patchText(patch)}` }]),
    ...(Object.keys(target.options).length === 0
      ? []
      : [[{ text: '    options  ', color: DIM }, { text: JSON.stringify(target.options) }]]),
  ];
}

function imageLines(before: Row | null, after: Row | null, indent: string): Span[][] {
  const image = (name: string, row: Row | null): Span[][] =>
    row === null ? [] : [[{ text: `${indent}${name}  `, color: DIM }, { text: imageText(row) }]];
  return [...image('before', before), ...image('after ', after)];
}

function imageText(row: Row): string {
  return Object.entries(row)
    .map(([name, value]) => `${name} ${shown(value)}`)
    .join('  ');
}

/** The values alone, in key order. */
function keyText(key: Row | null): string {
  return key === null ? '' : ` ${Object.values(key).map(shown).join(',')}`;
}

/** Values, keys and elements are JSON text already. */
function patchText(patch: NestedPatch): string {
  const path = patch.path.join('.');
  if (patch.kind === 'set') return patch.value === null ? `unset ${path}` : `set ${path} = ${patch.value}`;
  const key = Object.entries(patch.key).map(([name, value]) => `${name} ${value}`);
  const place = `${path}[${key.join(', ')}]`;
  return patch.kind === 'put' ? `put ${place} = ${patch.element}` : `remove ${place}`;
}

function errorLines({ code, message, hint }: TidingsError): Span[][] {
  return [[{ text: `  error ${code}: ${message}`, color: RED }], ...(hint === '' ? [] : [[{ text: `    ${hint}` }]])];
}
