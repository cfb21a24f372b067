import { readFileSync } from 'node:fs';
import type { StreamEntry } from '../../../src/core/consumer.ts';
import { MOVING_TABLES, type MovingRows, type MovingTable } from './moving-rows.ts';

/** What a consumer of `MovingRows` writes down of an entry. */
export interface MovingLine {
  readonly scn: number;
  readonly table: string;
  /** `truncate`, `schema`, or the kind of the change. */
  readonly kind: string;
  readonly snapshot: boolean;
  /** Key before the change; null: there was no row. */
  readonly from: string | null;
  /** Key behind it. */
  readonly to: string | null;
  readonly serial: number;
  readonly version: number;
}

/** A process began. */
export const START = 'start' as const;

export function lineOf(entry: StreamEntry): MovingLine {
  if (!('kind' in entry)) {
    const { scn, type, table } = entry;
    return { scn, table: table ?? '', kind: type, snapshot: false, from: null, to: null, serial: 0, version: 0 };
  }
  const { scn, kind, table, before, after, snapshot = false } = entry;
  const keyOf = (row: typeof before): string | null => (row === null ? null : String(row['id']));
  const [serial, version] = [Number(after?.['serial'] ?? 0), Number(after?.['version'] ?? 0)];
  return { scn, table: table.name, kind, snapshot, from: keyOf(before), to: keyOf(after), serial, version };
}

/** By table and key: `serial v<version>`. */
export type MovingState = Readonly<Record<MovingTable, ReadonlyMap<string, string>>>;

/** What SELECT shows. */
export async function selectedState(load: MovingRows): Promise<MovingState> {
  const rows: Record<MovingTable, Map<string, string>> = { items: new Map(), names: new Map() };
  for (const table of MOVING_TABLES) {
    for (const { id, serial, version } of await load.rows(table)) rows[table].set(String(id), `${serial} v${version}`);
  }
  return rows;
}

export interface MovingCopy {
  /** What applying the entries one by one, those that came again as well, has left. */
  readonly rows: MovingState;
  /** By SCN. */
  readonly lines: ReadonlyMap<number, MovingLine>;
  readonly starts: number;
  /** What must not be, in words; the first few. */
  readonly wrong: readonly string[];
}

/**
 * What a reader has made of its stream, from the journal of all its lives. In each of them SCNs grow; one that comes again in a later life is the same;
 * and in the order of the SCNs no version of a row is older than one before it.
 */
export function readCopy(path: string): MovingCopy {
  const rows: Record<MovingTable, Map<string, string>> = { items: new Map(), names: new Map() };
  const lines = new Map<number, MovingLine>();
  const wrong: string[] = [];
  let starts = 0;
  let last = 0;
  for (const text of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
    const line = JSON.parse(text) as MovingLine | typeof START;
    if (line === START) {
      starts++;
      last = 0;
      continue;
    }
    if (line.scn <= last) wrong.push(`SCN ${line.scn} after ${last}`);
    last = line.scn;
    const before = lines.get(line.scn);
    if (before !== undefined && JSON.stringify(before) !== text) wrong.push(`SCN ${line.scn} came as another change`);
    lines.set(line.scn, line);
    const of = rows[line.table as MovingTable];
    if (line.kind === 'truncate') of.clear();
    if (line.from !== null) of.delete(line.from);
    if (line.to !== null) of.set(line.to, `${line.serial} v${line.version}`);
  }
  return { rows, lines, starts, wrong: [...wrong, ...olderVersions(lines)].slice(0, 20) };
}

function olderVersions(lines: ReadonlyMap<number, MovingLine>): string[] {
  const wrong: string[] = [];
  const newest = new Map<number, number>();
  for (const { scn, table, to, serial, version } of [...lines.values()].toSorted((a, b) => a.scn - b.scn)) {
    if (to === null) continue;
    const seen = newest.get(serial) ?? 0;
    if (version < seen) wrong.push(`${scn}: ${table} ${to}: ${version} after ${seen}`);
    newest.set(serial, Math.max(seen, version));
  }
  return wrong;
}

export function isSameState(a: MovingState, b: MovingState): boolean {
  return MOVING_TABLES.every(
    (table) => a[table].size === b[table].size && [...b[table]].every(([id, text]) => a[table].get(id) === text),
  );
}
