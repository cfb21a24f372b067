import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isTidingsError } from '../../src/core/errors.ts';
import type { LogReader } from '../../src/relay/log/change-log.ts';
import { type LogHarness, numberOf, readItems, type ScriptedEntry, segmentNames } from './log-harness.ts';

/** What may be done to a log, in any order. */
export type LogStep =
  | { readonly do: 'append'; readonly transactions: readonly (readonly ScriptedEntry[])[] }
  | { readonly do: 'large'; readonly rows: number; readonly bytes: number }
  | {
      readonly do: 'parts';
      readonly parts: readonly (readonly ScriptedEntry[])[];
      /** Begins again after so many parts. */
      readonly restartAfter: number;
      /** Of the parts, how many come when it begins again. */
      readonly restartWith: number;
      readonly flush: boolean;
      readonly ends: boolean;
    }
  | { readonly do: 'idle' | 'flush' | 'reopen' }
  | { readonly do: 'crash'; readonly share: number; readonly damage: 'none' | 'zeros' | 'noise' }
  | { readonly do: 'read'; readonly share: number; readonly reader: number }
  | { readonly do: 'seek'; readonly share: number }
  | { readonly do: 'retain'; readonly maxBytes: number; readonly groupShare: number | null };

/** Does what the steps say, and compares what can be seen with what must be seen. */
export class LogWalk {
  readonly #harness: LogHarness;
  /** Readers that stay, each with where it is. */
  readonly #readers: (LogReader | null)[] = [null, null, null];

  constructor(harness: LogHarness) {
    this.#harness = harness;
  }

  async take(step: LogStep): Promise<void> {
    const harness = this.#harness;
    switch (step.do) {
      case 'append':
        this.#forgetUnfinished();
        await harness.hand(step.transactions.map((made) => harness.part(made, { begins: true, ends: true })));
        return;
      case 'large': {
        this.#forgetUnfinished();
        const texts = Array.from({ length: step.rows }, (_, i) => step.bytes + i);
        await harness.append({ type: 'rows', table: 0, kind: 'insert', texts });
        return;
      }
      case 'parts':
        return this.#handParts(step);
      case 'idle':
        return harness.idle();
      case 'flush':
        return this.#flush();
      case 'reopen':
        await harness.log.flush();
        await harness.reopen();
        this.#readers.fill(null);
        return this.#check();
      case 'crash':
        return this.#crash(step);
      case 'read':
        return this.#read(step);
      case 'seek':
        return this.#seek(step.share);
      case 'retain':
        return this.#retain(step);
    }
  }

  /** A source that was opened again knows nothing of the transaction that it had handed over in part. */
  #forgetUnfinished(): void {
    this.#harness.open = null;
  }

  async #handParts({
    parts,
    restartAfter,
    restartWith,
    flush,
    ends,
  }: Extract<LogStep, { do: 'parts' }>): Promise<void> {
    const harness = this.#harness;
    this.#forgetUnfinished();
    const hand = async (count: number, isBroken: boolean, isRestarted: boolean): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const isLast = i === count - 1;
        const part = harness.part(parts[i] ?? [], {
          begins: i === 0,
          ends: ends && isLast && !isBroken,
          restarted: isRestarted && i === 0,
        });
        await harness.hand([part]);
        if (flush) await harness.log.flush();
      }
    };
    const before = Math.min(restartAfter, parts.length - 1);
    if (before === 0) return hand(parts.length, false, false);
    await hand(before, true, false);
    return hand(1 + (restartWith % parts.length), false, true);
  }

  async #flush(): Promise<void> {
    const harness = this.#harness;
    await harness.log.flush();
    assert.equal(harness.visibleCount, harness.transactions.length);
    if (harness.open === null && harness.position > 0) assert.equal(harness.log.position, `p${harness.position}`);
    await this.#check();
  }

  /** Everything that is visible is read, once, in order, from anywhere. */
  async #check(after: number = this.#harness.log.visible.after): Promise<void> {
    const { log, firstScn, transactions, visibleCount } = this.#harness;
    const { last } = log.visible;
    assert.equal(last, firstScn - 1 + transactions.slice(0, visibleCount).flatMap((made) => made.items).length);
    const reader = log.openReader(after);
    await this.#checkReader(reader);
    reader.close();
  }

  /** More may become visible while it reads. */
  async #checkReader(reader: LogReader): Promise<void> {
    const { log, firstScn, items } = this.#harness;
    const { after } = reader;
    const { last, endOffset } = log.visible;
    const read = await readItems(log, reader, after);
    assert.deepEqual(read, items.slice(after + 1 - firstScn, reader.after + 1 - firstScn));
    assert.ok(reader.after >= last);
    assert.ok(reader.after <= log.visible.last);
    assert.ok(reader.offset >= endOffset);
  }

  async #crash({ share, damage }: Extract<LogStep, { do: 'crash' }>): Promise<void> {
    const harness = this.#harness;
    const { visible, position } = harness.log;
    const durable = harness.visibleCount;
    const isUnfinished = harness.open !== null;
    const { directory, last } = harness.copy();
    const path = join(directory, last);
    const { size } = statSync(path);
    // Bytes of the last file that may not have reached the disk: none before what is visible.
    const sure = Math.max(0, size - (this.#bytesIn(directory) - visible.bytes));
    const cut = sure + Math.floor((size - sure) * share);
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, cut);
    // Pages reach the disk in any order. Of an unfinished transaction more may be durable than is visible.
    if (damage !== 'none' && !isUnfinished && cut > sure) {
      const at = sure + Math.floor((cut - sure) * (1 - share));
      const length = Math.min(cut - at, 4096);
      writeSync(fd, Buffer.alloc(length, damage === 'zeros' ? 0 : 'noise'), 0, length, at);
    }
    closeSync(fd);
    const handedOver = harness.transactions;
    await harness.moveTo(directory);
    this.#readers.fill(null);
    const kept = harness.transactions.length;
    assert.ok(kept >= durable);
    assert.equal(harness.log.visible.last, harness.firstScn + harness.items.length - 1);
    // The position is that of the last transaction, or behind it and before the next one.
    const found = harness.log.position === null ? 0 : numberOf(harness.log.position);
    assert.ok(found >= Math.max(handedOver[kept - 1]?.end ?? 0, numberOf(position ?? 'p0')));
    assert.ok(found < (handedOver[kept]?.end ?? Infinity));
    await this.#check();
  }

  #bytesIn(directory: string): number {
    return segmentNames(directory).reduce((bytes, name) => bytes + statSync(join(directory, name)).size, 0);
  }

  async #read({ share, reader: index }: Extract<LogStep, { do: 'read' }>): Promise<void> {
    const { log } = this.#harness;
    const { after: first, last } = log.visible;
    const known = this.#readers[index];
    let reader: LogReader;
    if (known === null || known === undefined || known.after < first) {
      if (known) assert.throws(() => known.read(), { code: 'SCN_PURGED' });
      reader = log.openReader(first + Math.floor((last - first) * share));
      this.#readers[index] = reader;
    } else reader = known;
    await this.#checkReader(reader);
  }

  async #seek(share: number): Promise<void> {
    const { log, firstScn, transactions } = this.#harness;
    const { after, last } = log.visible;
    const visible = transactions.slice(0, this.#harness.visibleCount);
    let scn = firstScn;
    const starts = visible.map(({ items }) => (scn += items.length) - items.length);
    const aim = visible[Math.floor((visible.length - 1) * share)];
    if (aim === undefined) return;
    const isKept = (i: number): boolean => (starts[i] as number) + (visible[i]?.items.length ?? 0) - 1 > after;
    const byTime = await log.seekTime(aim.committedUs);
    // What became visible meanwhile is not looked at.
    const wanted = visible.findIndex(({ committedUs }, i) => committedUs >= aim.committedUs && isKept(i));
    if (wanted >= 0) assert.ok(byTime < Math.max(starts[wanted] as number, after + 1));
    assert.ok(byTime >= after);
    assert.ok(byTime <= last);
    try {
      const byPosition = await log.seekPosition((position) => numberOf(position) <= aim.end);
      const next = visible.findIndex(({ end }) => end > aim.end);
      if (next >= 0) assert.ok(byPosition < (starts[next] as number));
      assert.ok(byPosition >= after);
      assert.ok(byPosition <= last);
    } catch (error) {
      if (!isTidingsError(error) || error.code !== 'SCN_PURGED') throw error;
      assert.ok(after > firstScn - 1);
    }
  }

  async #retain({ maxBytes, groupShare }: Extract<LogStep, { do: 'retain' }>): Promise<void> {
    const { log } = this.#harness;
    const { after, last } = log.visible;
    const lowestCheckpoint = groupShare === null ? null : after + Math.floor((last - after) * groupShare);
    await log.retain({ maxAgeMs: Infinity, maxBytes, groupBytes: Infinity, lowestCheckpoint });
    if (lowestCheckpoint !== null) assert.ok(log.visible.after <= lowestCheckpoint);
    assert.ok(log.visible.last >= last);
    await this.#check();
  }
}
