import { z } from 'zod';
import { isTidingsError } from '../core/errors.ts';
import { parseTablePattern } from '../core/table-pattern.ts';
import { parseWhere } from '../formats/log/where-parser.ts';
import { choice } from './choice.ts';
import { parseCastType } from './expression/cast-type.ts';
import { checkCalls } from './expression/compile.ts';
import { parseExpression } from './expression/parser.ts';
import type { MappingConfig } from './mapping-config.ts';
import { compileNamePattern, compileRename, NAME_CASES, type RenameConfig } from './naming.ts';
import { parseRules } from './rules.ts';
import { parseTargetPath } from './target-path.ts';
import { parseTargetName } from './template.ts';

/**
 * What the configuration of a sink may say of its mapping: keys, types, limits, defaults and descriptions. Its `shape` can stand among a sink's other keys, and `refineMapping` beside it. What
 * can be found wrong without the tables is: expressions, templates, patterns, types, keys that contradict each other, all with their paths.
 *
 * @param targetOptions what the sink takes for each of its targets
 */
export function mappingSchema(
  targetOptions: z.ZodType = z.record(z.string(), z.unknown()),
): z.ZodType<MappingConfig> & {
  readonly shape: z.core.$ZodLooseShape;
} {
  const common = commonShape(targetOptions);
  const levelRename = z
    .strictObject({
      databases: rename.optional().describe('Of databases.'),
      tables: rename.optional().describe('Of tables.'),
      columns: rename.optional().describe('Of columns that are passed on.'),
    })
    .meta({ 'x-name': 'MappingRenameConfig' })
    .optional()
    .describe(
      'How names change: a case (camel, pascal, snake, lower, upper), or a map from names or /patterns/ to names.',
    )
    .meta({ 'x-default': 'names stay' });
  const defaults = z.strictObject({ ...common, rename: levelRename }).meta({ 'x-name': 'MappingDefaultsConfig' });
  const schema = z.strictObject({
    ...common,
    rename: levelRename,
    databases: z
      .record(z.string().min(1), defaults)
      .optional()
      .describe('What holds for the tables of a database, by its name.')
      .meta({ 'x-key': 'database', 'x-default': 'nothing else' }),
    tables: z
      .record(
        z.string().superRefine(checked(parseTablePattern)).meta({ 'x-allowed': 'a table pattern' }),
        tableSchema(common),
      )
      .optional()
      .describe(
        'What becomes of the rows, by table pattern; the first that matches a table counts. A rule, a list of rules (the row goes to several targets), or skip.',
      )
      .meta({ 'x-key': 'pattern', 'x-default': 'every table as it is' }),
    hooks: z
      .string()
      .min(1)
      .optional()
      .describe('A module with hooks in TypeScript or JavaScript, relative to the configuration file.')
      .meta({ 'x-default': 'none' }),
    hookTimeout: z
      .int()
      .min(1)
      .max(3_600_000)
      .default(30_000)
      .describe('A hook that has not answered by then has failed for the row.')
      .meta({ 'x-unit': 'duration' }),
  });
  return schema.superRefine(refineMapping) as unknown as ReturnType<typeof mappingSchema>;
}

/** What contradicts itself in a mapping: to be asked for by a schema that has taken over the mapping's keys among its own. */
export function refineMapping(mapping: unknown, context: z.RefinementCtx): void {
  for (const { path, message } of parseRules(mapping as MappingConfig).mistakes) {
    context.addIssue({ code: 'custom', path: [...path], message });
  }
}

function tableSchema(common: CommonShape): z.ZodType {
  const rule = ruleSchema(common);
  return choice(
    {
      text: z.literal('skip'),
      nothing: z.null().transform(() => ({})),
      map: rule,
      list: z.array(rule).min(1).max(100),
    },
    'a rule, a list of rules, or skip',
  );
}

function ruleSchema(common: CommonShape): z.ZodType {
  return z
    .strictObject({
      ...common,
      where: z
        .string()
        .superRefine(checked(parseWhere))
        .optional()
        .describe(
          'Rows that do not satisfy the condition are not in the target: docs/reference/filters.md has its grammar.',
        )
        .meta({ 'x-default': 'all rows' }),
      columns: z
        .record(targetPath, column)
        .optional()
        .describe(
          'Columns of the target by name, or by place in a document (`address.city`, `items[].sku`): the name of a source column, or from, value or expr with what is done to it.',
        )
        .meta({ 'x-key': 'target', 'x-default': 'those of the source' }),
      include: z
        .array(namePattern)
        .optional()
        .describe('Columns of the source that are passed on besides. []: only what `columns` names.')
        .meta({ 'x-default': 'all' }),
      rename: rename
        .optional()
        .describe('How the names of columns that are passed on change.')
        .meta({ 'x-default': 'names stay' }),
      key: choice(
        { list: z.array(z.string().min(1)).min(1).max(16), map: z.record(targetPath, column) },
        'a list of columns of the target, or a map of columns as under columns',
      )
        .optional()
        .describe("The target's key: names of its columns, or columns that are made for it.")
        .meta({ 'x-default': "the columns that the source's key has become" }),
      merge: z
        .enum(['any', 'disjoint'])
        .optional()
        .describe(
          'Rows of several tables go to this target. disjoint: never with the same key; any: perhaps, so they are written one after the other.',
        )
        .meta({ 'x-default': 'a second table is a mistake' }),
      into: targetPath
        .optional()
        .describe('The list in the document of another table that the row is an element of: `items[]`.')
        .meta({ 'x-default': 'the row is one of its own' }),
      elementKey: z
        .array(z.string().min(1))
        .min(1)
        .max(16)
        .optional()
        .describe('With `into`: the members that tell an element from the others.')
        .meta({ 'x-default': "those of the table's key that are not in the target's" }),
    })
    .meta({ 'x-name': 'MappingRuleConfig' });
}

type CommonShape = ReturnType<typeof commonShape>;

function commonShape(targetOptions: z.ZodType) {
  return {
    to: z
      .string()
      .min(1)
      .superRefine(checked(parseTargetName))
      .optional()
      .describe(
        "The target's name, with values in braces: `{database}.{table}`, `orders-{region}`, `{lower(table())}`.",
      )
      .meta({ 'x-default': '{database}.{table}' }),
    exclude: z
      .array(namePattern)
      .optional()
      .describe(
        'Columns that are not passed on: names, `secret_*` or /patterns/. Those of sink, database and rule add up.',
      )
      .meta({ 'x-default': 'none' }),
    delete: choice({ text: z.enum(['delete', 'ignore']), map: softDelete }, 'delete, ignore, or soft with columns')
      .optional()
      .describe(
        'What becomes of a row that is no more: deleted at the source, out of the condition, moved to another key or target. soft: it gets these values.',
      )
      .meta({ 'x-default': 'delete' }),
    nulls: z
      .enum(['keep', 'omit'])
      .optional()
      .describe('Whether members that are NULL are in nested documents.')
      .meta({ 'x-default': 'keep' }),
    missing: z
      .enum(['leave', 'fail'])
      .optional()
      .describe('What happens to columns that the source did not log: they are left as they are, or the row fails.')
      .meta({ 'x-default': 'leave' }),
    truncate: z
      .enum(['empty', 'ignore'])
      .optional()
      .describe('What a truncation of the table does to the target.')
      .meta({ 'x-default': 'empty, where only this table has rows there; otherwise the sink stops' }),
    options: targetOptions.optional().describe("The sink's own options for the target.").meta({ 'x-default': 'none' }),
  };
}

/** Runs a parser for what it throws; its message and hint name the place. */
function checked(parse: (text: string) => unknown): (text: string, context: z.RefinementCtx) => void {
  return (text, context) => {
    try {
      parse(text);
    } catch (error) {
      if (!isTidingsError(error)) throw error;
      context.addIssue({ code: 'custom', message: `${error.message}. ${error.hint}` });
    }
  };
}

const namePattern = z.string().min(1).superRefine(checked(compileNamePattern));
const targetPath = z
  .string()
  .min(1)
  .superRefine(checked(parseTargetPath))
  .meta({ 'x-allowed': 'a column, or a place such as a.b or items[].sku' });

const nameCase = z.enum(NAME_CASES);
const replacements = z.record(
  z
    .string()
    .min(1)
    .superRefine(checked((from) => compileRename({ [from]: '' }))),
  z.string(),
);
const rename = choice<RenameConfig>(
  {
    text: nameCase,
    map: replacements,
    list: z.array(choice({ text: nameCase, map: replacements }, `${NAME_CASES.join(', ')}, or a map of names`)),
  },
  `${NAME_CASES.join(', ')}, a map of names or /patterns/, or a list of these`,
);

const constant = { text: z.string(), number: z.number(), boolean: z.boolean(), nothing: z.null() };
const expression = z.string().superRefine(
  checked((text) => {
    checkCalls(parseExpression(text));
  }),
);
const value = choice(
  { ...constant, map: z.strictObject({ expr: expression }).meta({ 'x-name': 'MappingExpressionConfig' }) },
  'text, a number, true, false, null or { expr: … }',
);

const softDelete = z
  .strictObject({
    soft: z.record(z.string().min(1), value).describe('Columns and their values.').meta({ 'x-key': 'column' }),
  })
  .meta({ 'x-name': 'MappingSoftDeleteConfig' });

const secret = z
  .unknown()
  .refine((text) => typeof text === 'string' && text !== '', { error: 'is no text' })
  .meta({ type: 'string', 'x-secret': true });

/** Whoever takes it for the place of the key must not find it in a message. */
const hashName = z
  .string()
  .refine((name) => name === 'sha256', { error: 'is no hash; allowed: sha256, or a map with key' });

const columnSpec = z
  .strictObject({
    from: z
      .string()
      .min(1)
      .optional()
      .describe('A column of the source.')
      .meta({ 'x-default': "the target's own name" }),
    value: z.unknown().optional().describe('A constant; a list or a map is a document.'),
    expr: expression.optional().describe('An expression: docs/mapping.md has the grammar.'),
    cast: z
      .string()
      .superRefine(checked(parseCastType))
      .optional()
      .describe('The type: `decimal(10,2)`. A value that does not fit exactly is an error of the row.'),
    truncate: z.int().min(1).max(16_383).optional().describe('At most so many characters, or bytes.'),
    mask: choice(
      {
        text: z.literal('all'),
        map: z.strictObject({
          start: z.int().min(0).max(1000).optional().describe('So many characters stay at the beginning.'),
          end: z.int().min(0).max(1000).optional().describe('So many stay at the end.'),
          with: z.string().min(1).max(1).optional().describe('What stands for each of the others.'),
        }),
      },
      'all, or a map with start, end and with',
    )
      .optional()
      .describe('Characters become stars.'),
    hash: choice(
      {
        text: hashName,
        map: z.strictObject({ key: secret.describe('Makes it a HMAC-SHA-256 with this key.') }),
      },
      'sha256, or a map with key',
    )
      .optional()
      .describe('The SHA-256 in hexadecimal digits.'),
    default: choice(constant, 'text, a number, true, false or null')
      .optional()
      .describe('Stands for NULL, and for a column that the table does not have.'),
  })
  .meta({ 'x-name': 'MappingColumnConfig' });

const column = choice(
  { text: z.string().min(1), map: columnSpec },
  'the name of a source column, or a map with from, value or expr',
);
