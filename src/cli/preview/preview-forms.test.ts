import { describe, expect, test } from 'vitest';
import { changeOf } from '../../../test/support/mapped.ts';
import { TidingsError } from '../../core/errors.ts';
import type { MappedRow } from '../../core/mapper.ts';
import type { SinkTarget } from '../../core/sink.ts';
import { tableOf } from '../../testing/tables.ts';
import type { Previewed } from './preview-entry.ts';
import { previewJson } from './preview-json.ts';
import { previewText } from './preview-text.ts';

const LINES = tableOf('shop.lines', { id: 'bigint', note: 'varchar' }, ['id']);
const target: SinkTarget = {
  table: tableOf('docs.orders', { id: 'bigint', address: 'json', items: 'json' }, ['id']),
  options: {},
  patched: ['address', 'items'],
};
const change = changeOf(LINES, {
  before: { id: 1, note: 'old' },
  after: { id: 2n ** 60n, note: 'a\u001b[2Jb' },
  scn: 7,
});
const row: MappedRow = {
  target,
  kind: 'update',
  key: { id: 1 },
  before: null,
  after: { id: 1, items: '[1.10]' },
  patches: [
    { kind: 'set', path: ['address', 'city'], value: '"Ulm"' },
    { kind: 'set', path: ['address', 'zip'], value: null },
    { kind: 'put', path: ['items'], key: { line: '3' }, element: '{"line":3}' },
    { kind: 'remove', path: ['items'], key: { line: '4' } },
  ],
  scn: 7,
  change,
  keepsKey: false,
};
const at = { committedAtUs: change.committedAtUs, scn: 8 };
const truncation = { type: 'truncate', database: 'shop', table: 'lines', sql: '', ...at } as const;
const error = new TidingsError('MAPPING_INVALID', 'it cannot be emptied', { hint: 'Say so.' });

const mapped: Previewed = {
  kind: 'mapped',
  change,
  rows: [row],
  leftOut: [{ rule: 'shop.*[1]', hook: null, reason: 'delete' }],
};

describe('a change', () => {
  test('as text: parts of documents by their places, what a terminal would obey escaped', () => {
    expect(previewText(mapped, false)).toBe(`update shop.lines 1152921504606846976  scn 7  2026-11-20T09:15:02.123456Z
  before  id 1  note 'old'
  after   id 1152921504606846976  note 'a\\u{1b}[2Jb'
  → update docs.orders 1
    after   id 1  items '[1.10]'
    set address.city = "Ulm"
    unset address.zip
    put items[line 3] = {"line":3}
    remove items[line 4]
  left out by rule shop.*[1]: \`delete: ignore\`
`);
  });

  test('as JSON: numbers with all their digits, documents as they are', () => {
    expect(previewJson(mapped)).toBe(
      '{"change":{"op":"update","db":"shop","table":"lines","key":{"id":1152921504606846976},"before":{"id":1,"note":"old"},' +
        '"after":{"id":1152921504606846976,"note":"a\\u001b[2Jb"},"ts":"2026-11-20T09:15:02.123456Z","scn":7},' +
        '"rows":[{"db":"docs","table":"orders","op":"update","key":{"id":1},"before":null,"after":{"id":1,"items":[1.10]},' +
        '"patches":[{"patch":"set","path":["address","city"],"value":"Ulm"},{"patch":"set","path":["address","zip"]},' +
        '{"patch":"put","path":["items"],"key":{"line":3},"element":{"line":3}},{"patch":"remove","path":["items"],"key":{"line":4}}],' +
        '"options":{}}],"leftOut":[{"rule":"shop.*[1]","hook":null,"reason":"delete","text":"left out by rule shop.*[1]: `delete: ignore`"}],' +
        '"empties":[],"error":null}',
    );
  });
});

test('a truncation says what it empties, or why it cannot', () => {
  const emptied: Previewed = { kind: 'emptied', truncation, targets: [target] };
  const head = 'truncate shop.lines  scn 8  2026-11-20T09:15:02.123456Z\n';
  expect(previewText(emptied, false)).toBe(`${head}  → empties docs.orders\n`);
  const line =
    '{"change":{"op":"truncate","db":"shop","table":"lines","ts":"2026-11-20T09:15:02.123456Z","scn":8},"rows":[],"leftOut":[]';
  expect(previewJson(emptied)).toBe(`${line},"empties":[{"db":"docs","table":"orders"}],"error":null}`);
  const unemptied: Previewed = { kind: 'unemptied', truncation, error };
  expect(previewText(unemptied, false)).toBe(`${head}  error MAPPING_INVALID: it cannot be emptied\n    Say so.\n`);
  expect(previewJson(unemptied)).toBe(
    `${line},"empties":[],"error":{"code":"MAPPING_INVALID","message":"it cannot be emptied","hint":"Say so."}}`,
  );
});
