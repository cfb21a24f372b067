import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { epochDays, epochMicros } from '../../formats/calendar.ts';
import { daysOf, microsOf } from './file-columns.ts';

const digits = (length: number): fc.Arbitrary<string> =>
  fc.nat(10 ** length - 1).map((number) => String(number).padStart(length, '0'));
const date = fc
  .tuple(digits(4), fc.nat(13), fc.nat(32))
  .map(([year, month, day]) => `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`);
const clock = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.option(fc.integer({ min: 1, max: 6 }).chain(digits)))
  .map(([hours, minutes, seconds, fraction]) => {
    const parts = [hours, minutes, seconds].map((part) => String(part).padStart(2, '0')).join(':');
    return fraction === null ? parts : `${parts}.${fraction}`;
  });
/** With a character put in, taken out or replaced. */
const bent = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(text, fc.nat(30), fc.nat(1), fc.constantFrom('', '0', '9', '-', ':', '.', ' ', 'T', 'Z', 'x', '٣'))
    .map(([whole, at, cut, put]) => whole.slice(0, at) + put + whole.slice(at + cut));

test('days and microseconds are those of the calendar, whatever date came before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(date, bent(date)), { maxLength: 8 }),
      fc.array(
        fc.oneof(
          fc.tuple(date, clock).map((both) => both.join(' ')),
          fc.tuple(date, clock).map(([a, b]) => `${a}T${b}Z`),
        ),
        {
          maxLength: 8,
        },
      ),
      (dates, times) => {
        for (const text of dates) {
          expect([text, daysOf(text)]).toEqual([text, text.length === 10 ? epochDays(text) : null]);
        }
        for (const text of times) {
          const micros = microsOf(text);
          expect([text, micros === null ? null : BigInt(micros)]).toEqual([text, epochMicros(text)]);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('what is no date and time at all is told from one', () => {
  fc.assert(
    fc.property(bent(fc.tuple(date, clock).map((both) => both.join(' '))), (text) => {
      const micros = microsOf(text);
      // Without a clock it is midnight.
      const wanted = /^\d{4}-\d\d-\d\d(?:Z|$|[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z?$)/.test(text);
      expect([text, micros === null ? null : BigInt(micros)]).toEqual([text, wanted ? epochMicros(text) : null]);
    }),
    { numRuns: 2000 },
  );
});
