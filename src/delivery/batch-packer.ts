import type { ConsumerBatch } from '../core/consumer.ts';
import type { Mapper } from '../core/mapper.ts';
import type { RowShape } from '../core/rows/row-shape.ts';
import { ROW_HEADER_BYTES } from '../core/rows/row-target.ts';
import { areStored, type StoredRows } from '../core/rows/stored-rows.ts';
import type { RowPack, RowPacking, SinkCheckpoint, SinkTarget, TargetPlan } from '../core/sink.ts';
import type { Entry } from '../core/source.ts';
import type { BatchLimits } from './delivery-types.ts';
import type { LanePack } from './lane-pack.ts';
import type { LaneSet } from './lane-set.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { StoredScns } from './stored-scns.ts';

export interface BatchPackerOptions {
  readonly packing: RowPacking;
  readonly mapper: Mapper;
  readonly parked: ParkedKeys;
  readonly stored: StoredScns;
  readonly lanes: LaneSet;
  readonly limits: BatchLimits;
  /** How rows of a target go to the store; prepares it when it is new. */
  readonly plan: (target: SinkTarget) => Promise<TargetPlan>;
  /** Resolves when the lanes are empty. @throws what the session has failed with */
  readonly drain: () => Promise<void>;
}

/** Where rows wait, going over to packs costs a pause: it must be worth it. */
const PACK_AFTER = 8;
const NONE = -1;
/** What a row takes up beside its bytes. */
const ROW_BYTES = 16;

/**
 * Packs whole batches of the stream for the lanes, where no row of them needs a look: neither the mapping nor a checkpoint in the store nor a blocked
 * key has anything to say about it. All of a batch or nothing: what does not fit goes row by row, as if nobody had tried.
 */
export class BatchPacker {
  readonly #options: BatchPackerOptions;
  /** Null: rows of this shape do not go so. */
  readonly #targets = new WeakMap<RowShape, SinkTarget | null>();
  /** Batches in a row that could have been packed, while rows waited. */
  #packable = 0;

  constructor(options: BatchPackerOptions) {
    this.#options = options;
  }

  /** By lane, in order. Null: the batch goes row by row. @throws as `Mapper.map` and `Sink.prepare`, and what the session has failed with */
  async packed(batch: ConsumerBatch): Promise<readonly (readonly LanePack[])[] | null> {
    const { lanes, drain } = this.#options;
    if (!(await this.#takes(batch))) {
      this.#packable = 0;
      return null;
    }
    // A row that is refused blocks those of its key behind it, and a pack cannot be parted: it must not come behind rows.
    if (lanes.hasLooseRows) {
      this.#packable++;
      if (this.#packable < PACK_AFTER) return null;
      await drain();
    }
    return this.#pack(batch);
  }

  /** Whether all of a batch may be packed, as far as that can be told without a look at its rows. */
  async #takes({ parts, partitions }: ConsumerBatch): Promise<boolean> {
    if (partitions === null) return false;
    for (const { entries } of parts) {
      for (const entry of entries) {
        if (entry.type === 'schema') continue;
        if (!isPlain(entry) || !this.#options.stored.isBehind(entry.scn)) return false;
        let target = this.#targets.get(entry.shape);
        if (target === undefined) {
          // oxlint-disable-next-line no-await-in-loop -- once per shape
          target = await this.#targetOf(entry);
          this.#targets.set(entry.shape, target);
        }
        if (target === null) return false;
      }
    }
    return true;
  }

  /** Null: some row of it cannot go so. */
  #pack({ parts, partitions }: ConsumerBatch): readonly (readonly LanePack[])[] | null {
    const { packing, lanes, limits, parked } = this.#options;
    const packers = lanes.lanes.map(() => new LanePacker({ packing, limits, partitions: partitions ?? 1 }));
    try {
      for (const { entries, transaction } of parts) {
        for (const entry of entries) {
          if (!isPlain(entry)) continue;
          const target = this.#targets.get(entry.shape) as SinkTarget;
          const about = { target, committedAtUs: transaction.committedAtUs };
          if (!packRun(entry, { about, packers, parked, partitions: partitions ?? 1 })) return null;
        }
      }
    } catch {
      // Row by row it comes out which one it is, and what is to become of it.
      return null;
    }
    return packers.map((packer) => packer.end());
  }

  async #targetOf({ table, shape }: StoredRows): Promise<SinkTarget | null> {
    const { mapper, packing, plan } = this.#options;
    const target = mapper.passing?.(table) ?? null;
    if (target === null) return null;
    const { serial } = await plan(target);
    return !serial && packing.takes(target, shape) ? target : null;
  }
}

function isPlain(entry: Entry): entry is StoredRows {
  return entry.type === 'rows' && areStored(entry) && entry.moved === null;
}

interface About {
  readonly target: SinkTarget;
  readonly committedAtUs: number;
}

/** False: it has a row that is not as others are. */
function packRun(
  rows: StoredRows,
  {
    about,
    packers,
    parked,
    partitions,
  }: { about: About; packers: readonly LanePacker[]; parked: ParkedKeys; partitions: number },
): boolean {
  const { view, start, end } = rows.extent;
  let { scn } = rows;
  const areSome = parked.count > 0;
  for (let p = start; p < end;) {
    if (end - p < ROW_HEADER_BYTES) return false;
    const length = view.getInt32(p, true);
    const next = p + ROW_HEADER_BYTES + length;
    // Below zero: its key moved.
    if (length < 0 || next > end) return false;
    const hash = view.getUint32(p + 4, true);
    if (areSome && parked.blocksHash(hash)) return false;
    const partition = hash % partitions;
    const packer = packers[partition % packers.length] as LanePacker;
    packer.begin(rows, about);
    packer.row(partition, scn, p + ROW_HEADER_BYTES, next);
    scn++;
    p = next;
  }
  return scn === rows.scn + rows.count;
}

/** Makes the packs of one lane. */
class LanePacker {
  readonly #packing: RowPacking;
  readonly #limits: BatchLimits;
  readonly #made: LanePack[] = [];
  /** Of the last row of each partition, as far as there is one. */
  readonly #scns: Float64Array;
  #pack: RowPack | null = null;
  #run: StoredRows | null = null;
  #rows = 0;
  #bytes = 0;
  #lastScn = 0;
  #firstUs = 0;
  #lastUs = 0;

  constructor({
    packing,
    limits,
    partitions,
  }: {
    readonly packing: RowPacking;
    readonly limits: BatchLimits;
    readonly partitions: number;
  }) {
    this.#packing = packing;
    this.#limits = limits;
    this.#scns = new Float64Array(partitions).fill(NONE);
  }

  /** The next row is of this run. */
  begin(run: StoredRows, about: About): void {
    if (run === this.#run) return;
    if (this.#pack === null) {
      this.#pack = this.#packing.begin();
      this.#firstUs = about.committedAtUs;
    }
    this.#pack.run(run, about);
    this.#run = run;
    this.#lastUs = about.committedAtUs;
  }

  /** @param partition the row's; the row itself as in `RowPack.row` */
  // oxlint-disable-next-line max-params -- called for every row
  row(partition: number, scn: number, start: number, end: number): void {
    this.#pack?.row(scn, start, end);
    this.#scns[partition] = scn;
    this.#lastScn = scn;
    this.#rows++;
    this.#bytes += end - start + ROW_BYTES;
    if (this.#rows >= this.#limits.rowsMax || this.#bytes >= this.#limits.bytesMax) this.#seal();
  }

  end(): readonly LanePack[] {
    this.#seal();
    return this.#made;
  }

  #seal(): void {
    if (this.#pack === null) return;
    const checkpoints: SinkCheckpoint[] = [];
    for (const [partition, scn] of this.#scns.entries()) {
      if (scn !== NONE) checkpoints.push({ partition, serial: false, scn });
    }
    this.#made.push({
      pack: this.#pack,
      rows: this.#rows,
      bytes: this.#bytes,
      checkpoints,
      lastScn: this.#lastScn,
      firstUs: this.#firstUs,
      lastUs: this.#lastUs,
    });
    this.#pack = null;
    this.#run = null;
    this.#scns.fill(NONE);
    this.#rows = 0;
    this.#bytes = 0;
  }
}
