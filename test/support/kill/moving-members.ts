import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamChange } from '../../../src/core/consumer.ts';
import { differences, movingText, type MovingTruth } from './moving-rows.ts';
import { ScriptProcess } from './script-process.ts';

/** The line that says that a life began. */
const BEGAN_BYTES_MAX = 100;

const SCRIPT = join(import.meta.dirname, 'moving-member.ts');

/** A change that a member deals with: what it does to one key. */
export interface MemberJob {
  readonly scn: number;
  readonly partition: number;
  readonly table: string;
  readonly key: string;
  /** `serial v<version>`; null: the key's row goes. */
  readonly row: string | null;
  readonly version: number;
  readonly snapshot: boolean;
}

/** `at` is CLOCK_MONOTONIC in ns, which all processes of a machine share. */
export type MemberLine =
  | { readonly at: string; readonly began: string }
  | ({ readonly at: string; readonly batch: string } & MemberJob)
  /** The commit of the batch resolved, but not for these partitions. */
  | { readonly at: string; readonly committed: string; readonly fenced: readonly number[] };

export function jobOf({ scn, partition = -1, table, before, after, snapshot }: StreamChange): MemberJob {
  // A group gets an update that moves a key in two halves.
  const key = String((after ?? before)?.['id']);
  const row = { serial: Number(after?.['serial']), version: Number(after?.['version']) };
  const text = after === null ? null : movingText(row);
  return { scn, partition, table: table.name, key, row: text, version: row.version, snapshot: snapshot === true };
}

/** A member of a group in a process of its own: `moving-member.ts`. */
export class MovingMember extends ScriptProcess {
  readonly #journal: string;
  /** Bytes of the lives before. */
  #former = 0;

  constructor(name: string, options: { url: string; stream: string; group: string; folder: string }) {
    const journal = join(options.folder, `${options.group}-${name}.journal`);
    super(name, [SCRIPT, options.url, options.stream, options.group, name, journal]);
    this.#journal = journal;
  }

  override start(): void {
    this.#former = this.#bytes();
    super.start();
  }

  /** Once it has begun what it does: a process that has just been started cannot be told to stop yet. */
  override async stop(): Promise<void> {
    while (this.#bytes() === this.#former) await new Promise((resolve) => setTimeout(resolve, 50));
    await super.stop();
  }

  lines(): readonly MemberLine[] {
    if (!existsSync(this.#journal)) return [];
    const texts = readFileSync(this.#journal, 'utf8').split('\n').slice(0, -1);
    return texts.map((text) => JSON.parse(text) as MemberLine);
  }

  /** Whether it has dealt with changes in this life. */
  get isAtWork(): boolean {
    return this.#bytes() > this.#former + BEGAN_BYTES_MAX;
  }

  #bytes(): number {
    return existsSync(this.#journal) ? statSync(this.#journal).size : 0;
  }
}

export interface MembersVerdict {
  /** Where what the members have made of the tables together is not what the source has, of those that it has; the first few. */
  readonly differences: readonly string[];
  readonly wrong: readonly string[];
  readonly changes: number;
  readonly snapshotRows: number;
  /** Changes that came again, as the batch that they came in was not committed. */
  readonly again: number;
}

/**
 * What the members of a group, all of their lives, have made of the tables together: each change was applied when it was dealt with.
 *
 * - No key has got an older change after a newer one, but for what came again.
 * - A change came again only if the batch that it came in before had not been committed by then.
 */
export function judgeMembers(journals: readonly (readonly MemberLine[])[], truth: MovingTruth): MembersVerdict {
  const lines = journals.flat().toSorted((a, b) => Number(BigInt(a.at) - BigInt(b.at)));
  const committed = new Map<string, { readonly at: string; readonly fenced: readonly number[] }>();
  for (const line of lines) if ('committed' in line) committed.set(line.committed, line);
  const rows = new Map<string, Map<string, string>>();
  /** By change and key: the batch that it came in last. */
  const batches = new Map<string, string>();
  /** By table and key: the newest change. */
  const newest = new Map<string, MemberJob>();
  const wrong: string[] = [];
  let snapshotRows = 0;
  let again = 0;
  for (const line of lines) {
    if (!('batch' in line)) continue;
    const { scn, table, key, row, partition, snapshot } = line;
    const of = rows.get(table) ?? new Map<string, string>();
    rows.set(table, of);
    if (row === null) of.delete(key);
    else of.set(key, row);
    const name = `${scn} ${table} ${key}`;
    const before = batches.get(name);
    batches.set(name, line.batch);
    if (before !== undefined) {
      again++;
      const done = committed.get(before);
      if (done !== undefined && BigInt(done.at) < BigInt(line.at) && !done.fenced.includes(partition)) {
        wrong.push(`${name} came in ${line.batch}, after ${before} was committed`);
      }
      continue;
    }
    if (snapshot) snapshotRows++;
    const last = newest.get(`${table} ${key}`);
    if (last !== undefined && last.scn >= scn) wrong.push(`${name} came after ${last.scn}`);
    const isOlder = last?.row !== undefined && last.row !== null && row !== null && last.version > line.version;
    if (isOlder && last.row.split(' ')[0] === row.split(' ')[0]) wrong.push(`${name}: ${row} after ${last.row}`);
    newest.set(`${table} ${key}`, line);
  }
  return {
    differences: differences(rows, truth),
    wrong: wrong.slice(0, 20),
    changes: batches.size,
    snapshotRows,
    again,
  };
}
