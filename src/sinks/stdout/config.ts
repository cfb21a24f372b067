import { z } from 'zod';
import { SINK_LINE_FORMATS } from '../../formats/sink-lines.ts';

/** What a configuration file may say of a sink that prints. */
export const stdoutSinkConfigSchema: z.ZodObject = z.strictObject({
  lines: z
    .enum(SINK_LINE_FORMATS)
    .default('json')
    .describe('What a line is: the change in one of the formats of `tidings tail`, or the row as it stands (`rows`).'),
  metaPrefix: z
    .string()
    .regex(/^\w+$/)
    .default('_')
    .describe('With `rows`: with what the names of the added members begin.'),
});
