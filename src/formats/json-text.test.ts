import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { float32Text, isoMicroseconds, jsonNumber, jsonString } from './json-text.ts';

test('a string literal reads back as the same string and holds nothing that a terminal acts on', () => {
  const anyUtf16 = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
  fc.assert(
    fc.property(fc.oneof(anyUtf16, fc.string({ unit: 'binary' })), (text) => {
      const literal = jsonString(text);
      expect(JSON.parse(literal)).toBe(text);
      // oxlint-disable-next-line no-control-regex -- it is what must not be there
      expect(literal).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      expect(literal.isWellFormed()).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('a float32 prints as a decimal that reads back as the same float32, and never longer than nine digits', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = float32Text(value) ?? '';
      expect(Object.is(Math.fround(Number(text)), value)).toBe(true);
      expect(
        text
          .replace(/e.*$/, '')
          .replace(/[-.]/g, '')
          .replace(/^0+|0+$/g, '').length,
      ).toBeLessThanOrEqual(9);
    }),
    { numRuns: 5000 },
  );
});

test('a short decimal stored as float32 prints as itself', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999 }), fc.integer({ min: -30, max: 30 }), (digits, exponent) => {
      const decimal = Number(`${digits}e${exponent}`);
      expect(float32Text(Math.fround(decimal))).toBe(`${decimal}`);
    }),
    { numRuns: 2000 },
  );
});

test('numbers keep the sign of zero, and what is no number has no text', () => {
  expect(jsonNumber(-0)).toBe('-0');
  expect(jsonNumber(0)).toBe('0');
  expect(jsonNumber(Number.NaN)).toBeUndefined();
  expect(jsonNumber(Infinity)).toBeUndefined();
});

test('a time has six digits of a second, also before 1970', () => {
  expect(isoMicroseconds(0)).toBe('1970-01-01T00:00:00.000000Z');
  expect(isoMicroseconds(-1)).toBe('1969-12-31T23:59:59.999999Z');
  expect(isoMicroseconds(1_795_166_102_123_456)).toBe('2026-11-20T09:15:02.123456Z');
});
