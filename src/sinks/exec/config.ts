import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { SINK_LINE_FORMATS, type SinkLineFormat } from '../../formats/sink-lines.ts';

/** Options of an exec sink. Everything but `command` may be left out. */
export interface ExecSinkOptions {
  /** For the shell. One process of it runs for each lane. */
  readonly command: string;
  /** What a line is: the change in one of its formats, or the row as it stands. @default 'json' */
  readonly lines?: SinkLineFormat | undefined;
  /** How long a command may take to finish once it was told to stop, and again after SIGTERM. @default 10000 */
  readonly graceMs?: number | undefined;
  /** With `rows`: with what the names of the added members begin. @default '_' */
  readonly metaPrefix?: string | undefined;
}

export interface ExecSinkSettings {
  readonly command: string;
  readonly lines: SinkLineFormat;
  readonly graceMs: number;
  readonly metaPrefix: string;
}

/** What a configuration file may say of an exec sink. The `x-` notes are explained in `config/schema-model.ts`. */
export const execSinkConfigSchema: z.ZodObject = z.strictObject({
  command: z
    .string()
    .min(1)
    .describe('For the shell. One process of it runs for each lane.')
    // It may hold a token for whatever it calls.
    .meta({ 'x-secret': true }),
  lines: z
    .enum(SINK_LINE_FORMATS)
    .default('json')
    .describe('What a line is: the change in one of the formats of `tidings tail`, or the row as it stands (`rows`).'),
  graceMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(10_000)
    .describe('How long a command may take to finish once it was told to stop, and again after SIGTERM.')
    .meta({ 'x-unit': 'milliseconds' }),
  metaPrefix: z
    .string()
    .regex(/^\w+$/)
    .default('_')
    .describe('With `rows`: with what the names of the added members begin.'),
});

/** @throws TidingsError CONFIG_INVALID listing everything that is wrong */
export function parseExecSinkOptions(options: ExecSinkOptions): ExecSinkSettings {
  const result = execSinkConfigSchema.safeParse(options);
  if (result.success) return result.data as unknown as ExecSinkSettings;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`);
  throw new TidingsError('CONFIG_INVALID', `the options of the exec sink are wrong: ${problems.join('; ')}`);
}
