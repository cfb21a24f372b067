import { expect, test } from 'vitest';
import { MemoryOutput } from '../../test/support/cli-context.ts';
import { OutputClosedError } from './output.ts';
import { sharedOutput } from './shared-output.ts';

test('texts of several who print are written one after the other, each done when it was taken', async () => {
  const output = new MemoryOutput();
  const print = sharedOutput(output);
  const done: string[] = [];
  output.hold();
  const both = ['a\n', 'b\n'].map((text) => print(text).then(() => done.push(text)));
  await output.until((text) => text !== '');
  expect({ writes: output.writes, done }).toEqual({ writes: ['a\n'], done: [] });
  output.release();
  await Promise.all(both);
  expect({ writes: output.writes, done }).toEqual({ writes: ['a\n', 'b\n'], done: ['a\n', 'b\n'] });
});

test('a reader that has gone is an error for a person, for all who print', async () => {
  const write = (): Promise<void> => Promise.reject(new OutputClosedError('nobody reads the output any more'));
  const print = sharedOutput({ isTerminal: false, columns: null, write });
  for (const text of ['a\n', 'b\n']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await expect(print(text)).rejects.toMatchObject({ code: 'OUTPUT_CLOSED', retry: 'operator' });
  }
});

test('a terminal gets no controls of the C1 set, and its line ends', async () => {
  const output = new MemoryOutput({ columns: 80 });
  await sharedOutput(output)('{"a":"\u009b2J"}\n');
  expect(output.text).toBe('{"a":"\\u009b2J"}\n');
});
