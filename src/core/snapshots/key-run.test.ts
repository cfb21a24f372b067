import { expect, test } from 'vitest';
import { KeyRun, type KeyRunOptions } from './key-run.ts';

/** Nothing of it may be used for a place that is none. */
const options = { database: 'shop', table: 'items', key: ['id'], keys: [1, 2, 3] } as unknown as KeyRunOptions;

test.each([
  'secret',
  'null',
  '{}',
  '{"key":["id"],"from":2,"to":1,"after":null}',
  '{"key":["id"],"from":0,"to":4,"after":null}',
  '{"key":["id"],"from":-1,"to":1,"after":null}',
  '{"key":["id"],"from":0,"to":1.5,"after":null}',
  '{"key":["id"],"from":0,"to":1,"after":7}',
  '{"key":"id","from":0,"to":1,"after":null}',
])('a place in the list that is none is refused, and nothing is read: %s', async (place) => {
  await expect(new KeyRun(options).run(place)).rejects.toMatchObject({
    code: 'SNAPSHOT_CURSOR_INVALID',
    message: 'the snapshot of shop.items cannot go on: its place is damaged',
  });
});

test('a place of keys of other columns is refused, and nothing is read', async () => {
  const place = '{"key":["code"],"from":0,"to":3,"after":null}';
  await expect(new KeyRun(options).run(place)).rejects.toMatchObject({
    code: 'SNAPSHOT_CURSOR_INVALID',
    message: 'the key of shop.items was changed',
  });
});
