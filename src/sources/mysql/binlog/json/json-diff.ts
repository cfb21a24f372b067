import { ByteCursor } from '../../../../base/byte-cursor.ts';
import { decodeFrame } from '../frame-errors.ts';
import {
  corruptJson,
  documentValue,
  isContainer,
  keyAt,
  openContainer,
  valueAt,
  type JsonContainer,
  type JsonValue,
} from './json-layout.ts';
import { parseJsonPath, type PathLeg } from './json-path.ts';
import { JsonPrinter } from './json-text.ts';

/**
 * One change to a document, part of the value of a JSON column in a PARTIAL_UPDATE_ROWS event
 * (MySQL source, sql/json_diff.cc; written when binlog_row_value_options=PARTIAL_JSON).
 *
 *     operation    u8                0 replace, 1 insert, 2 remove
 *     path length  length-encoded
 *     path         UTF-8             see parseJsonPath
 *     value length length-encoded    not for remove
 *     value        binary JSON       not for remove
 */
type JsonDiff = DiffPath &
  (
    | { readonly operation: typeof REPLACE | typeof INSERT; readonly value: JsonValue }
    | { readonly operation: typeof REMOVE }
  );

interface DiffPath {
  /** The steps to the object or array that the diff changes. */
  readonly owners: readonly PathLeg[];
  /** What it changes in there. There always is one: the whole document is never written as a diff. */
  readonly last: PathLeg;
}

const REPLACE = 0;
const INSERT = 1;
const REMOVE = 2;

/**
 * An object or array on the way to something that a diff changes. Everything else stays bytes: a slot is the number of a member of `base`,
 * or what has been put in its place. So a diff costs a walk along its path, not a tree of the document.
 */
interface Branch {
  readonly base: JsonContainer;
  readonly slots: (number | Child)[];
}

interface Child {
  /** Empty in an array. */
  readonly key: Buffer;
  node: JsonValue | Branch;
}

const NO_KEY = Buffer.alloc(0);
const printer = new JsonPrinter();

/**
 * The text of a JSON column after a partial update, as the server's SELECT shows it.
 *
 * `before` is the column's whole document in the before image, `diffs` the bytes behind the u32 length that precedes the diffs in the
 * after image. No diffs leave the document as it was.
 *
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT (also when a diff does not fit the document), VALUE_TOO_LONG
 */
export function applyJsonDiffs(before: Buffer, diffs: Buffer): string {
  const root: Child = { key: NO_KEY, node: documentValue(before, 0, before.length) };
  for (const diff of parseJsonDiffs(diffs)) apply(root, diff);
  printer.begin(before.length + diffs.length);
  printNode(root.node, 0);
  return printer.writer.finish();
}

function parseJsonDiffs(bytes: Buffer): readonly JsonDiff[] {
  const cursor = new ByteCursor(bytes);
  return decodeFrame('PARTIAL_UPDATE_ROWS', () => {
    const diffs: JsonDiff[] = [];
    while (cursor.remaining > 0) {
      const at = cursor.offset;
      const operation = cursor.u8('JSON diff operation');
      if (operation > REMOVE) throw corruptJson('a diff with an unknown operation', at);
      const path = parseJsonPath(cursor.bytes(cursor.lengthEncoded('JSON diff path length'), 'JSON diff path'));
      const last = path.at(-1);
      if (last === undefined) throw corruptJson('a diff of the whole document', at);
      const owners = path.slice(0, -1);
      if (operation === REMOVE) {
        diffs.push({ operation, owners, last });
        continue;
      }
      const document = cursor.bytes(cursor.lengthEncoded('JSON diff value length'), 'JSON diff value');
      const value = documentValue(document, 0, document.length);
      diffs.push({ operation: operation === INSERT ? INSERT : REPLACE, owners, last, value });
    }
    return diffs;
  });
}

function apply(root: Child, diff: JsonDiff): void {
  const { owners, last } = diff;
  let owner = root;
  for (const [depth, leg] of owners.entries()) {
    const branch = branchAt(owner, leg, depth);
    owner = childAt(branch, existing(branch, leg));
  }
  const branch = branchAt(owner, last, owners.length);
  if (diff.operation === REMOVE) branch.slots.splice(existing(branch, last), 1);
  else if (diff.operation === REPLACE) childAt(branch, existing(branch, last)).node = diff.value;
  else insert(branch, last, diff.value);
}

/** Opens what `owner` holds, so that `leg` can step into it. */
function branchAt(owner: Child, leg: PathLeg, depth: number): Branch {
  if (!('slots' in owner.node)) {
    if (!isContainer(owner.node.type)) throw misfit();
    const base = openContainer(owner.node, depth);
    owner.node = { base, slots: Array.from({ length: base.count }, (_, index) => index) };
  }
  if (owner.node.base.isObject !== (leg.kind === 'member')) throw misfit();
  return owner.node;
}

/** The slot in its own right, so that something else can be put into it. */
function childAt({ base, slots }: Branch, slot: number): Child {
  const held = slots[slot];
  if (held === undefined) throw misfit();
  if (typeof held !== 'number') return held;
  const child: Child = { key: base.isObject ? keyAt(base, held) : NO_KEY, node: valueAt(base, held) };
  slots[slot] = child;
  return child;
}

function existing(branch: Branch, leg: PathLeg): number {
  if (leg.kind === 'member') {
    const slot = slotOfKey(branch, leg.name);
    if (slot < 0) throw misfit();
    return slot;
  }
  const { length } = branch.slots;
  if (leg.index >= length) throw misfit();
  return leg.fromEnd ? length - 1 - leg.index : leg.index;
}

/** A new member takes its sorted place. An element behind the end is appended, one that far before the last that it has no place comes first. */
function insert(branch: Branch, leg: PathLeg, node: JsonValue): void {
  const { slots } = branch;
  if (leg.kind === 'member') {
    const slot = slotOfKey(branch, leg.name);
    if (slot >= 0) throw misfit();
    slots.splice(~slot, 0, { key: leg.name, node });
  } else {
    const slot = leg.fromEnd ? Math.max(0, slots.length - 1 - leg.index) : Math.min(slots.length, leg.index);
    slots.splice(slot, 0, { key: NO_KEY, node });
  }
}

/** The slot of the member with this key, or `~slot` of the place where it would go: shorter keys first, then by bytes. */
function slotOfKey({ base, slots }: Branch, key: Buffer): number {
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const held = slots[middle] ?? 0;
    const other = typeof held === 'number' ? keyAt(base, held) : held.key;
    const order = other.length - key.length || Buffer.compare(other, key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return ~low;
}

function printNode(node: JsonValue | Branch, depth: number): void {
  if (!('slots' in node)) {
    printer.value(node, depth);
    return;
  }
  const { base, slots } = node;
  printer.open(base.isObject);
  for (const [index, held] of slots.entries()) {
    if (index > 0) printer.separator();
    if (typeof held === 'number') {
      printer.member(base, held, depth);
    } else {
      if (base.isObject) printer.key(held.key, 0, held.key.length);
      printNode(held.node, depth + 1);
    }
  }
  printer.close(base.isObject);
}

function misfit(): Error {
  return corruptJson('a diff that does not fit the document before it', 0);
}
