import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { connect } from '../../src/client/connect.ts';
import { fileCheckpoints } from '../../src/client/file-checkpoints.ts';
import type { CheckpointStore, StreamOptions } from '../../src/core/consumer.ts';
import { runCommand } from '../support/cli-process.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';
import { canLimitFileSize, limitFileSize } from '../support/relay/file-size-limit.ts';
import { HastyClock } from '../support/relay/hasty-clock.ts';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { RunningRelay, type RunningRelayOptions } from '../support/relay/running-relay.ts';
import { segmentsOf } from '../support/relay/segments.ts';
import { StreamReader } from '../support/relay/stream-reader.ts';
import { TemporaryDirectory } from '../support/relay/temporary-directory.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import { Walk } from '../support/walk.ts';

const seed = seedOfRun("a relay's directory");
const NOBODY = 65_534;
const HOUR_MS = 3_600_000;
const PATIENTLY = { timeout: 30_000 };
const SMALL = { segmentBytes: 64 * 1024 };
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');

/** The system's clock, set off by so much. */
function shiftedClock(byMs: number): Clock {
  return { nowMs: () => systemClock.nowMs() + byMs, sleep: (delayMs, signal) => systemClock.sleep(delayMs, signal) };
}

describeServer('mariadb', "a relay's directory", (server) => {
  const streams = (): RunningRelayOptions['streams'] => ({
    walk: { source: { url: server().url, tables: ['walk.*'] }, log: SMALL },
  });
  const configured = (): Readonly<Record<string, object>> => ({
    walk: { source: { type: 'mysql', url: server().url, tables: ['walk.*'] } },
  });

  describe('that another relay works on', () => {
    test('is refused to the second by its name and the process id of the first, and the first goes on', async () => {
      using folder = new TemporaryDirectory();
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using relay = await RelayProcess.create({ folder: folder.path, streams: configured() });
      await relay.start();
      await relay.positioned('walk');
      const second = await runCommand(['run', relay.config]);
      expect(second.code).toBe(1);
      expect(second.stderr).toContain('DIRECTORY_IN_USE');
      expect(second.stderr).toContain(relay.data);
      expect(second.stderr).toContain(`process ${relay.pid}`);
      await walk.run(5);
      await walk.close();
      await using reader = new StreamReader(relay.url, 'walk');
      await reader.untilAll(await walk.committed());
      reader.expectExactly(await walk.committed());
      // That number is the first one's: it hears the signal.
      process.kill(relay.pid, 'SIGTERM');
      expect(await relay.exit()).toEqual({ code: 0, signal: null });
    });

    test('is free again when its relay was killed', async () => {
      using folder = new TemporaryDirectory();
      await using relay = await RelayProcess.create({ folder: folder.path, streams: configured() });
      await relay.start();
      relay.signal('SIGKILL');
      await relay.exit();
      await relay.start();
      await expect.poll(async () => (await relay.stream('walk')).state, PATIENTLY).toBe('running');
    });
  });

  test('that may not be written to is refused by its name, and stays as it is', async () => {
    using folder = new TemporaryDirectory();
    const walk = await Walk.create(server(), new SeededRandom(seed));
    await using relay = await RelayProcess.create({ folder: folder.path, streams: configured() });
    await relay.start();
    await relay.positioned('walk');
    await walk.run(5);
    await walk.close();
    {
      await using reader = new StreamReader(relay.url, 'walk');
      await reader.untilAll(await walk.committed());
    }
    relay.signal('SIGTERM');
    await relay.exit();
    const files = (): string[] => readdirSync(relay.data, { recursive: true, encoding: 'utf8' }).toSorted();
    const before = files();
    const directories = [relay.data, join(relay.data, 'streams'), join(relay.data, 'streams', 'walk')];
    // The superuser may write anywhere: nobody may not.
    const uid = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    chmodSync(folder.path, 0o755);
    for (const directory of directories) chmodSync(directory, 0o555);
    const run = promisify(execFile)(process.execPath, [MAIN, 'run', relay.config], { timeout: 60_000, ...uid });
    const failure = (await run.then(
      () => ({ code: 0, stderr: '' }),
      (error: unknown) => error,
    )) as { readonly code: number; readonly stderr: string };
    for (const directory of directories) chmodSync(directory, 0o755);
    expect(failure.code).toBe(1);
    expect(failure.stderr).toContain('DIRECTORY_UNUSABLE');
    expect(failure.stderr).toContain(relay.data);
    expect(files()).toEqual(before);
    await relay.start();
    (await StreamReader.readAll(relay.url, 'walk')).expectExactly(await walk.committed());
  });

  test('that is a file is refused by its name, and the file stays as it is', async () => {
    using folder = new TemporaryDirectory();
    const relay = await RelayProcess.create({ folder: folder.path, streams: configured() });
    writeFileSync(relay.data, 'important');
    const refused = await runCommand(['run', relay.config]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('DIRECTORY_UNUSABLE');
    expect(refused.stderr).toContain(relay.data);
    expect(readFileSync(relay.data, 'utf8')).toBe('important');
  });

  test('with the clock an hour back, its own and the database’s, SCNs go on growing and a search by time misses nothing', async () => {
    using directory = new TemporaryDirectory();
    await server().query(
      'DROP DATABASE IF EXISTS walk; CREATE DATABASE walk; CREATE TABLE walk.tx (n INT PRIMARY KEY, pad TEXT)',
    );
    const connection = await server().connection();
    let n = 0;
    const baseS = Math.floor(Date.now() / 1000) - 24 * 3600;
    /** Ten transactions, the first committed so many seconds after the base, each a second later than the one before. */
    const write = async (afterS: number): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        // Whatever the machine does: in one batch all of them would make one segment.
        if (i === 5) await visible(n);
        await connection.query(
          `SET timestamp = ${baseS + afterS + i}; INSERT INTO walk.tx VALUES (${++n}, REPEAT('x', 20000))`,
        );
      }
    };
    await using relay = await RunningRelay.start({ directory: directory.path, streams: streams() });
    await relay.positioned();
    const member: number[] = [];
    const consumeAsMember = async (until: number): Promise<void> => {
      await using client = connect(relay.url);
      for await (const batch of client.stream('walk', { group: 'g', from: 'earliest' })) {
        member.push(...batch.changes.map(({ after }) => Number(after?.['n'])));
        await batch.commit();
        if (member.length >= until) break;
      }
    };
    const seen = async (options: StreamOptions = {}): Promise<{ n: number; scn: number; us: number }[]> => {
      await using client = connect(relay.url);
      const found: { n: number; scn: number; us: number }[] = [];
      for await (const { changes } of client.stream('walk', { from: 'earliest', untilEnd: true, ...options })) {
        for (const { after, scn, committedAtUs: us } of changes) found.push({ n: Number(after?.['n']), scn, us });
      }
      return found;
    };
    const visible = (count: number): Promise<void> =>
      expect.poll(async () => (await seen()).length, PATIENTLY).toBe(count);

    await write(3 * 3600);
    await visible(10);
    await consumeAsMember(10);
    await relay.stop();
    await relay.start({ clock: shiftedClock(-HOUR_MS) });
    await write(2 * 3600);
    await visible(20);
    await consumeAsMember(20);
    await relay.stop();
    await relay.start({ clock: systemClock });
    await write(3 * 3600 + 5);
    await visible(30);
    await consumeAsMember(30);
    await connection.end();

    const all = await seen();
    const numbers = Array.from({ length: 30 }, (_, i) => i + 1);
    expect(all.map(({ n: number }) => number)).toEqual(numbers);
    expect(all.map(({ scn }) => scn)).toEqual(all.map((_, i) => (all[0]?.scn ?? 0) + i));
    expect(all[10]?.us).toBeLessThan(all[0]?.us ?? 0);
    expect(member.toSorted((a, b) => a - b)).toEqual(numbers);
    expect(segmentsOf(directory.path, 'walk').length).toBeGreaterThan(4);
    for (const us of new Set(all.flatMap(({ us: at }) => [at, at + 500_000]))) {
      const found = new Set((await seen({ from: new Date(us / 1000) })).map(({ n: number }) => number));
      const missing = all.filter(({ us: at, n: number }) => at >= us && !found.has(number));
      expect(missing, `from ${us}`).toEqual([]);
    }
  });

  describe('from which a stream was removed, so that it was made again,', () => {
    test.for([
      { when: 'by a clock that goes on', byMs: 0 },
      { when: 'by a clock an hour back', byMs: -HOUR_MS },
    ])('makes no consumer with a former checkpoint go on in silence, $when', async ({ byMs }) => {
      using directory = new TemporaryDirectory();
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using relay = await RunningRelay.start({ directory: directory.path, streams: streams() });
      await relay.positioned();
      await walk.run(10);
      /** Reads until it has seen everything, and commits it. */
      const consume = async (options: StreamOptions): Promise<void> => {
        await using client = connect(relay.url);
        const { last } = relay.stream('walk').log.visible;
        for await (const batch of client.stream('walk', { from: 'earliest', ...options })) {
          await batch.commit();
          if (batch.scn >= last) break;
        }
      };
      const own: CheckpointStore & { scn: number | null } = {
        scn: null,
        load: () => Promise.resolve(own.scn),
        save: (scn) => {
          own.scn = scn;
          return Promise.resolve();
        },
      };
      const file = directory.in('reader.checkpoint');
      {
        await using reader = new StreamReader(relay.url, 'walk');
        await reader.untilAll(await walk.committed());
      }
      await consume({ checkpoints: fileCheckpoints(file) });
      await consume({ checkpoints: own });
      await consume({ group: 'g' });
      await using connected = new StreamReader(relay.url, 'walk');
      await connected.untilAll(await walk.committed());

      await relay.stop();
      rmSync(directory.in('streams', 'walk'), { recursive: true });
      await relay.start({ clock: shiftedClock(byMs) });
      await relay.positioned();
      await walk.run(10);
      await walk.close();
      await expect.poll(() => relay.stream('walk').status().changes, PATIENTLY).toBeGreaterThan(10);

      expect((await refusal(connected.finished)).code).toMatch(/^SCN_(UNKNOWN|PURGED)$/);
      for (const options of [{ checkpoints: fileCheckpoints(file) }, { checkpoints: own }, { group: 'g' }]) {
        const error = await refusal(consume(options));
        expect(error.code, `with ${Object.keys(options).join()}`).toMatch(/^SCN_(UNKNOWN|PURGED)$/);
        expect(error.hint).not.toBe('');
      }
      // Whoever begins anew gets what the new stream has.
      expect((await StreamReader.readAll(relay.url, 'walk')).lastTransaction).toBe(20);
    });
  });

  test('that was restored from an older copy is filled up by the source under the same SCNs, and whoever is ahead of it is told so', async () => {
    using directory = new TemporaryDirectory();
    using backup = new TemporaryDirectory();
    const walk = await Walk.create(server(), new SeededRandom(seed));
    await using relay = await RunningRelay.start({ directory: directory.in('data'), streams: streams() });
    await relay.positioned();
    const all = async (): Promise<StreamReader> => {
      await using reader = new StreamReader(relay.url, 'walk');
      await reader.untilAll(await walk.committed());
      return reader;
    };
    await walk.run(10);
    await all();
    await relay.stop();
    cpSync(directory.in('data'), backup.in('data'), { recursive: true });
    await relay.start();
    await walk.run(10);
    await walk.close();
    const before = await all();
    await relay.stop();

    rmSync(directory.in('data'), { recursive: true });
    cpSync(backup.in('data'), directory.in('data'), { recursive: true });
    // Nobody listens there: the log stays as it was restored.
    await relay.start({ streams: { walk: { source: { url: 'mysql://root@127.0.0.1:1', tables: ['walk.*'] } } } });
    await using ahead = new StreamReader(relay.url, 'walk', { from: before.lastScn });
    expect(await refusal(ahead.finished)).toMatchObject({ code: 'SCN_UNKNOWN' });
    await relay.stop();
    await relay.start({ streams: streams() });
    const after = await all();
    assert.deepEqual(after.changes, before.changes);
    expect(after.lastScn).toBe(before.lastScn);
  });

  test('whose disk is full holds the source, serves what it has, is not ready, and goes on by itself when there is room', async ({
    skip,
  }) => {
    if (!canLimitFileSize()) skip('prlimit of util-linux is needed');
    using folder = new TemporaryDirectory();
    const walk = await Walk.create(server(), new SeededRandom(seed), { padBytes: 500 });
    await using relay = await RelayProcess.create({ folder: folder.path, streams: configured() });
    await relay.start();
    await relay.positioned('walk');
    await using reader = new StreamReader(relay.url, 'walk');
    const enough = new AbortController();
    const load = walk.runUntil(enough.signal);
    await reader.until(({ lastTransaction }) => lastTransaction > 20);

    const [segment] = segmentsOf(relay.data, 'walk');
    const limit = (segment?.bytes ?? 0) + 100_000;
    limitFileSize(relay.pid, limit);
    // It may have grown beyond that before the limit came.
    const most = Math.max(limit, statSync(segment?.path ?? '').size);
    await expect
      .poll(() => relay.stream('walk'), PATIENTLY)
      .toMatchObject({ state: 'stalled', stall: { reason: 'disk-full' } });
    expect(await relay.readiness()).toMatchObject({ status: 503, reasons: [{ stream: 'walk', code: 'STALLED' }] });
    // The source is held: however much is written there, nothing more is taken from it.
    const held = await relay.stream('walk');
    const { last } = walk;
    await expect.poll(() => walk.last, PATIENTLY).toBeGreaterThan(last + 500);
    expect(await relay.stream('walk')).toMatchObject({
      state: 'stalled',
      last: held.last,
      position: held.position,
      sourceBytes: held.sourceBytes,
    });
    const meanwhile = await StreamReader.readAll(relay.url, 'walk');
    expect(meanwhile.lastScn).toBe(held.last);
    expect(statSync(segment?.path ?? '').size).toBeLessThanOrEqual(most);

    limitFileSize(relay.pid, null);
    await expect.poll(() => relay.stream('walk'), PATIENTLY).toMatchObject({ state: 'running', stall: null });
    expect(await relay.readiness()).toMatchObject({ status: 200 });
    enough.abort();
    await load;
    await walk.close();
    const expected = await walk.committed();
    await reader.untilAll(expected);
    reader.expectExactly(expected);
    (await StreamReader.readAll(relay.url, 'walk')).expectExactly(expected);
    expect(relay.stderr).toContain('there is no room for the log');
  });

  test('whose disk is full lets its stream be paused and itself be stopped, and loses nothing by it', async ({
    skip,
  }) => {
    if (!canLimitFileSize()) skip('prlimit of util-linux is needed');
    using folder = new TemporaryDirectory();
    const walk = await Walk.create(server(), new SeededRandom(seed), { padBytes: 500 });
    await using relay = await RelayProcess.create({ folder: folder.path, streams: configured() });
    await relay.start();
    await relay.positioned('walk');
    await walk.run(20);
    const fill = async (): Promise<void> => {
      limitFileSize(relay.pid, (segmentsOf(relay.data, 'walk').at(-1)?.bytes ?? 0) + 100_000);
      const enough = new AbortController();
      const load = walk.runUntil(enough.signal);
      await expect.poll(() => relay.stream('walk'), PATIENTLY).toMatchObject({ state: 'stalled' });
      enough.abort();
      await load;
    };
    await fill();
    const paused = await fetch(`${relay.url}/v1/streams/walk/pause`, { method: 'POST' });
    expect(paused.status).toBe(200);
    expect(await relay.stream('walk')).toMatchObject({ state: 'paused' });
    limitFileSize(relay.pid, null);
    expect((await fetch(`${relay.url}/v1/streams/walk/resume`, { method: 'POST' })).status).toBe(200);
    await expect.poll(() => relay.stream('walk'), PATIENTLY).toMatchObject({ state: 'running', stall: null });

    await fill();
    relay.signal('SIGTERM');
    expect(await relay.exit()).toEqual({ code: 0, signal: null });
    await relay.start();
    await walk.close();
    await using reader = new StreamReader(relay.url, 'walk');
    const expected = await walk.committed();
    await reader.untilAll(expected);
    reader.expectExactly(expected);
  });

  test('keeps what a group has not read up to a limit, then lets it go: the group is told, and goes on once its checkpoint is reset', async () => {
    using directory = new TemporaryDirectory();
    const walk = await Walk.create(server(), new SeededRandom(seed), { padBytes: 2000 });
    const source = { url: server().url, tables: ['walk.*'] };
    const retention = { maxBytes: 256 * 1024, groupBytes: 1024 * 1024 };
    const clock = new HastyClock();
    // Both are looked at every so often, the one with the group first: what happened to the other one tells when.
    await using relay = await RunningRelay.start({
      clock,
      directory: directory.path,
      streams: { held: { source, log: SMALL, retention }, free: { source, log: SMALL, retention } },
    });
    await relay.positioned();
    const { log: held } = relay.stream('held');
    const { log: free } = relay.stream('free');
    await walk.run(5);
    await using client = connect(relay.url);
    /** The changes of the first batch. */
    const consume = async (commit: boolean): Promise<number[]> => {
      for await (const batch of client.stream('held', { group: 'g', from: 'earliest' })) {
        if (batch.count === 0) continue;
        if (commit) await batch.commit();
        return batch.changes.map(({ scn }) => scn);
      }
      return [];
    };
    await consume(true);
    const checkpoint = relay.stream('held').groups.lowestCheckpoint() ?? 0;
    expect(checkpoint).toBeGreaterThan(held.visible.after);

    const written = async (log: typeof held, bytes: number): Promise<void> => {
      const { endOffset } = log.visible;
      while (log.visible.endOffset - endOffset < bytes) {
        const before = log.visible.endOffset;
        await walk.run(5);
        // A log that is behind, as the machine is busy, would get more than was meant.
        await expect.poll(() => log.visible.endOffset, { ...PATIENTLY, interval: 1 }).toBeGreaterThan(before);
      }
    };
    const { after: freeFrom } = free.visible;
    await written(held, 700 * 1024);
    clock.hurry();
    await expect.poll(() => free.visible.after, PATIENTLY).toBeGreaterThan(freeFrom);
    expect(held.visible.after).toBeLessThanOrEqual(checkpoint);
    expect(held.visible.bytes).toBeGreaterThan(retention.maxBytes + SMALL.segmentBytes);
    expect(Math.min(...(await consume(false)))).toBe(checkpoint + 1);

    await written(held, 2 * retention.groupBytes);
    await expect.poll(() => held.visible.after, PATIENTLY).toBeGreaterThan(checkpoint);
    const most = retention.maxBytes + retention.groupBytes + 2 * SMALL.segmentBytes;
    await expect.poll(() => held.visible.bytes, PATIENTLY).toBeLessThan(most);
    // What was written last may still be on its way into the log: when it is there, more goes.
    await expect
      .poll(async () => (await StreamReader.readAll(relay.url, 'held')).lastTransaction, PATIENTLY)
      .toBe(walk.last);
    let keptAfter = -1;
    let error = await refusal(consume(true));
    // More may go while the group is told of what went before.
    while (keptAfter !== held.visible.after) {
      keptAfter = held.visible.after;
      error = await refusal(consume(true));
    }
    expect(error).toMatchObject({ code: 'SCN_PURGED', retry: 'operator' });
    expect(error.message).toContain(String(keptAfter));
    expect(error.hint).not.toBe('');

    const goOn = async (): Promise<number> => {
      const reset = await fetch(`${relay.url}/v1/streams/held/groups/g/checkpoint`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ to: 'earliest' }),
      });
      expect(reset.status).toBe(200);
      return Math.min(...(await consume(true)));
    };
    // A last segment may go between the reset and the reading, which is refused again: nothing is written any more, so only once.
    const first = await goOn().catch(goOn);
    expect(first).toBe(held.visible.after + 1);
    await walk.close();
  });
});
