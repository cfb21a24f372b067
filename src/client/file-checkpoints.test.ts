import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileCheckpoints } from './file-checkpoints.ts';

const SHOP = { stream: 'shop', createdMs: 1_700_000_000_000 };
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidings-checkpoints-'));
  path = join(directory, 'shop.checkpoint');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

test('what was saved is loaded by the next process, and no other file is left behind', async () => {
  const store = fileCheckpoints(path);
  expect(await store.load()).toBeNull();
  store.bind(SHOP);
  await store.save(17);
  await store.save(1_763_000_000_000_123);
  expect(await fileCheckpoints(path).load()).toBe(1_763_000_000_000_123);
  expect(await readdir(directory)).toEqual(['shop.checkpoint']);
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ stream: 'shop', scn: 1_763_000_000_000_123 });
});

test('a name is stored with the place that it begins at, and stays when the checkpoint moves', async () => {
  const store = fileCheckpoints(path);
  expect(await store.loadName()).toBeNull();
  store.bind(SHOP);
  await store.begin('one', 5);
  await store.save(6);
  const next = fileCheckpoints(path);
  expect([await next.load(), await next.loadName()]).toEqual([6, 'one']);
  await next.save(7);
  await next.begin('two', 3);
  expect([await fileCheckpoints(path).load(), await fileCheckpoints(path).loadName()]).toEqual([3, 'two']);
});

test('half a write that a crash left behind is not looked at', async () => {
  const store = fileCheckpoints(path);
  store.bind(SHOP);
  await store.save(5);
  await writeFile(`${path}.new`, '{"tidings":"che');
  expect(await fileCheckpoints(path).load()).toBe(5);
});

test('a file that is damaged, or no checkpoint, is refused by name', async () => {
  const odd = '{"tidings":"checkpoint","stream":"shop","created":1,"scn":5,"reader":1}';
  for (const text of ['', '{"scn":', '[]', 'null', odd, odd.replace('5,"reader":1', '"5"')]) {
    await writeFile(path, text);
    await expect(fileCheckpoints(path).load()).rejects.toMatchObject({
      code: 'CHECKPOINT_INVALID',
      message: expect.stringContaining(path) as string,
    });
  }
});

test('the checkpoint of another stream, and of a stream that was made anew, is refused', async () => {
  const store = fileCheckpoints(path);
  store.bind(SHOP);
  await store.save(5);
  const other = fileCheckpoints(path);
  await other.load();
  expect(() => other.bind({ ...SHOP, stream: 'crm' })).toThrow(expect.objectContaining({ code: 'CHECKPOINT_INVALID' }));
  expect(() => other.bind({ ...SHOP, createdMs: SHOP.createdMs + 1 })).toThrow(
    expect.objectContaining({ code: 'SCN_UNKNOWN' }),
  );
  expect(() => other.bind(SHOP)).not.toThrow();
});

test('a directory that is not there fails the save and names the file', async () => {
  const store = fileCheckpoints(join(directory, 'none', 'x'));
  store.bind(SHOP);
  await expect(store.save(1)).rejects.toMatchObject({
    code: 'CHECKPOINT_INVALID',
    details: { path: join(directory, 'none', 'x') },
  });
});

test('a path that is none is refused when the store is made, not when a checkpoint is to be kept', () => {
  for (const none of ['', undefined as unknown as string]) {
    expect(() => fileCheckpoints(none)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  }
});
