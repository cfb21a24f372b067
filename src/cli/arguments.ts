import { parseArgs } from 'node:util';
import { nearest } from '../base/nearest.ts';
import { TidingsError } from '../core/errors.ts';

export interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  /** What the option takes, as the help shows it; null for a switch. */
  readonly value: string | null;
  /** May be given several times. */
  readonly repeatable?: boolean;
  readonly description: string;
}

export interface PositionalSpec {
  readonly name: string;
  readonly description: string;
  readonly optional?: boolean;
}

export interface CommandSpec {
  /** One word, or two where a command has several actions: `checkpoint get`. */
  readonly name: string;
  readonly summary: string;
  /** The positional arguments. Only the last one may be left out, where it says so. */
  readonly positionals: readonly PositionalSpec[];
  readonly options: readonly OptionSpec[];
  /** Complete command lines, for the help. */
  readonly examples: readonly string[];
}

/** A command line that fits its specification. */
export interface CommandArguments {
  readonly positionals: readonly string[];
  /** The option's values in the order given; empty when it was not given. */
  all(name: string): readonly string[];
  one(name: string): string | undefined;
  has(name: string): boolean;
}

/** An argument or option that cannot be used: the message names it, the hint says what to write instead. */
export function usageError(message: string, hint: string): TidingsError {
  return new TidingsError('CONFIG_INVALID', message, { hint });
}

/**
 * Node's own parser splits the arguments; what fits and what does not is decided here, because its messages cannot name the
 * option that was probably meant, and stop at the option where ours know the command.
 */
export function parseCommandLine(args: readonly string[], spec: CommandSpec): CommandArguments {
  const see = `tidings ${spec.name} --help shows what there is.`;
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      spec.options.map((option) => [
        option.name,
        {
          type: option.value === null ? 'boolean' : 'string',
          ...(option.short === undefined ? {} : { short: option.short }),
        },
      ]),
    ),
  });
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const option = spec.options.find(({ name }) => name === token.name);
    if (option === undefined) throw usageError(`unknown option ${token.rawName}`, suggestion(token.name, spec) ?? see);
    const given = values.get(option.name) ?? [];
    if (given.length > 0 && option.repeatable !== true) {
      throw usageError(`${token.rawName} is given twice`, 'Give it once.');
    }
    given.push(valueOf(token, option));
    values.set(option.name, given);
  }
  if (!values.has('help')) checkPositionals(positionals, spec, { see });
  return {
    positionals,
    all: (name) => values.get(name) ?? [],
    one: (name) => values.get(name)?.[0],
    has: (name) => values.has(name),
  };
}

const LOOKS_LIKE_OPTION = /^--|^-[a-z]$/;

function valueOf(
  token: { rawName: string; value?: string | undefined; inlineValue?: boolean | undefined },
  option: OptionSpec,
): string {
  if (option.value === null) {
    if (token.value !== undefined) throw usageError(`${token.rawName} takes no value`, `Write ${token.rawName} alone.`);
    return '';
  }
  // `--from --until now`: the next option is not this one's value. A value that begins so can be given with `=`.
  if (
    token.value === undefined ||
    token.value === '' ||
    (token.inlineValue !== true && LOOKS_LIKE_OPTION.test(token.value))
  ) {
    throw usageError(`${token.rawName} needs a value`, `Write ${token.rawName} ${option.value}: ${option.description}`);
  }
  return token.value;
}

function checkPositionals(positionals: readonly string[], spec: CommandSpec, { see }: { see: string }): void {
  const missing = spec.positionals[positionals.length];
  if (missing !== undefined && missing.optional !== true) {
    throw usageError(`tidings ${spec.name} needs <${missing.name}>`, `For example: ${spec.examples[0]}`);
  }
  if (positionals.length > spec.positionals.length) {
    throw usageError(`tidings ${spec.name} was given an argument too many, number ${spec.positionals.length + 1}`, see);
  }
}

function suggestion(name: string, spec: CommandSpec): string | undefined {
  const near = nearest(
    name,
    spec.options.map((option) => option.name),
  );
  return near === undefined ? undefined : `Did you mean --${near}? tidings ${spec.name} --help shows all options.`;
}
