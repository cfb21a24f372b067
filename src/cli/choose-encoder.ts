import type { Logger } from '../core/logger.ts';
import { escapeTerminalControls } from '../formats/json-text.ts';
import type { LineEncoder } from '../formats/line-encoder.ts';
import { createLineEncoder, isLineFormat, LINE_FORMAT_NAMES } from '../formats/line-formats.ts';
import { type OptionSpec, usageError } from './arguments.ts';
import { type CliContext, wantsColor } from './context.ts';
import { PrettyEncoder } from './pretty.ts';

export const FORMAT_OPTION: OptionSpec = {
  name: 'format',
  value: '<format>',
  description: `${LINE_FORMAT_NAMES.join(', ')}. Default: json; on a terminal, short lines for people.`,
};

export interface EncoderWorld {
  readonly context: CliContext;
  readonly log: Logger;
  /** Makes the encoder of `json` lines, which say more where they come through a relay. */
  readonly json: () => LineEncoder;
}

/** The encoder for what goes to stdout. @throws TidingsError CONFIG_INVALID for a format that there is not */
export function chooseEncoder(format: string | undefined, world: EncoderWorld): LineEncoder {
  const { stdout, env } = world.context;
  if (format === undefined && stdout.isTerminal) {
    return new PrettyEncoder({ width: () => stdout.columns ?? 80, color: wantsColor(true, env) });
  }
  const encoder = namedEncoder(format ?? 'json', world);
  if (!stdout.isTerminal) return encoder;
  // JSON documents are embedded as they are, and their strings may hold controls that a terminal acts on.
  return { encode: (part, emit) => encoder.encode(part, (line) => emit(escapeTerminalControls(line))) };
}

/** The encoder of a format, for a program to read. @throws TidingsError CONFIG_INVALID for a format that there is not */
export function namedEncoder(name: string, { context, log, json }: EncoderWorld): LineEncoder {
  if (!isLineFormat(name)) {
    throw usageError(`there is no format "${name}"`, `Use one of: ${LINE_FORMAT_NAMES.join(', ')}.`);
  }
  if (name === 'json') return json();
  return createLineEncoder(name, {
    warn: (fields, message) => log.warn(fields, message),
    version: context.version,
  });
}
