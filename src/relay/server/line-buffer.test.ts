import { expect, test } from 'vitest';
import { writeText } from '../../formats/relay-lines.ts';
import { LineBuffer } from './line-buffer.ts';

function taken(buffer: LineBuffer): string {
  let text = '';
  for (let bytes = buffer.take(); bytes !== null; bytes = buffer.take()) {
    text += bytes.toString();
    buffer.release(bytes);
  }
  return text;
}

test('what was written comes out in order, however long the pieces are', () => {
  const buffer = new LineBuffer();
  let expected = '';
  for (let at = 0; at < 300; at++) {
    const text = `${at}é`.repeat((at * 37) % 4000);
    writeText(text, buffer);
    expected += text;
    if (at % 100 === 99) {
      expect(taken(buffer)).toBe(expected);
      expected = '';
    }
  }
});

test('buffers are used again when they were given back', () => {
  const buffer = new LineBuffer();
  const seen = new Set<ArrayBufferLike>();
  for (let at = 0; at < 50; at++) {
    writeText('x'.repeat(10_000), buffer);
    const bytes = buffer.take();
    if (bytes === null) throw new Error('nothing was collected');
    seen.add(bytes.buffer);
    buffer.release(bytes);
  }
  expect(seen.size).toBeLessThanOrEqual(3);
});

test('a line that is dropped leaves what was before it, also when it had filled buffers', () => {
  for (const length of [10, 200_000]) {
    const buffer = new LineBuffer();
    writeText('before\n', buffer);
    buffer.beginLine();
    for (let at = 0; at < 5; at++) writeText('y'.repeat(length), buffer);
    buffer.dropLine();
    writeText('after\n', buffer);
    expect(taken(buffer)).toBe('before\nafter\n');
  }
});
