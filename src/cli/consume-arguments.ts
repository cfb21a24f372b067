import type { ChangeKind } from '../core/change.ts';
import type { StreamOptions } from '../core/consumer.ts';
import { type CommandArguments, type OptionSpec, usageError } from './arguments.ts';
import { firstOutside, parseColumns, parsePatterns } from './source-arguments.ts';

const OPS: readonly ChangeKind[] = ['insert', 'update', 'delete', 'upsert'];

export const TABLES_OPTION: OptionSpec = {
  name: 'tables',
  value: '<patterns>',
  repeatable: true,
  description: 'Only these tables: a comma-separated list of shop.orders, shop.*, or /regular expression/.',
};

/** What of a stream is wanted. The relay sends nothing else. */
export const FILTER_OPTIONS: readonly OptionSpec[] = [
  TABLES_OPTION,
  { name: 'ops', value: '<list>', repeatable: true, description: `Only these operations: ${OPS.join(', ')}.` },
  {
    name: 'columns',
    value: '<table=columns>',
    repeatable: true,
    description:
      "Only these columns of a table, and its key: 'shop.orders=id,total'. Repeat it, or separate tables with ;.",
  },
  {
    name: 'where',
    value: '<table:condition>',
    repeatable: true,
    description:
      'Only rows that fulfil a condition: "shop.orders: status = \'paid\' and total >= 100". Repeat it for more tables.',
  },
];

type Filter = Pick<StreamOptions, 'tables' | 'ops' | 'columns' | 'where'>;

export function parseFilterOptions(args: CommandArguments): Filter {
  const tables = parsePatterns(args, 'tables');
  const ops = parseOps(args);
  const columns = parseColumns(args);
  const where = parseWhere(args);
  return {
    ...(tables === undefined ? {} : { tables }),
    ...(ops === undefined ? {} : { ops }),
    ...(columns === undefined ? {} : { columns }),
    ...(where === undefined ? {} : { where }),
  };
}

function parseOps(args: CommandArguments): readonly ChangeKind[] | undefined {
  return parsePatterns(args, 'ops')?.map((name) => {
    const op = OPS.find((known) => known === name);
    if (op === undefined) throw usageError(`--ops: there is no operation "${name}"`, `Use some of: ${OPS.join(', ')}.`);
    return op;
  });
}

function parseWhere(args: CommandArguments): Readonly<Record<string, string>> | undefined {
  if (!args.has('where')) return undefined;
  const conditions = new Map<string, string>();
  for (const text of args.all('where')) {
    const at = firstOutside(text, ':');
    const [pattern, condition] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    if (pattern === '' || condition === '') {
      throw usageError(
        `--where "${text}" is not of the form table: condition`,
        'For example: --where "shop.orders: status = \'paid\'"',
      );
    }
    if (conditions.has(pattern)) throw usageError(`--where has two conditions for ${pattern}`, 'Join them with and.');
    conditions.set(pattern, condition);
  }
  return Object.fromEntries(conditions);
}
