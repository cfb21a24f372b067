import type { ConsumerBatch, StreamChange, StreamEntry } from '../core/consumer.ts';
import type { Mapper } from '../core/mapper.ts';
import type { Sink, SinkCheckpoint, SinkTarget, TargetPlan } from '../core/sink.ts';
import { BatchPacker } from './batch-packer.ts';
import { ChangeRouter } from './change-router.ts';
import type { ClaimedPartitions } from './claimed-partitions.ts';
import type { CommitOrder, Unit } from './commit-order.ts';
import { type SinkDefinition, WHOLE_STREAM } from './delivery-types.ts';
import type { LaneSet } from './lane-set.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { WriteGate } from './write-gate.ts';

export interface BatchDispatcherOptions {
  readonly definition: SinkDefinition;
  readonly sink: Sink;
  readonly mapper: Mapper;
  readonly gate: WriteGate;
  readonly lanes: LaneSet;
  readonly claimed: ClaimedPartitions;
  readonly commits: CommitOrder;
  readonly parked: ParkedKeys;
  /** Resolves when the lanes are empty. @throws what the session has failed with */
  readonly drain: () => Promise<void>;
  /** The session is over: what is left of a batch is not looked at. */
  readonly hasFailed: () => boolean;
}

/**
 * What becomes of a batch of the stream: its changes go to the lanes as rows, or as bytes where nothing has to be done with them; a truncation goes to
 * the store when the lanes are empty.
 */
export class BatchDispatcher {
  readonly #options: BatchDispatcherOptions;
  readonly #plans = new Map<SinkTarget, TargetPlan>();
  readonly #prepared = new Set<string>();
  readonly #router: ChangeRouter;
  /** Null: rows always go one by one. */
  readonly #packer: BatchPacker | null;
  /** Of the last entry that came. */
  #lastScn = 0;

  constructor(options: BatchDispatcherOptions) {
    this.#options = options;
    const { definition, sink, mapper, lanes, parked, drain } = options;
    const { stored } = options.claimed;
    const plan = (target: SinkTarget): Promise<TargetPlan> => this.plan(target);
    const { lanes: ordinary, serial } = lanes;
    this.#router = new ChangeRouter({ mapper, parked, stored, lanes: ordinary, serial, plans: this.#plans, plan });
    const { packing } = sink;
    this.#packer =
      packing !== undefined && mapper.passing !== undefined && definition.order === 'key'
        ? new BatchPacker({ packing, mapper, parked, stored, lanes, limits: definition.batch, plan, drain })
        : null;
  }

  async dispatch(batch: ConsumerBatch): Promise<void> {
    const { commits, definition, claimed, lanes } = this.#options;
    const unit = commits.begin(batch);
    if (definition.order === 'transaction') {
      for (const { entries, ends } of batch.transactions) {
        // oxlint-disable-next-line no-await-in-loop -- in commit order
        await this.#entries(entries, unit);
        const scn = ends ? (entries.at(-1)?.scn ?? this.#lastScn) : null;
        if (scn !== null && !claimed.stored.has(WHOLE_STREAM, scn, false)) {
          lanes.lanes[0]?.endTransaction(scn, WHOLE_STREAM, unit);
        }
      }
    } else if (!(await this.#packed(batch, unit))) await this.#entries(batch.entries, unit);
    commits.done(unit);
  }

  /** How rows of a target go to the store. @throws what the sink's `prepare` throws */
  async plan(target: SinkTarget): Promise<TargetPlan> {
    const { sink, gate, drain } = this.#options;
    const known = this.#plans.get(target);
    if (known !== undefined) return known;
    const { database, name } = target.table;
    const tableName = `${database}\0${name}`;
    // Rows of the former definition are written under it.
    if (this.#prepared.has(tableName)) await drain();
    const plan = await gate.run(() => sink.prepare(target));
    this.#plans.set(target, plan);
    this.#prepared.add(tableName);
    return plan;
  }

  /** Rows that can go as bytes do. False: they have to go one by one. */
  async #packed(batch: ConsumerBatch, unit: Unit): Promise<boolean> {
    const packs = (await this.#packer?.packed(batch)) ?? null;
    if (packs === null || this.#options.hasFailed()) return false;
    this.#options.lanes.pushPacks(packs, unit);
    return true;
  }

  async #entries(entries: readonly StreamEntry[], unit: Unit): Promise<void> {
    for (let at = 0; at < entries.length;) {
      if (this.#options.hasFailed()) return;
      const end = endOfChanges(entries, at);
      // oxlint-disable-next-line no-await-in-loop -- entries are in order
      if (end > at) await this.#router.route(entries, { from: at, to: end, unit });
      const entry = entries[end];
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (entry !== undefined && !isChange(entry) && entry.type === 'truncate') await this.#truncate(entry);
      at = end + 1;
      this.#lastScn = entries[Math.min(end, entries.length - 1)]?.scn ?? this.#lastScn;
    }
  }

  async #truncate({
    database,
    table,
    scn,
  }: {
    readonly database: string;
    readonly table: string;
    readonly scn: number;
  }): Promise<void> {
    const { sink, mapper, gate, lanes, claimed, parked, drain } = this.#options;
    const targets = mapper.targetsOf(database, table);
    if (targets.length === 0) return;
    const behind = claimed.behind(scn);
    if (behind.length === 0) return;
    await drain();
    const checkpoints: SinkCheckpoint[] = behind.flatMap((partition) =>
      lanes.serial === null
        ? [{ partition, serial: false, scn }]
        : [
            { partition, serial: false, scn },
            { partition, serial: true, scn },
          ],
    );
    for (const [index, target] of targets.entries()) {
      // Without columns it is a name only: a store would make a table without columns of it.
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      if (target.table.columns.length > 0) await this.plan(target);
      const isLast = index === targets.length - 1;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await gate.run(() => sink.truncate(target, isLast ? checkpoints : []));
      parked.clear(target);
    }
  }
}

function isChange(entry: StreamEntry): entry is StreamChange {
  return 'kind' in entry;
}

/** The first entry from there on that is no change. */
function endOfChanges(entries: readonly StreamEntry[], at: number): number {
  let end = at;
  while (end < entries.length && isChange(entries[end] as StreamEntry)) end++;
  return end;
}
