import { expect, test, vi } from 'vitest';
import { parseFailpoints } from './failpoint-spec.ts';

test('a failpoint acts at the passing that it names, and only then', () => {
  const kill = vi.fn<() => void>();
  const pass = parseFailpoints('after-fsync:kill@3, append:throw@2', { kill });
  pass('after-fsync');
  pass('after-fsync');
  expect(kill).not.toHaveBeenCalled();
  pass('after-fsync');
  pass('after-fsync');
  expect(kill).toHaveBeenCalledTimes(1);
  pass('append');
  expect(() => pass('append')).toThrow('failpoint append');
  expect(() => pass('append')).not.toThrow();
});

test('a failpoint without a number acts at the first passing, and a name may occur more than once', () => {
  const kill = vi.fn<() => void>();
  const pass = parseFailpoints('append:kill,append:kill@3', { kill });
  pass('append');
  pass('append');
  expect(kill).toHaveBeenCalledTimes(1);
  pass('append');
  expect(kill).toHaveBeenCalledTimes(2);
});

test('an empty text arms nothing', () => {
  const pass = parseFailpoints('', { kill: () => expect.unreachable() });
  expect(() => pass('segment-roll')).not.toThrow();
});

test.each(['appendix:kill', 'append', 'append:crash', 'append:kill@0', 'append:kill@', 'append:kill@2x'])(
  '"%s" is refused by name',
  (text) => {
    expect(() => parseFailpoints(text, { kill: () => undefined })).toThrow(`"${text}" is no failpoint`);
  },
);
