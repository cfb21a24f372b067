import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileLike } from './like-pattern.ts';

/** The same said as a regular expression. Slow on some patterns, which is why it is not what is used. */
function asExpression(pattern: string): RegExp {
  const source = pattern.replaceAll(/\\[%_\\]|[\s\S]/gu, (piece) => {
    if (piece === '%') return '[^]*';
    if (piece === '_') return '[^]';
    const literal = piece.length === 2 && piece.startsWith('\\') ? piece.slice(1) : piece;
    return literal.replaceAll(/[.*+?^${}()|[\]\\/]/gu, String.raw`\$&`);
  });
  return new RegExp(`^${source}$`, 'u');
}

test('a pattern matches what the regular expression of the same meaning matches', () => {
  const unit = fc.constantFrom('a', 'b', '🚲', 'é');
  const text = fc.oneof(
    fc.string({ unit, maxLength: 12 }),
    fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 30, maxLength: 90 }),
  );
  const pattern = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', '🚲', '%', '_', '\\'), maxLength: 8 }),
    // Pieces of more than 32 units, and of more than 64.
    fc
      .tuple(
        fc.string({ unit: fc.constantFrom('a', '_'), minLength: 30, maxLength: 70 }),
        fc.constantFrom('%', 'b%', ''),
      )
      .map(([piece, end]) => `%${piece}${end}`),
  );
  fc.assert(
    fc.property(text, pattern, (value, like) => {
      expect(compileLike(like)(value)).toBe(asExpression(like).test(value));
    }),
    { numRuns: 800 },
  );
});

test('a piece of a text itself is found in it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 40, maxLength: 120 }),
      fc.nat(30),
      fc.integer({ min: 1, max: 80 }),
      (text, from, length) => {
        const piece = text.slice(from, from + length).replaceAll('b', '_');
        expect(compileLike(`%${piece}%`)(text)).toBe(true);
        expect(compileLike(`%${piece}d%`)(text)).toBe(false);
      },
    ),
  );
});
