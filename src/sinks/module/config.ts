import { z } from 'zod';

/** What a configuration file may say of a sink that is a module of the user's own. */
export const moduleSinkConfigSchema: z.ZodObject = z.strictObject({
  module: z
    .string()
    .min(1)
    .describe(
      'The module, relative to the configuration file: its default export is a function that is given `settings` and returns a sink. `type: ./my-sink.ts` says the same in short.',
    ),
  takesPatches: z
    .boolean()
    .default(false)
    .describe(
      'Whether the sink can change parts of documents (`patches` of a row). Mappings that need it are refused otherwise.',
    ),
  settings: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('What the function is given: any keys and values. What references put in is hidden in logs and errors.')
    .meta({ 'x-default': 'an empty map', 'x-secret': true }),
});
