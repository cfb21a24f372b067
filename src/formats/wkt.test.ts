import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wkt } from './wkt.ts';

type Coordinates = readonly (readonly [number, number])[];

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const point = ([x, y]: readonly [number, number]): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeDoubleLE(x, 0);
  bytes.writeDoubleLE(y, 8);
  return bytes;
};
const points = (all: Coordinates): Buffer => Buffer.concat([u32(all.length), ...all.map(point)]);
const wkb = (type: number, ...body: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from([1]), u32(type), ...body]);
const stored = (geometry: Buffer): Buffer => Buffer.concat([u32(4326), geometry]);

const square: Coordinates = [
  [0, 0],
  [0, 1],
  [1, 1],
  [0, 0],
];
const polygon = wkb(3, u32(2), points(square), points(square));

describe('each kind of geometry', () => {
  test.each([
    ['POINT (1.5 -2)', wkb(1, point([1.5, -2]))],
    ['LINESTRING (0 0, 0 1, 1 1, 0 0)', wkb(2, points(square))],
    ['POLYGON ((0 0, 0 1, 1 1, 0 0), (0 0, 0 1, 1 1, 0 0))', polygon],
    ['MULTIPOINT ((1 2), (3 4))', wkb(4, u32(2), wkb(1, point([1, 2])), wkb(1, point([3, 4])))],
    [
      'MULTILINESTRING ((0 0, 1 1))',
      wkb(
        5,
        u32(1),
        wkb(
          2,
          points([
            [0, 0],
            [1, 1],
          ]),
        ),
      ),
    ],
    ['MULTIPOLYGON (((0 0, 0 1, 1 1, 0 0), (0 0, 0 1, 1 1, 0 0)))', wkb(6, u32(1), polygon)],
    [
      'GEOMETRYCOLLECTION (POINT (1 2), GEOMETRYCOLLECTION EMPTY)',
      wkb(7, u32(2), wkb(1, point([1, 2])), wkb(7, u32(0))),
    ],
  ])('%s', (text, geometry) => {
    expect(wkt(stored(geometry))).toBe(text);
  });
});

test('bytes that are no geometry give undefined, and never an error', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void wkt(bytes)));
  for (let length = 0; length < polygon.length + 4; length++) {
    expect(wkt(stored(polygon).subarray(0, length))).toBeUndefined();
  }
  expect(wkt(stored(Buffer.concat([polygon, Buffer.from([0])])))).toBeUndefined();
});

test('a collection nested without end is refused', () => {
  let nested = wkb(7, u32(0));
  for (let depth = 0; depth < 100_000; depth++) nested = nested.length > 5000 ? nested : wkb(7, u32(1), nested);
  expect(wkt(stored(nested))).toBeUndefined();
});
