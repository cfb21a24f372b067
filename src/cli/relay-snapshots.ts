import { z } from 'zod';
import type { RowKey } from '../core/snapshots/key-list.ts';

/** A snapshot as the relay tells it: docs/reference/http-api.md. */
export interface SnapshotSummary {
  readonly id: number;
  readonly state: string;
  readonly reason: string;
  readonly patterns: readonly string[] | null;
  readonly where: string | null;
  /** How many rows were asked for by their keys; null: not by keys. */
  readonly keyCount: number | null;
  /** Only this group gets its rows; null: everyone. */
  readonly group: string | null;
  /** Only this reader without a group does. Left out by a relay that has none. */
  readonly reader?: string | null | undefined;
  readonly truncate: boolean;
  readonly created: string;
  readonly ended: string | null;
  readonly error: SnapshotFailure | null;
  readonly rows: number;
  readonly estimate: number | null;
  readonly percent: number | null;
  readonly rowsPerSecond: number | null;
  readonly secondsLeft: number | null;
  readonly waitsFor: string | null;
  /** What more there is to say of that. */
  readonly waitsBecause: string | null;
  readonly tableCount: number;
  readonly tablesLeft: number;
}

export interface SnapshotDetails extends SnapshotSummary {
  readonly tables: readonly SnapshotTable[];
}

export interface SnapshotTable {
  readonly database: string;
  readonly table: string;
  readonly state: string;
  readonly rows: number;
  readonly estimate: number;
  readonly error: SnapshotFailure | null;
}

export interface SnapshotFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** What is asked of a relay. Left out: its defaults. */
export interface SnapshotOrder {
  readonly tables?: readonly string[];
  readonly where?: string;
  readonly keys?: readonly RowKey[];
  readonly group?: string;
  readonly truncate?: boolean;
  readonly limits?: {
    readonly parallel?: number;
    readonly rowsPerSecond?: number;
    readonly threadsRunning?: number;
    readonly replicaLagSeconds?: number;
    readonly hours?: string;
  };
}

export type SnapshotAction = 'pause' | 'resume' | 'cancel';

const failure = z.looseObject({ code: z.string(), message: z.string(), hint: z.string() }).nullable();

// What a newer relay says beyond this is kept, for --json.
const shape = {
  id: z.number(),
  state: z.string(),
  reason: z.string(),
  patterns: z.array(z.string()).nullable(),
  where: z.string().nullable(),
  keyCount: z.number().nullable(),
  group: z.string().nullable(),
  reader: z.string().nullable().optional(),
  truncate: z.boolean(),
  created: z.string(),
  ended: z.string().nullable(),
  error: failure,
  rows: z.number(),
  estimate: z.number().nullable(),
  percent: z.number().nullable(),
  rowsPerSecond: z.number().nullable(),
  secondsLeft: z.number().nullable(),
  waitsFor: z.string().nullable(),
  waitsBecause: z.string().nullable(),
  tableCount: z.number(),
  tablesLeft: z.number(),
};

export const snapshotSummary: z.ZodType<SnapshotSummary> = z.looseObject(shape);

export const snapshotDetails: z.ZodType<SnapshotDetails> = z.looseObject({
  ...shape,
  tables: z.array(
    z.looseObject({
      database: z.string(),
      table: z.string(),
      state: z.string(),
      rows: z.number(),
      estimate: z.number(),
      error: failure,
    }),
  ),
});
