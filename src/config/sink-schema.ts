import { z } from 'zod';
import { parseStartAt } from '../core/start-at.ts';
import type { MappingSchema } from '../registry.ts';
import { isMap } from './mistake.ts';

/**
 * What a configuration may say of each kind of sink: what all of them share, how its rows are mapped, and what its own schema has.
 *
 * @param schemas of each kind, by its name
 * @param mapping what is said of the rows
 */
export function sinkSchema(schemas: ReadonlyMap<string, z.ZodObject>, mapping: MappingSchema): z.ZodType {
  const kinds = [...schemas].map(([type, schema]) =>
    z
      .strictObject({
        type: z.literal(type).describe('The kind of sink.'),
        ...common,
        ...schema.shape,
        ...mapping.shape,
      })
      .superRefine((config, context) => {
        for (const { path, message } of mapping.mistakes(config)) {
          context.addIssue({ code: 'custom', path: [...path], message });
        }
      })
      .meta({
        'x-name': `${type.charAt(0).toUpperCase()}${type.slice(1)}SinkConfig`,
        ...(type === MODULE ? { 'x-short': MODULE_PATH } : {}),
      }),
  );
  return z.discriminatedUnion('type', kinds as [(typeof kinds)[number], ...typeof kinds]);
}

const MODULE = 'module';
const MODULE_PATH = { pattern: String.raw`^(?:\.{0,2}\/|file:)`, as: 'module' };

/** A sink whose type is a path is one of the user's own. */
export function withNamedModules(tree: unknown): unknown {
  if (!isMap(tree) || !isMap(tree['sinks'])) return tree;
  const sinks = Object.entries(tree['sinks']).map(([name, sink]) => {
    const type = isMap(sink) ? sink['type'] : undefined;
    const isPath = typeof type === 'string' && new RegExp(MODULE_PATH.pattern).test(type);
    return [name, isPath && isMap(sink) ? { [MODULE_PATH.as]: type, ...sink, type: MODULE } : sink];
  });
  return { ...tree, sinks: Object.fromEntries(sinks) as Readonly<Record<string, unknown>> };
}

/** What the schemas of all sinks yield, besides what is their own. Written out, as the compiler cannot follow kinds that are registered at run time. */
export interface ParsedSink {
  readonly type: string;
  readonly stream: string;
  readonly relay?: string;
  readonly token?: string;
  readonly order: 'key' | 'transaction';
  readonly parallel: number;
  readonly batch: { readonly rows?: number | undefined; readonly bytes: number; readonly delay: number };
  readonly onRowError: 'park' | 'stop';
  readonly parkedMax: number;
  readonly bootstrap: 'auto' | 'never' | 'always';
  readonly from: string;
  readonly retry: { readonly delayMin: number; readonly delayMax: number };
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const HOUR = 3600 * SECOND;

const batch = z
  .strictObject({
    rows: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe('At most so many rows are written at a time, in each lane. Left out: 2000, and 10000 for files.'),
    bytes: z
      .int()
      .min(KIB)
      .max(256 * MIB)
      .default(4 * MIB)
      .describe('A batch ends when its values take up so much, roughly.')
      .meta({ 'x-unit': 'bytes' }),
    delay: z
      .int()
      .min(0)
      .max(60 * SECOND)
      .default(0)
      .describe(
        'How long rows may wait for more of them, when a lane is free. 0: they do not; batches grow as the store is slow.',
      )
      .meta({ 'x-unit': 'duration' }),
  })
  .meta({ 'x-name': 'SinkBatchConfig' });

const retry = z
  .strictObject({
    delayMin: z
      .int()
      .min(1)
      .max(HOUR)
      .default(200)
      .describe('The longest pause behind the first failure; each further one may be twice as long.')
      .meta({ 'x-unit': 'duration' }),
    delayMax: z
      .int()
      .min(1)
      .max(HOUR)
      .default(30 * SECOND)
      .describe('No pause is longer.')
      .meta({ 'x-unit': 'duration' }),
  })
  .meta({ 'x-name': 'SinkRetryConfig' });

const common = {
  stream: z
    .string()
    .min(1)
    .max(64)
    .describe('The stream that it follows: one of this relay, or of the one that `relay` names.'),
  relay: z
    .string()
    .regex(/^https?:\/\/\S+$/)
    .optional()
    .describe('The relay that has the stream, when it is another one: `https://relay.internal:8400`.')
    // Somebody may have written credentials into it.
    .meta({ 'x-secret': true, 'x-allowed': 'http://host:port, or https://host:port', 'x-default': 'this one' }),
  token: z
    .string()
    .regex(/^[\x21-\x7e]+$/)
    .optional()
    .describe('The token for that relay; its role `operate` is needed for `bootstrap`.')
    .meta({ 'x-secret': true, 'x-allowed': 'letters, digits and punctuation of ASCII', 'x-default': 'none' }),
  order: z
    .enum(['key', 'transaction'])
    .default('key')
    .describe(
      'key: in order per key, several lanes at a time; transaction: each transaction of the source whole and in commit order, one after the other, as a replica has them.',
    ),
  parallel: z.int().min(1).max(64).default(4).describe('Lanes that write at the same time, with `order: key`.'),
  batch: batch.prefault({}).describe('How rows are put together.'),
  onRowError: z
    .enum(['park', 'stop'])
    .default('park')
    .describe(
      'What happens to a row that the store refuses. park: it and all later changes of its key are set aside as dead letters, everything else flows; stop: the sink stops.',
    ),
  parkedMax: z.int().min(0).max(10_000_000).default(10_000).describe('With more dead letters the sink stops.'),
  bootstrap: z
    .enum(['auto', 'never', 'always'])
    .default('auto')
    .describe(
      'Whether the rows that exist already come first. auto: for a new sink, and when what it would read next is no longer kept; always: each time it starts; never: it begins at `from`.',
    ),
  // An SCN is a number to whoever writes one.
  from: z
    .union([z.string(), z.int().min(0)])
    .refine((place) => parseStartAt(String(place)) !== null, { error: 'is no place in a stream' })
    .prefault('earliest')
    .transform(String)
    .describe('Where a new sink begins that has no `bootstrap`.')
    .meta({ 'x-allowed': 'earliest, latest, an SCN, or a time with its zone such as 2026-11-20T09:00:00Z' }),
  retry: retry
    .prefault({})
    .describe('Pauses between attempts while the store, or the `relay`, fails in a way that may pass.'),
};
