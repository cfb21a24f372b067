import { TidingsError } from '../core/errors.ts';
import { batchFirstScn, batchFlags, batchLastScn, batchLength } from '../formats/log/batch-header.ts';
import { FLAG } from '../formats/log/batch-layout.ts';
import { type DecodedBatch, readBatch } from '../formats/log/batch-reader.ts';
import type { ControlFrame } from '../formats/log/control-frame.ts';
import { viewOf } from '../formats/log/filter-output.ts';
import { ShapeRegistry } from '../formats/log/shape-registry.ts';
import { cutBatch } from './batch-cut.ts';
import { JOIN_BYTES } from './consumer-engine.ts';
import { Gathering } from './gathering.ts';
import type { HeldPartition, HeldPartitions } from './held-partitions.ts';
import { frameError, type Reading } from './reading.ts';
import { StreamIdentity } from './stream-identity.ts';

export interface MemberFramesOptions {
  readonly reading: Reading;
  readonly partitions: HeldPartitions;
  readonly json: 'parsed' | 'text';
  readonly untilEnd: boolean;
}

/** What was gathered for the consumer. */
export interface Gathered {
  readonly gathering: Gathering;
  /** Whose changes it holds. */
  readonly partitions: readonly HeldPartition[];
  /** The last transaction end in it; null: there is none. */
  readonly safe: number | null;
  readonly scn: number;
  /** What was found behind it; null: nothing wrong. */
  readonly failure: unknown;
}

/**
 * Sorts the frames that a member gets: what is for it, of which partitions, and how far each of them is.
 *
 * The relay sends what it must, not what the consumer should see: batches on their way when a partition was given back, and after a
 * lost connection what was handed over already and is not committed. So each batch is judged by its partitions; in the rare case
 * that only some of them want it, it is cut.
 */
export class MemberFrames {
  /** The assignment under which the frames at hand were sent. */
  epoch = 0;
  /** A partition has got further without anything for the consumer, since `gather` was last called. */
  passed = false;
  readonly #reading: Reading;
  readonly #partitions: HeldPartitions;
  readonly #untilEnd: boolean;
  readonly #shapes: ShapeRegistry;
  readonly #identity = new StreamIdentity();
  #sourcePosition: string | undefined;
  /** The partitions that the batches at hand are of; null: not told yet. */
  #lane: readonly number[] | null = null;
  /** Those of them that are this member's and may be handed over, as of `#version`. */
  #wanting: readonly HeldPartition[] = [];
  #version = -1;
  #target: number | null = null;

  constructor({ reading, partitions, json, untilEnd }: MemberFramesOptions) {
    this.#reading = reading;
    this.#partitions = partitions;
    this.#untilEnd = untilEnd;
    this.#shapes = new ShapeRegistry({ json });
  }

  /** Into how many slices the stream is shared; null: not told yet. */
  get partitionCount(): number | null {
    return this.#identity.partitions;
  }

  /** With `untilEnd`: every partition has got to where the stream ended when reading began. */
  get atTarget(): boolean {
    const target = this.#target;
    if (target === null) return false;
    for (const { delivered } of this.#partitions.held.values()) if (delivered < target) return false;
    return true;
  }

  /** Walks the frames at hand as far as they go together: one lane, under an assignment that is known. */
  gather(): Gathered {
    const reading = this.#reading;
    const gathering = new Gathering();
    let partitions: readonly HeldPartition[] = [];
    let safe: number | null = null;
    let scn = 0;
    let failure: unknown = null;
    this.passed = false;
    try {
      while (reading.hasFrame && gathering.bytes < JOIN_BYTES && this.epoch <= this.#partitions.epoch) {
        if (reading.isControl) {
          this.#control(reading.takeControl());
          continue;
        }
        const wanting = this.#wantingNow();
        // Batches of other partitions are committed otherwise.
        if (gathering.isSomething && wanting !== partitions) break;
        partitions = wanting;
        const end = this.#take(gathering);
        if (end === null) continue;
        scn = end.scn;
        if (!end.open) safe = end.scn;
      }
    } catch (error) {
      failure = error;
    }
    return { gathering, partitions, safe, scn, failure };
  }

  /** Null when nothing in the batch at hand is for the consumer. */
  #take(gathering: Gathering): { readonly scn: number; readonly open: boolean } | null {
    const reading = this.#reading;
    const { bytes, view, at } = reading;
    const first = batchFirstScn(view, at);
    const last = batchLastScn(view, at);
    const length = batchLength(view, at);
    const open = (batchFlags(view, at) & FLAG.open) !== 0;
    const wanting = this.#wanting;
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (const { delivered } of wanting) {
      if (delivered < least) least = delivered;
      if (delivered > most) most = delivered;
    }
    let hasEntries = false;
    let decoded: DecodedBatch | null = null;
    if (least < last) {
      const isWhole = wanting.length === this.#lane?.length && most < first;
      decoded = isWhole ? this.#decode(bytes, view, at) : this.#decodeCut();
    }
    if (decoded === null) {
      // Nothing of it is wanted, but for the shapes that it may define.
      this.#decode(bytes, view, at);
    } else {
      gathering.add(decoded.parts, length);
      hasEntries = decoded.parts.some(({ entries }) => entries.length > 0);
      this.#sourcePosition = decoded.position;
    }
    for (const held of wanting) {
      if (last > held.delivered) {
        held.delivered = last;
        held.open = open && (hasEntries || held.open);
      }
      if (!open && last > held.safe && last <= held.delivered) {
        held.safe = last;
        held.safeEpoch = this.#partitions.epoch;
        held.open = false;
        this.passed ||= !hasEntries;
      }
    }
    reading.skipBatch();
    reading.progressed();
    return hasEntries ? { scn: last, open } : null;
  }

  // oxlint-disable-next-line max-params -- bytes, and a place in them
  #decode(bytes: Buffer, view: DataView, at: number): DecodedBatch {
    return readBatch(bytes, view, at, this.#shapes, {
      end: Math.min(at + batchLength(view, at), bytes.length),
      ...(this.#sourcePosition === undefined ? {} : { previousPosition: this.#sourcePosition }),
    });
  }

  /** Of the batch at hand what is for partitions that want it and do not have it yet; null when that is nothing. */
  #decodeCut(): DecodedBatch | null {
    const { bytes, view, at } = this.#reading;
    const count = this.#identity.partitions ?? 1;
    const behind = new Map(this.#wanting.map(({ partition, delivered }) => [partition, delivered]));
    const cut = cutBatch(
      { bytes, view, start: at },
      {
        row: (hash, scn) => scn > (behind.get(hash % count) ?? Number.POSITIVE_INFINITY),
        statement: (scn) => this.#wanting.some(({ delivered }) => scn > delivered),
      },
    );
    return cut === null ? null : this.#decode(cut, viewOf(cut), 0);
  }

  #wantingNow(): readonly HeldPartition[] {
    const lane = this.#lane;
    if (lane === null) {
      throw new TidingsError('PROTOCOL_VIOLATION', 'the relay sent changes without saying of which partitions', {
        hint: 'Check that relay and client are of versions that go together.',
      });
    }
    if (this.#version !== this.#partitions.version) {
      this.#version = this.#partitions.version;
      const wanting: HeldPartition[] = [];
      for (const partition of lane) {
        const held = this.#partitions.held.get(partition);
        // What was sent under an assignment before the partition came (again) is not what follows its checkpoint.
        if (held !== undefined && held.state === 'held' && this.epoch >= held.since) wanting.push(held);
      }
      this.#wanting = wanting;
    }
    return this.#wanting;
  }

  #control(frame: ControlFrame | null): void {
    switch (frame?.kind) {
      case 'hello':
        this.#identity.check(frame, null);
        if (this.#untilEnd) this.#target ??= frame.last ?? Number.NEGATIVE_INFINITY;
        this.epoch = 0;
        this.#setLane(null);
        break;
      case 'shapes':
        for (const text of frame.shapes) this.#shapes.learn(text);
        break;
      case 'assignment':
        this.epoch = frame.epoch;
        this.#setLane(null);
        break;
      case 'lane':
        this.#setLane(frame.partitions);
        break;
      case 'progress':
        this.#progress(frame.scn);
        break;
      case 'error':
        throw frameError(frame);
      case undefined:
        break;
    }
  }

  #setLane(lane: readonly number[] | null): void {
    this.#lane = lane;
    // Another lane is at another place of the stream.
    this.#sourcePosition = undefined;
    this.#version = -1;
  }

  /** The partitions of the lane have got there, and there was nothing for the consumer. */
  #progress(scn: number): void {
    this.#reading.progressed();
    if (this.#lane === null) return;
    for (const held of this.#wantingNow()) {
      if (scn > held.delivered) held.delivered = scn;
      if (held.open || scn <= held.safe) continue;
      held.safe = scn;
      held.safeEpoch = this.#partitions.epoch;
      this.passed = true;
    }
  }
}
