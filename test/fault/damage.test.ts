import { expect, test } from 'vitest';
import type { TidingsError } from '../../src/core/errors.ts';
import { EVENT } from '../../src/sources/mysql/binlog/event-types.ts';
import { rowsAction } from '../../src/sources/mysql/binlog/rows-event.ts';
import { FaultProxy, type Faults } from '../support/fault-proxy.ts';
import { drain, Follower, stopsWith } from '../support/follower.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import {
  beheaded,
  eventLike,
  flipBit,
  shortened,
  type EventEdit,
  type TravellingEvent,
  withType,
} from '../support/replication-stream.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { Walk, type WalkRecorder } from '../support/walk.ts';

const seed = seedOfRun('damaged events');
const EVENT_HEADER = 19;
const LOG_EVENT_IGNORABLE = 0x80;

describeServers(
  ['mariadb', 'mysql'],
  'a binlog that is damaged',
  (server, flavour) => {
    const gtidType = flavour === 'mysql' ? EVENT.GTID : EVENT.MARIADB_GTID;

    /** A stretch of the binlog with so many transactions in it. */
    async function stretch(transactions: number): Promise<{ from: string; expected: readonly (readonly string[])[] }> {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      await walk.run(transactions);
      await walk.close();
      return { from: `${String(row?.['File'])}:${String(row?.['Position'])}`, expected: await walk.committed() };
    }

    /**
     * Reads with the edit in between until that stops the source; then reads on from its position without the edit. Whatever the
     * damage was, nothing is missing between the two. `repeated` counts the transactions that come in both.
     */
    async function readDamaged(
      { from, expected }: Awaited<ReturnType<typeof stretch>>,
      edit: EventEdit,
      faults: Faults = {},
    ): Promise<{ error: TidingsError; before: WalkRecorder; repeated: number }> {
      await using proxy = await FaultProxy.start(server());
      proxy.script = () => ({ ...faults, edit });
      await using follower = new Follower({ url: proxy.url(), from, until: 'now' });
      const error = await stopsWith(follower);
      const { source, recorder } = follower;
      recorder.expectBeginningOf(expected);
      const rest = await drain({ url: server().url, from: String(source.position) });
      const resumedAt = expected.length - rest.complete.length;
      expect(rest.complete).toEqual(expected.slice(resumedAt));
      // I2: never ahead of what was handed over.
      expect(resumedAt).toBeLessThanOrEqual(recorder.complete.length);
      return { error, before: recorder, repeated: recorder.complete.length - resumedAt };
    }

    /** Edits the first event of a type behind so many transactions. */
    function once(
      wanted: (type: number) => boolean,
      transactions: number,
      change: (event: TravellingEvent) => ReturnType<EventEdit>,
    ): EventEdit {
      let begun = 0;
      let done = false;
      return (event) => {
        if (event.type === gtidType) begun++;
        if (done || begun <= transactions || !wanted(event.type)) return undefined;
        done = true;
        return change(event);
      };
    }

    const isRows = (type: number): boolean => rowsAction(type) !== null;

    test('a flipped bit anywhere in an event is found by its checksum, and nothing of the event is used', async () => {
      const random = new SeededRandom(seed);
      const data = await stretch(12);
      const kinds = [
        (type: number) => type === gtidType,
        (type: number) => type === EVENT.TABLE_MAP,
        isRows,
        (type: number) => type === EVENT.XID,
      ];
      for (const kind of kinds) {
        for (let i = 0; i < 5; i++) {
          const edit = once(kind, 4 + random.below(6), ({ bytes }) =>
            flipBit(bytes, EVENT_HEADER + random.below(bytes.length - EVENT_HEADER)),
          );
          const { error, repeated } = await readDamaged(data, edit);
          expect(error).toMatchObject({ code: 'BINLOG_CHECKSUM', retry: 'never' });
          expect(repeated).toBe(0);
          expect(error.message).toMatch(/event that ends at offset \d+/);
        }
      }
    });

    test('a flipped bit in an event’s header is found, too', async () => {
      const data = await stretch(8);
      for (const at of [0, 4, 5, 9, 10, 13, 17]) {
        const { error } = await readDamaged(
          data,
          once(isRows, 3, ({ bytes }) => flipBit(bytes, at)),
        );
        expect(['BINLOG_CHECKSUM', 'BINLOG_CORRUPT']).toContain(error.code);
      }
    });

    test('a flipped bit in the event that ends a file is found, and the position stays in that file', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      await walk.run(2);
      await server().query('FLUSH BINARY LOGS');
      await walk.run(2);
      await walk.close();
      const data = { from: `${String(row?.['File'])}:${String(row?.['Position'])}`, expected: await walk.committed() };
      // Offset of the name's last letter, before the checksum.
      const { error } = await readDamaged(
        data,
        once(
          (type) => type === EVENT.ROTATE,
          1,
          ({ bytes }) => flipBit(bytes, -5),
        ),
      );
      expect(error.code).toBe('BINLOG_CHECKSUM');
    });

    test('of a transaction handed over in part when the damage comes, the position is its beginning', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed), { ids: 200 });
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      await walk.run(2);
      await walk.runOne(200);
      await walk.close();
      const data = { from: `${String(row?.['File'])}:${String(row?.['Position'])}`, expected: await walk.committed() };
      const edit = (): ReturnType<typeof once> =>
        once(
          (type) => type === EVENT.XID,
          2,
          ({ bytes }) => flipBit(bytes, -6),
        );
      // Whoever is slow to read gets all of it at once, damage included, and hands over nothing of it: then it is tried again.
      let cutOff = 0;
      for (let attempt = 0; cutOff === 0 && attempt < 10; attempt++) {
        const { error, before } = await readDamaged(data, edit(), { chunkBytes: 500, countFrom: 'dump' });
        expect(error.code).toBe('BINLOG_CHECKSUM');
        expect(before.complete).toHaveLength(2);
        ({ cutOff } = before);
      }
      expect(cutOff).toBe(1);
    });

    test('an event cut short, its header telling another length, stops the source', async () => {
      const data = await stretch(6);
      for (const bytes of [1, 10, 18, 19, 30]) {
        const { error } = await readDamaged(
          data,
          once(isRows, 3, (event) => beheaded(event.bytes, bytes)),
        );
        expect(['BINLOG_CORRUPT', 'BINLOG_TRUNCATED']).toContain(error.code);
      }
    });

    test('an event that ends before its fields do, with a checksum that fits, stops the source', async () => {
      const data = await stretch(6);
      // Sizes that leave no whole row and no whole field of metadata out: an event with fewer of them is as good as any. A GTID
      // event's end is padding or optional: of it only the front must be there.
      const cuts: readonly (readonly [(type: number) => boolean, readonly number[]])[] = [
        [(type) => type === EVENT.TABLE_MAP, [1, 5, 8]],
        [isRows, [1, 3, 8]],
        [(type) => type === gtidType, [13, 17, 20]],
      ];
      for (const [kind, missing] of cuts) {
        for (const bytes of missing) {
          const edit = once(kind, 3, (event) => shortened(event.bytes, Math.min(bytes, event.bytes.length - 24)));
          const { error } = await readDamaged(data, edit);
          expect(['BINLOG_CORRUPT', 'BINLOG_TRUNCATED', 'SCHEMA_MISMATCH']).toContain(error.code);
        }
      }
    });

    test('an event of an unknown type stops the source, and is named', async () => {
      const { error, before } = await readDamaged(
        await stretch(6),
        once(isRows, 3, ({ bytes }) => withType(bytes, 201)),
      );
      expect(error).toMatchObject({ code: 'BINLOG_EVENT_UNSUPPORTED', retry: 'never', details: { eventType: 201 } });
      expect(error.message).toContain('201');
      expect(before.complete).toHaveLength(3);
    });

    test('an unknown event that the server marks as ignorable is passed over', async () => {
      const { from, expected } = await stretch(6);
      await using proxy = await FaultProxy.start(server());
      const edit = once(
        (type) => type === EVENT.TABLE_MAP,
        3,
        ({ bytes }) => {
          const extra = eventLike(bytes, 202, Buffer.from('news'));
          extra.writeUInt16LE(LOG_EVENT_IGNORABLE, 17);
          return [withType(extra, 202), bytes];
        },
      );
      proxy.script = () => ({ edit });
      const recorder = await drain({ url: proxy.url(), from });
      recorder.expectExactly(expected);
    });

    test('an incident stops the source and says where to go on', async () => {
      const data = await stretch(6);
      const message = 'cluster disconnect';
      const body = Buffer.concat([Buffer.of(1, 0, message.length), Buffer.from(message)]);
      const { error, before } = await readDamaged(
        data,
        once(
          (type) => type === gtidType,
          3,
          ({ bytes }) => [eventLike(bytes, EVENT.INCIDENT, body), bytes],
        ),
      );
      expect(error).toMatchObject({ code: 'BINLOG_INCIDENT', retry: 'operator' });
      expect(error.message).toContain(message);
      expect(String(error.details['resumeAt'])).toMatch(/^binlog\.\d+:\d+$/);
      expect(before.complete).toHaveLength(3);
    });

    test('bytes that are no packets make it connect again, and lose nothing', async () => {
      const { from, expected } = await stretch(6);
      await using proxy = await FaultProxy.start(server());
      // A packet goes missing: the one behind it has a number that is not due.
      let packets = 0;
      proxy.script = () =>
        proxy.connections.length > 0 ? {} : { edit: () => (packets++ === 12 ? [] : undefined), keepNumbers: true };
      await using follower = new Follower({ url: proxy.url(), from, until: 'now' });
      await follower.finished;
      expect(follower.reconnects).toEqual(['PROTOCOL_VIOLATION']);
      follower.recorder.expectExactly(expected);
    });
  },
  { options: ['--binlog-row-metadata=FULL'] },
);
