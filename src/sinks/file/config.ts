import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { SINK_LINE_FORMATS, type SinkLineFormat } from '../../formats/sink-lines.ts';
import { PathTemplate } from './path-template.ts';

/** Options of a file sink. Everything but `path` may be left out. */
export interface FileSinkOptions {
  /** The directory, made when it is missing. Its `_tidings` holds the manifest and the files that are not complete. */
  readonly path: string;
  /** @default 'ndjson' */
  readonly format?: 'ndjson' | 'avro' | 'parquet' | undefined;
  /** What a line of NDJSON is: the row as it stands, or the change in one of the formats of changes. @default 'rows' */
  readonly lines?: SinkLineFormat | undefined;
  /** NDJSON: none, gzip, zstd; Avro: none, deflate, zstd; Parquet: none, snappy, gzip, zstd. @default none; of Parquet snappy */
  readonly compression?: 'none' | 'gzip' | 'zstd' | 'deflate' | 'snappy' | undefined;
  /** The folders below `path`, with `{database}`, `{table}`, `{date}`, `{hour}`; empty: all in `path`. @default '{database}/{table}' */
  readonly partition?: string | undefined;
  /** When a file is completed. */
  readonly rotate?: { readonly bytes?: number | undefined; readonly afterMs?: number | undefined } | undefined;
  /** Beyond so many the one that got no rows for the longest time is completed. @default 200 */
  readonly openFilesMax?: number | undefined;
  /** Avro and Parquet: rows with dates that no calendar has are refused, or all columns of dates are text. @default 'refuse' */
  readonly zeroDates?: 'refuse' | 'text' | undefined;
  /** With what the names of the added columns begin. @default '_' */
  readonly metaPrefix?: string | undefined;
}

const shape = z.strictObject({
  path: z.string().min(1).describe('The directory; it is made when it is missing.'),
  format: z.enum(['ndjson', 'avro', 'parquet']).default('ndjson').describe('What the files are.'),
  lines: z
    .enum(SINK_LINE_FORMATS)
    .default('rows')
    .describe('What a line of NDJSON is: the row as it stands, or the change in one of the formats of `tidings tail`.'),
  compression: z
    .enum(['none', 'gzip', 'zstd', 'deflate', 'snappy'])
    .optional()
    .describe(
      'NDJSON: `none`, `gzip`, `zstd`. Avro: `none`, `deflate`, `zstd`. Parquet: `none`, `snappy`, `gzip`, `zstd`.',
    )
    .meta({ 'x-default': '`snappy` for Parquet, else `none`' }),
  partition: z
    .string()
    .default('{database}/{table}')
    .superRefine((text, context) => {
      try {
        void new PathTemplate(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'cannot be used' });
      }
    })
    .describe(
      'The folders below `path`, with `{database}`, `{table}`, and of the commit in UTC `{date}` (`2026-11-20`) and `{hour}` (`09`). Empty: all files in `path`.',
    ),
  rotate: z
    .strictObject({
      bytes: z
        .int()
        .min(1024)
        .default(128 * 1024 * 1024)
        .describe('A file with so many bytes is completed. Of Parquet: before they are encoded.')
        .meta({ 'x-unit': 'bytes' }),
      afterMs: z
        .int()
        .min(100)
        .max(7 * 86_400_000)
        .default(600_000)
        .describe('A file is completed so long after its first row.')
        .meta({ 'x-unit': 'milliseconds' }),
    })
    .prefault({})
    .describe('When a file is completed and gets its name.')
    .meta({ 'x-name': 'FileRotationConfig' }),
  openFilesMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe('Beyond so many the one that got no rows for the longest time is completed.'),
  zeroDates: z
    .enum(['refuse', 'text'])
    .default('refuse')
    .describe('Avro and Parquet: `refuse` rows with dates that no calendar has, or make all columns of dates `text`.'),
  metaPrefix: z.string().regex(/^\w+$/).default('_').describe('With what the names of the added columns begin.'),
});

/** What a configuration file may say of a file sink. The `x-` notes are explained in `config/schema-model.ts`. */
export const fileSinkConfigSchema: z.ZodObject = shape;

export interface FileSinkSettings {
  readonly path: string;
  readonly files: FileKind;
  readonly lines: SinkLineFormat;
  readonly partition: string;
  readonly rotate: { readonly bytes: number; readonly afterMs: number };
  readonly openFilesMax: number;
  readonly zeroDates: 'refuse' | 'text';
  readonly metaPrefix: string;
}

/** What the files are, with what goes together only. */
export type FileKind =
  | { readonly format: 'ndjson'; readonly compression: 'none' | 'gzip' | 'zstd' }
  | { readonly format: 'avro'; readonly compression: 'none' | 'deflate' | 'zstd' }
  | { readonly format: 'parquet'; readonly compression: 'none' | 'snappy' | 'gzip' | 'zstd' };

/** @throws TidingsError CONFIG_INVALID listing everything that is wrong */
export function parseFileSinkOptions(options: FileSinkOptions): FileSinkSettings {
  const result = shape.safeParse(options);
  if (!result.success) {
    throw wrong(result.error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`));
  }
  const { compression, format, ...settings } = result.data;
  const { lines, partition } = settings;
  const problems: string[] = [];
  if (format !== 'ndjson' && lines !== 'rows') problems.push(`lines: ${lines} takes the format ndjson`);
  if (format !== 'ndjson' && !new PathTemplate(partition).hasTable) {
    problems.push(`partition: files of the format ${format} hold one table each, so {table} must be in it`);
  }
  const files = fileKind(format, compression);
  if (files === null) problems.push(`compression: ${compression} does not go with the format ${format}`);
  if (files === null || problems.length > 0) throw wrong(problems);
  return { ...settings, files };
}

function fileKind(
  format: 'ndjson' | 'avro' | 'parquet',
  compression: 'none' | 'gzip' | 'zstd' | 'deflate' | 'snappy' | undefined,
): FileKind | null {
  switch (format) {
    case 'ndjson':
      return compression === 'deflate' || compression === 'snappy'
        ? null
        : { format, compression: compression ?? 'none' };
    case 'avro':
      return compression === 'gzip' || compression === 'snappy' ? null : { format, compression: compression ?? 'none' };
    case 'parquet':
      return compression === 'deflate' ? null : { format, compression: compression ?? 'snappy' };
  }
}

function wrong(problems: readonly string[]): TidingsError {
  return new TidingsError('CONFIG_INVALID', `the options of the file sink are wrong: ${problems.join('; ')}`);
}
