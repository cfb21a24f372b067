import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { flipBit, type SegmentFile, segmentsOf } from '../../test/support/relay/segments.ts';
import { MemoryLogger } from '../../test/support/relay-server.ts';
import { setFailpointHandler } from '../core/failpoint.ts';
import { batchChecksum } from '../formats/log/batch-builder.ts';
import { batchLength } from '../formats/log/batch-header.ts';
import { HEADER } from '../formats/log/batch-layout.ts';
import { FakeSource } from '../testing/fake-source.ts';
import { FakePosition, FakeStore } from '../testing/fake-store.ts';
import { tableOf } from '../testing/tables.ts';
import type { ServedStream, StreamDefinition } from './relay-api.ts';
import { Relay } from './relay.ts';

const orders = tableOf('shop.orders', { id: { type: 'int', nullable: false }, pad: 'varchar' }, ['id']);

const CHANGES = 18;
/** The machine may have other things to do. */
const PATIENTLY = { timeout: 15_000 };

/** The stores that the streams of one test follow, and where their relay works. */
class Setting implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'tidings-keeper-'));
  readonly log: MemoryLogger = new MemoryLogger();
  readonly broken: FakeStore = new FakeStore();
  readonly fine: FakeStore = new FakeStore();

  get files(): string {
    return join(this.directory, 'streams', 'broken');
  }

  open(): Promise<Relay> {
    // The broken one comes first: whatever it does, the one behind it is opened.
    const streams = { broken: definitionOf(this.broken), fine: definitionOf(this.fine) };
    return Relay.open({ directory: this.directory, streams, log: this.log });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function definitionOf(store: FakeStore): StreamDefinition {
  return {
    openSource: ({ position }) =>
      Promise.resolve(new FakeSource(store, { from: position === null ? 'earliest' : FakePosition.parse(position) })),
    log: { segmentBytes: 3000 },
  };
}

function insert(store: FakeStore, ...ids: readonly number[]): void {
  for (const id of ids) store.commit({ kind: 'insert', table: orders, rows: [{ id, pad: 'x'.repeat(500) }] });
}

/** Reads from the beginning until it has seen this id. */
async function idsUpTo(relay: Relay, stream: string, last: number): Promise<unknown[]> {
  const ids: unknown[] = [];
  for await (const { changes } of relay.stream(stream, { from: 'earliest' })) {
    ids.push(...changes.map(({ after }) => after?.['id']));
    if (ids.includes(last)) break;
  }
  return ids;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Made once: a log of several segments, the last one with several batches. */
let original: Setting;

beforeAll(async () => {
  original = new Setting();
  await using relay = await original.open();
  for (const id of upTo(CHANGES)) {
    insert(original.broken, id);
    // So that the next one gets a batch of its own.
    await idsUpTo(relay, 'broken', id);
  }
});

afterAll(() => original[Symbol.dispose]());

/** With a copy of that log, and all that is in it in the store. */
function copyOfOriginal(): Setting {
  const setting = new Setting();
  cpSync(original.directory, setting.directory, { recursive: true });
  insert(setting.broken, ...upTo(CHANGES));
  return setting;
}

function servedBy(relay: Relay, name: string): ServedStream {
  const stream = relay.streams.get(name);
  if (stream === undefined) throw new Error(`the relay was not told of ${name}`);
  return stream;
}

interface Harm {
  readonly what: string;
  /** Does it to the log, and tells what of it is to be found in the error's details. */
  readonly harm: (segments: readonly [SegmentFile, SegmentFile, SegmentFile], files: string) => object;
  readonly code: string;
}

const harms: readonly Harm[] = [
  {
    what: 'a flipped bit in its last segment',
    harm: ([, , last]) => {
      flipBit(last.path, 80);
      return { segment: last.name, offset: 0 };
    },
    code: 'LOG_DAMAGED',
  },
  {
    what: 'a segment that is gone from its middle',
    harm: ([before, gone]) => {
      rmSync(gone.path);
      return { segment: before.name, offset: before.bytes };
    },
    code: 'LOG_DAMAGED',
  },
  {
    what: 'a last segment that is gone',
    harm: ([, before, gone]) => {
      rmSync(gone.path);
      return { segment: before.name, firstScn: gone.firstScn };
    },
    code: 'LOG_DAMAGED',
  },
  {
    what: 'a directory in the place of a segment',
    harm: ([, , last]) => {
      rmSync(last.path);
      mkdirSync(last.path);
      return { code: 'EISDIR' };
    },
    code: 'DIRECTORY_UNUSABLE',
  },
  {
    what: 'a file in the place of its directory',
    harm: (_, files) => {
      rmSync(files, { recursive: true });
      writeFileSync(files, '');
      return { directory: files };
    },
    code: 'DIRECTORY_UNUSABLE',
  },
  {
    what: 'a batch of a version that nobody knows',
    harm: ([, , last]) => {
      const bytes = readFileSync(last.path);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      bytes[HEADER.version] = 2;
      bytes.writeUInt32LE(batchChecksum(bytes, 0, batchLength(view, 0)), HEADER.crc);
      writeFileSync(last.path, bytes);
      return { segment: last.name, offset: 0 };
    },
    code: 'LOG_VERSION_UNKNOWN',
  },
  {
    what: 'a description of a version that nobody knows',
    harm: (_, files) => redescribe(files, { formatVersion: 2 }),
    code: 'LOG_VERSION_UNKNOWN',
  },
  {
    what: 'a description of other partitions',
    harm: (_, files) => redescribe(files, { partitions: 8 }),
    code: 'CONFIG_INVALID',
  },
  {
    what: 'half of its description',
    harm: (_, files) => {
      truncateSync(join(files, 'stream.json'), 10);
      return { directory: files };
    },
    code: 'LOG_DAMAGED',
  },
];

function redescribe(files: string, fields: object): object {
  const path = join(files, 'stream.json');
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...fields }));
  return {};
}

describe('a log that cannot be opened', () => {
  test.for(harms)(
    'for $what stops its stream alone, which says why and goes on when it is mended',
    async ({ harm, code }) => {
      using setting = copyOfOriginal();
      const { files, log } = setting;
      const details = harm(
        segmentsOf(setting.directory, 'broken').slice(-3) as [SegmentFile, SegmentFile, SegmentFile],
        files,
      );

      await using relay = await setting.open();
      const broken = servedBy(relay, 'broken');
      expect(broken.opening).toMatchObject({ kind: 'failed', error: { code } });
      expect(broken.status()).toMatchObject({ state: 'failed', error: { code, details }, stall: null, connections: 0 });
      const { hint, sinceMs } = broken.status().error ?? {};
      expect(hint).not.toBe('');
      const told = log.lines.filter(({ level }) => level === 'error');
      expect(told).toMatchObject([{ fields: { ...details, error: { code }, hint } }]);

      // The other one does all that it ever did.
      insert(setting.fine, 1, 2);
      expect(await idsUpTo(relay, 'fine', 2)).toEqual([1, 2]);
      expect(servedBy(relay, 'fine').status()).toMatchObject({ state: 'running', error: null });

      expect(() => relay.stream('broken')).toThrow(expect.objectContaining({ code }));
      await expect(broken.pause()).rejects.toMatchObject({ code });
      await expect(broken.resume()).rejects.toMatchObject({ code, details });
      expect(broken.status().error?.sinceMs).toBe(sinceMs);

      insert(setting.broken, CHANGES + 1);
      rmSync(files, { recursive: true });
      cpSync(original.files, files, { recursive: true });
      await Promise.all([broken.resume(), broken.resume()]);
      expect(await idsUpTo(relay, 'broken', CHANGES + 1)).toEqual(upTo(CHANGES + 1));
      expect(broken.status()).toMatchObject({ state: 'running', error: null });
    },
  );

  test('is opened by the next relay on its directory, too, when it was mended', async () => {
    using setting = copyOfOriginal();
    const path = join(setting.files, 'stream.json');
    rmSync(path);
    {
      await using relay = await setting.open();
      expect(servedBy(relay, 'broken').status().state).toBe('failed');
    }
    cpSync(join(original.files, 'stream.json'), path);
    await using relay = await setting.open();
    expect(await idsUpTo(relay, 'broken', CHANGES)).toEqual(upTo(CHANGES));
  });

  test('makes room for a new one when it is moved away', async () => {
    using setting = copyOfOriginal();
    rmSync(join(setting.files, 'stream.json'));
    await using relay = await setting.open();
    renameSync(setting.files, join(setting.directory, 'away'));
    insert(setting.broken, CHANGES + 1);
    await servedBy(relay, 'broken').resume();
    expect(await idsUpTo(relay, 'broken', CHANGES + 1)).toEqual(upTo(CHANGES + 1));
  });

  test('leaves its stream paused if it was, whoever tried to resume it meanwhile', async () => {
    using setting = copyOfOriginal();
    {
      await using relay = await setting.open();
      await servedBy(relay, 'broken').pause();
    }
    const path = join(setting.files, 'stream.json');
    rmSync(path);
    {
      await using relay = await setting.open();
      await expect(servedBy(relay, 'broken').resume()).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
    }
    cpSync(join(original.files, 'stream.json'), path);
    await using relay = await setting.open();
    expect(servedBy(relay, 'broken').status()).toMatchObject({ state: 'paused', error: null });
  });
});

describe('a log that cannot be written', () => {
  /** The next write of a log fails, as a disk may fail it. */
  function failNextWrite(): void {
    setFailpointHandler((name) => {
      if (name !== 'before-fsync') return;
      setFailpointHandler(null);
      throw new Error('EIO: i/o error, fsync');
    });
  }

  afterEach(() => setFailpointHandler(null));

  test('is opened anew when its stream is resumed: readers and members go on, and nothing is missed or comes twice', async () => {
    using setting = new Setting();
    await using relay = await setting.open();
    const broken = servedBy(relay, 'broken');
    const seen = { reader: [] as unknown[], group: [] as unknown[], committed: [] as unknown[] };
    const reading = (async () => {
      for await (const { changes } of relay.stream('broken', { from: 'earliest' })) {
        seen.reader.push(...changes.map(({ after }) => after?.['id']));
        if (seen.reader.includes(9)) break;
      }
    })();
    const member = (async () => {
      for await (const batch of relay.stream('broken', { from: 'earliest', group: 'g' })) {
        seen.group.push(...batch.changes.map(({ after }) => after?.['id']));
        const { fenced } = await batch.commit();
        if (fenced.length === 0) seen.committed.push(...batch.changes.map(({ after }) => after?.['id']));
        if (seen.committed.includes(9)) break;
      }
    })();
    for (let round = 0; round < 3; round++) {
      const last = round * 3;
      insert(setting.broken, last + 1);
      await expect.poll(() => [seen.reader, seen.committed], PATIENTLY).toEqual([upTo(last + 1), upTo(last + 1)]);
      failNextWrite();
      insert(setting.broken, last + 2);
      await expect
        .poll(() => broken.status(), PATIENTLY)
        .toMatchObject({ state: 'failed', error: { code: 'LOG_WRITE_FAILED' } });
      insert(setting.broken, last + 3);
      await Promise.all([broken.resume(), broken.resume()]);
      await expect.poll(() => broken.status(), PATIENTLY).toMatchObject({ state: 'running', error: null });
      await expect.poll(() => [seen.reader, seen.committed], PATIENTLY).toEqual([upTo(last + 3), upTo(last + 3)]);
    }
    await Promise.all([reading, member]);
    expect(seen.group).toEqual(upTo(9));
    expect(await idsUpTo(relay, 'broken', 9)).toEqual(upTo(9));
    // Of the other stream nobody has heard anything.
    insert(setting.fine, 1);
    expect(await idsUpTo(relay, 'fine', 1)).toEqual([1]);
  });

  test('and cannot be opened either says so, and is opened when it was mended', async () => {
    using setting = new Setting();
    await using relay = await setting.open();
    const broken = servedBy(relay, 'broken');
    insert(setting.broken, 1);
    expect(await idsUpTo(relay, 'broken', 1)).toEqual([1]);
    failNextWrite();
    insert(setting.broken, 2);
    await expect.poll(() => broken.status().state, PATIENTLY).toBe('failed');
    renameSync(setting.files, `${setting.files}.away`);
    writeFileSync(setting.files, '');
    await expect(broken.resume()).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' });
    rmSync(setting.files);
    renameSync(`${setting.files}.away`, setting.files);
    await broken.resume();
    expect(await idsUpTo(relay, 'broken', 2)).toEqual([1, 2]);
  });
});

describe('what is wrong with the data directory as a whole keeps the relay from starting:', () => {
  test.for([
    { what: 'a damaged state', name: 'state.db', code: 'STATE_DAMAGED' },
    { what: 'a file in the place of the logs', name: 'streams', code: 'DIRECTORY_UNUSABLE' },
  ])('$what', async ({ name, code }) => {
    using setting = new Setting();
    const path = join(setting.directory, name);
    writeFileSync(path, 'x'.repeat(8192));
    await expect(setting.open()).rejects.toMatchObject({ code });
    // It has let go of the directory.
    rmSync(path);
    await using relay = await setting.open();
    insert(setting.fine, 1);
    expect(await idsUpTo(relay, 'fine', 1)).toEqual([1]);
  });
});
