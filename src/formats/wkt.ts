import { ByteCursor, ShortFrameError } from '../base/byte-cursor.ts';

const NAMES = [
  'POINT',
  'LINESTRING',
  'POLYGON',
  'MULTIPOINT',
  'MULTILINESTRING',
  'MULTIPOLYGON',
  'GEOMETRYCOLLECTION',
] as const;

/** Deeper collections than this are not written: the bytes come from outside, and a stack has an end. */
const DEPTH_MAX = 32;

/**
 * Well-known text of a geometry as the servers store it (OGC Simple Features, WKB with a reference system before it):
 *
 *     srid   u32 LE
 *     order  u8        1, little-endian: the servers write no other
 *     type   u32       1 point … 7 collection
 *     body             two doubles for a point; else a count (u32) and so many points, rings or whole geometries
 *
 * Undefined for bytes that are none.
 */
export function wkt(bytes: Uint8Array): string | undefined {
  const cursor = new ByteCursor(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  try {
    cursor.skip(4, 'srid');
    const text = geometry(cursor, 0);
    return cursor.remaining === 0 ? text : undefined;
  } catch (error) {
    if (error instanceof ShortFrameError) return undefined;
    throw error;
  }
}

function geometry(cursor: ByteCursor, depth: number): string | undefined {
  if (depth > DEPTH_MAX || cursor.u8('order') !== 1) return undefined;
  const type = cursor.u32('type');
  const name = NAMES[type - 1];
  if (name === undefined) return undefined;
  const body = bodyOf(cursor, type, { depth });
  if (body === undefined) return undefined;
  return body === '' ? `${name} EMPTY` : `${name} (${body})`;
}

function bodyOf(cursor: ByteCursor, type: number, { depth }: { depth: number }): string | undefined {
  if (type === 1) return point(cursor);
  if (type === 2) return list(cursor, point);
  if (type === 3) return list(cursor, ring);
  if (type === 7) return list(cursor, (inner) => geometry(inner, depth + 1));
  // The multi types hold whole geometries; their text leaves the members' names out.
  return list(cursor, (inner) => geometry(inner, depth + 1)?.replace(/^[A-Z]+ /, ''));
}

function list(cursor: ByteCursor, member: (cursor: ByteCursor) => string | undefined): string | undefined {
  const members: string[] = [];
  for (let left = cursor.u32('count'); left > 0; left--) {
    const text = member(cursor);
    if (text === undefined) return undefined;
    members.push(text);
  }
  return members.join(', ');
}

function ring(cursor: ByteCursor): string | undefined {
  const points = list(cursor, point);
  return points === undefined ? undefined : `(${points})`;
}

function point(cursor: ByteCursor): string {
  const bytes = cursor.bytes(16, 'point');
  return `${bytes.readDoubleLE(0)} ${bytes.readDoubleLE(8)}`;
}
