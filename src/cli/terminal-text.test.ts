import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { characterWidth, renderLine, terminalSafe } from './terminal-text.ts';

const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));

test('no text makes a terminal do anything but show it', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const safe = terminalSafe(text);
      // oxlint-disable-next-line no-control-regex -- it is what must not be there
      expect(safe).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(safe.isWellFormed()).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('a line is never wider than it may be, and the same with and without colours', () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 5 }), fc.integer({ min: 1, max: 60 }), (texts, width) => {
      const spans = texts.map((text) => ({ text, color: '31' }));
      const plain = renderLine(spans, { width, color: false });
      const colored = renderLine(spans, { width, color: true });
      expect(Array.from(plain).reduce((sum, character) => sum + characterWidth(character), 0)).toBeLessThanOrEqual(
        width,
      );
      // oxlint-disable-next-line no-control-regex -- the colours
      expect(colored.replaceAll(/\u001b\[\d*m/g, '')).toBe(plain);
    }),
    { numRuns: 1000 },
  );
});

test('what was cut off leaves an ellipsis, and wide characters count twice', () => {
  expect(renderLine([{ text: 'abcdef' }], { width: 6, color: false })).toBe('abcdef');
  expect(renderLine([{ text: 'abcdefg' }], { width: 6, color: false })).toBe('abcde…');
  expect(renderLine([{ text: '日本語' }], { width: 5, color: false })).toBe('日本…');
  expect(renderLine([{ text: 'abc' }, { text: 'def' }], { width: 3, color: false })).toBe('ab…');
});
