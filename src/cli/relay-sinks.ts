import { z } from 'zod';

/** A sink as the relay tells it: docs/reference/http-api.md. */
export interface SinkSummary {
  readonly name: string;
  readonly type: string;
  readonly stream: string;
  readonly promise: string | null;
  readonly state: string;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly rows: number;
  readonly pending: number;
  readonly lagSeconds: number;
  readonly written: string | null;
  readonly deadLetters: number;
  readonly blockedKeys: number;
}

export interface DeadLetterDetails {
  readonly id: number;
  /** Null: no row could be made of the change. */
  readonly target: string | null;
  readonly reason: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly attempts: number;
  readonly parked: string;
  readonly edited: boolean;
  readonly change: { readonly op: string; readonly db: string; readonly table: string; readonly scn: number };
}

export interface Redriven {
  readonly written: number;
  readonly left: number;
  readonly refused: readonly number[];
}

/** What is to be changed of a dead letter's rows. */
export interface DeadLetterEdit {
  readonly before?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
}

// What a newer relay says beyond this is kept, for --json.
const reason = z.looseObject({ code: z.string(), message: z.string(), hint: z.string() });

export const sinkSummary: z.ZodType<SinkSummary> = z.looseObject({
  name: z.string(),
  type: z.string(),
  stream: z.string(),
  promise: z.string().nullable(),
  state: z.string(),
  error: reason.nullable(),
  rows: z.number(),
  pending: z.number(),
  lagSeconds: z.number(),
  written: z.string().nullable(),
  deadLetters: z.number(),
  blockedKeys: z.number(),
});

export const deadLetterDetails: z.ZodType<DeadLetterDetails> = z.looseObject({
  id: z.number(),
  target: z.string().nullable(),
  reason: reason.nullable(),
  attempts: z.number(),
  parked: z.string(),
  edited: z.boolean(),
  change: z.looseObject({ op: z.string(), db: z.string(), table: z.string(), scn: z.number() }),
});

export const redriven: z.ZodType<Redriven> = z.looseObject({
  written: z.number(),
  left: z.number(),
  refused: z.array(z.number()),
});
