import assert from 'node:assert/strict';
import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCommand } from '../support/cli-process.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { RunningRelay, type RunningRelayOptions } from '../support/relay/running-relay.ts';
import { flipBit, type SegmentFile, segmentsOf } from '../support/relay/segments.ts';
import { StreamReader } from '../support/relay/stream-reader.ts';
import { TemporaryDirectory } from '../support/relay/temporary-directory.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import { mayMount, mountSmall, unmount } from '../support/small-disk.ts';
import { Walk } from '../support/walk.ts';

const seed = seedOfRun('damaged logs');
const NOBODY = 65_534;
const PATIENTLY = { timeout: 30_000 };

describeServer('mariadb', 'a log of a relay that is damaged', (server) => {
  const streams = (): RunningRelayOptions['streams'] => ({
    walk: { source: { url: server().url, tables: ['walk.*'] }, log: { segmentBytes: 64 * 1024 } },
  });

  /** A hundred transactions in a log of several segments, and the relay that wrote them, stopped. */
  const filled = async (directory: string): Promise<{ relay: RunningRelay; walk: Walk; segments: SegmentFile[] }> => {
    const walk = await Walk.create(server(), new SeededRandom(seed), { padBytes: 2000 });
    const relay = await RunningRelay.start({ directory, streams: streams() });
    await relay.positioned();
    await walk.run(100);
    {
      await using reader = new StreamReader(relay.url, 'walk');
      await reader.untilAll(await walk.committed());
    }
    await relay.stop();
    const segments = segmentsOf(directory, 'walk');
    expect(segments.length).toBeGreaterThan(4);
    return { relay, walk, segments };
  };

  test.for([
    { what: 'a flipped bit in an old segment', harm: ({ path, bytes }: SegmentFile) => flipBit(path, bytes >> 1) },
    { what: 'an old segment that vanishes while the relay runs', harm: ({ path }: SegmentFile) => rmSync(path) },
  ])('by $what stops whoever reads there, with segment and offset, and nobody else', async ({ what, harm }) => {
    using directory = new TemporaryDirectory();
    const { relay, walk, segments } = await filled(directory.path);
    await using running = relay;
    await running.start();
    const [, , damaged, next] = segments as [SegmentFile, SegmentFile, SegmentFile, SegmentFile];
    harm(damaged);
    const expected = (await walk.committed()).flat();

    // One behind the damage, and one at the end: both before and after others have run into it.
    await using behind = new StreamReader(running.url, 'walk', { from: next.firstScn - 1 });
    await using tail = new StreamReader(running.url, 'walk', { from: 'latest' });
    await using reader = new StreamReader(running.url, 'walk');
    const error = await refusal(reader.finished);
    expect(error.code).toBe('LOG_DAMAGED');
    expect(error.hint).not.toBe('');
    const place = /(\d{16}\.log) is damaged at byte (\d+): /.exec(error.message);
    expect(place?.[1]).toBe(damaged.name);
    const offset = Number(place?.[2]);
    expect(offset).toBeLessThanOrEqual(damaged.bytes >> 1);
    // Nothing from there on was handed over, all before it was: as far as the log was whole.
    const got = reader.changes.length;
    assert.deepEqual(reader.changes, expected.slice(0, got));
    expect(reader.lastScn).toBeGreaterThanOrEqual(damaged.firstScn - 1);
    expect(reader.lastScn).toBeLessThan(next.firstScn - 1);

    // As lines, the last one says so, and the response is cut off rather than ended.
    const response = await fetch(`${running.url}/v1/streams/walk/changes?from=earliest&limit=1000000`);
    let text = '';
    const cut = (async () => {
      for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
    })();
    await expect(cut).rejects.toThrow('terminated');
    const last = text.trimEnd().split('\n').at(-1) ?? '';
    expect(JSON.parse(last)).toMatchObject({
      error: { code: 'LOG_DAMAGED', message: expect.stringContaining(damaged.name) as string },
    });

    await walk.run(10);
    await walk.close();
    const all = (await walk.committed()).flat();
    const fromNext = all.slice(next.firstScn - (segments[0]?.firstScn ?? 0));
    await behind.until(({ changes }) => changes.length >= fromNext.length);
    await tail.until(({ changes }) => changes.length >= all.length - expected.length);
    assert.deepEqual(behind.changes, fromNext, what);
    assert.deepEqual(tail.changes, all.slice(expected.length), what);
    expect(running.stream('walk').status()).toMatchObject({ state: 'running', error: null });
    expect(await running.readiness()).toMatchObject({ status: 200 });
  });

  /** A relay of two streams of the same tables, which was stopped when it had some changes. */
  const twoStreams = async (folder: string): Promise<{ relay: RelayProcess; walk: Walk; segment: SegmentFile }> => {
    const source = { type: 'mysql', url: server().url, tables: ['walk.*'] };
    const walk = await Walk.create(server(), new SeededRandom(seed));
    const relay = await RelayProcess.create({ folder, streams: { broken: { source }, fine: { source } } });
    await relay.start();
    for (const stream of ['broken', 'fine']) await relay.positioned(stream);
    await walk.run(5);
    for (const stream of ['broken', 'fine']) {
      await using reader = new StreamReader(relay.url, stream);
      await reader.untilAll(await walk.committed());
    }
    relay.signal('SIGTERM');
    await relay.exit();
    const [segment] = segmentsOf(relay.data, 'broken') as [SegmentFile];
    return { relay, walk, segment };
  };

  const expectAll = async (relay: RelayProcess, stream: string, walk: Walk): Promise<void> => {
    await using reader = new StreamReader(relay.url, stream);
    const expected = await walk.committed();
    await reader.untilAll(expected);
    reader.expectExactly(expected);
  };

  test('is told by the relay and by every command, the other stream is served, and it goes on when it is mended and resumed', async () => {
    using folder = new TemporaryDirectory();
    const { relay, walk, segment } = await twoStreams(folder.path);
    await using running = relay;
    const copy = folder.in('copy.log');
    cpSync(segment.path, copy);
    flipBit(segment.path, 20);
    await running.start();

    const logged = running.stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    expect(logged.filter(({ level }) => level === 'error')).toMatchObject([
      {
        stream: 'broken',
        segment: segment.name,
        offset: 0,
        error: { code: 'LOG_DAMAGED' },
        hint: expect.stringContaining('restore the file') as string,
      },
    ]);
    expect(logged.at(-1)).toMatchObject({
      message: 'ready',
      level: 'warn',
      streams: ['broken', 'fine'],
      failed: ['broken'],
    });

    const reason = { stream: 'broken', code: 'LOG_DAMAGED', detail: expect.stringContaining(segment.name) as string };
    await expect.poll(() => running.readiness(), PATIENTLY).toEqual({ status: 503, ready: false, reasons: [reason] });
    const listed = await runCommand(['streams', running.url]);
    expect(listed.stdout).toMatch(/^broken +failed +- +- +- +- +-$/m);
    expect(listed.stdout).toMatch(/^fine +running /m);
    expect(listed.stdout).toContain(`broken: LOG_DAMAGED: ${segment.path} is damaged at byte 0: `);
    const { hint } = (await running.stream('broken')).error ?? { hint: 'none' };
    expect(listed.stdout).toContain(hint);
    for (const command of [
      ['pause', running.url, '--stream', 'broken'],
      ['resume', running.url, '--stream', 'broken'],
      ['groups', running.url, '--stream', 'broken'],
      ['snapshot', 'list', running.url, '--stream', 'broken'],
      ['consume', running.url, '--stream', 'broken', '--until-end'],
    ]) {
      const { code, stderr } = await runCommand(command);
      expect({ code, stderr }, `tidings ${command.join(' ')}`).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(hint) as string,
      });
      expect(stderr).toContain(`LOG_DAMAGED: ${segment.path} is damaged at byte 0: `);
    }

    await walk.run(5);
    await walk.close();
    await expectAll(running, 'fine', walk);
    cpSync(copy, segment.path);
    expect(await runCommand(['resume', running.url, '--stream', 'broken'])).toMatchObject({ code: 0, stderr: '' });
    await expectAll(running, 'broken', walk);
    await expect.poll(() => running.readiness(), PATIENTLY).toMatchObject({ status: 200 });
  });

  test('as its user may not read it stops its stream alone, which names the file', async () => {
    using folder = new TemporaryDirectory();
    const { relay, walk, segment } = await twoStreams(folder.path);
    await using running = relay;
    // The superuser may read anything: nobody may not.
    const uid = process.getuid?.() === 0 ? NOBODY : undefined;
    if (uid !== undefined) {
      for (const path of readdirSync(running.data, { recursive: true, encoding: 'utf8' })) {
        chownSync(join(running.data, path), uid, uid);
      }
      chownSync(running.data, uid, uid);
      chmodSync(folder.path, 0o755);
    }
    chmodSync(segment.path, 0);
    await running.start({ uid });
    expect(await running.stream('broken')).toMatchObject({
      state: 'failed',
      error: { code: 'DIRECTORY_UNUSABLE', message: expect.stringContaining(`'${segment.path}'`) as string },
    });
    await walk.run(5);
    await walk.close();
    await expectAll(running, 'fine', walk);
    chmodSync(segment.path, 0o600);
    expect(await runCommand(['resume', running.url, '--stream', 'broken'])).toMatchObject({ code: 0 });
    await expectAll(running, 'broken', walk);
  });

  test('by a segment that is gone from its middle is not opened, the changes that are missing are named, and the relay of it alone stays up', async () => {
    using directory = new TemporaryDirectory();
    const { relay, walk, segments } = await filled(directory.path);
    await using running = relay;
    await walk.close();
    const [, , gone, next] = segments as [SegmentFile, SegmentFile, SegmentFile, SegmentFile];
    const copy = directory.in('copy.log');
    cpSync(gone.path, copy);
    rmSync(gone.path);
    await running.start();
    const error = await refusal(StreamReader.readAll(running.url, 'walk'));
    expect(error.code).toBe('LOG_DAMAGED');
    expect(error.message).toContain(`from SCN ${gone.firstScn} to ${next.firstScn - 1}`);
    expect(error.hint).not.toBe('');
    expect(await running.readiness()).toMatchObject({
      status: 503,
      reasons: [{ stream: 'walk', code: 'LOG_DAMAGED' }],
    });
    cpSync(copy, gone.path);
    await fetch(`${running.url}/v1/streams/walk/resume`, { method: 'POST' });
    (await StreamReader.readAll(running.url, 'walk')).expectExactly(await walk.committed());
  });

  describe.skipIf(!mayMount)('or has no room', () => {
    test('even to begin holds its stream alone, whose readers wait, and goes on by itself when there is some', async () => {
      using directory = new TemporaryDirectory();
      const place = directory.in('streams', 'full');
      mkdirSync(place, { recursive: true });
      mountSmall(place);
      try {
        const ballast = join(place, 'ballast');
        expect(() => writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024))).toThrow('ENOSPC');
        const walk = await Walk.create(server(), new SeededRandom(seed));
        const source = { url: server().url, tables: ['walk.*'] };
        await using relay = await RunningRelay.start({
          directory: directory.path,
          streams: { full: { source }, free: { source } },
        });
        const served = relay.relay.streams.get('full');
        expect(served?.status()).toMatchObject({ state: 'stalled', stall: { reason: 'disk-full' } });
        const answer = await fetch(`${relay.url}/v1/streams/full/changes`);
        expect(answer.status).toBe(503);
        expect(await answer.json()).toMatchObject({ code: 'DISK_FULL' });
        await expect.poll(() => relay.stream('free').log.position, PATIENTLY).not.toBeNull();
        const reasons = [{ stream: 'full', code: 'STALLED' }];
        await expect.poll(() => relay.readiness(), PATIENTLY).toMatchObject({ status: 503, reasons });
        await using reader = new StreamReader(relay.url, 'full');

        unlinkSync(ballast);
        await expect.poll(() => served?.opening.kind, PATIENTLY).toBe('opened');
        await relay.positioned();
        await walk.run(5);
        await walk.close();
        for (const each of [reader, new StreamReader(relay.url, 'free')]) {
          await using all = each;
          await all.untilAll(await walk.committed());
          all.expectExactly(await walk.committed());
        }
        await expect.poll(() => relay.readiness(), PATIENTLY).toMatchObject({ status: 200 });
      } finally {
        unmount(place);
      }
    });
  });
});
