import { expect, test } from 'vitest';
import { type ControlFrame, controlLength, decodeControl, encodeControl, isControl } from './control-frame.ts';
import { viewOf } from '../../../test/support/row-target.ts';

const FRAMES: readonly ControlFrame[] = [
  { kind: 'hello', stream: 'größe', created: 1_700_000_000_000, partitions: 64, first: 17, last: null },
  { kind: 'shapes', shapes: ['{}', '{"é":1}'] },
  { kind: 'progress', scn: 1_700_000_000_000_000, time: null },
  { kind: 'assignment', epoch: 3, partitions: [1, 2], revoking: [] },
  { kind: 'lane', partitions: [0, 63] },
  { kind: 'error', code: 'SCN_PURGED', message: 'gone', hint: 'begin anew' },
];

test('every kind of frame is read as it was written, and knows its length', () => {
  for (const frame of FRAMES) {
    const alone = encodeControl(frame);
    const bytes = Buffer.concat([Buffer.alloc(3), alone, Buffer.alloc(9, 0xff)]);
    expect(isControl(viewOf(bytes), 3)).toBe(true);
    expect(controlLength(viewOf(bytes), 3)).toBe(alone.length);
    expect(decodeControl(bytes, viewOf(bytes), 3)).toEqual(frame);
  }
});

test('a frame of a kind that is not known is passed over', () => {
  const bytes = encodeControl({ kind: 'lane', partitions: [] });
  bytes[5] = 200;
  expect(decodeControl(bytes, viewOf(bytes), 0)).toBeNull();
});

test('a frame that is cut, or says what its kind does not say, is refused', () => {
  const violation = expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }) as Error;
  const whole = encodeControl({ kind: 'lane', partitions: [1] });
  for (let length = 0; length < whole.length; length++) {
    const cut = Buffer.from(whole.subarray(0, length));
    expect(() => decodeControl(cut, viewOf(cut), 0)).toThrow(violation);
  }
  const wrong: unknown[] = [
    { kind: 'lane', partitions: ['1'] },
    { kind: 'lane' },
    { kind: 'progress', scn: 1.5, time: null },
    { kind: 'hello', stream: 's' },
    { kind: 'shapes', shapes: [1] },
    { kind: 'assignment', epoch: null, partitions: [], revoking: [] },
    { kind: 'error', code: 1, message: '', hint: '' },
  ];
  for (const frame of wrong) {
    const bytes = encodeControl(frame as ControlFrame);
    expect(() => decodeControl(bytes, viewOf(bytes), 0)).toThrow(violation);
  }
});
