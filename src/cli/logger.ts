import { isTidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Position } from '../core/position.ts';
import type { Redact } from './redact.ts';
import { terminalSafe } from './terminal-text.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof LEVELS)[number];

export const LOG_LEVEL_NAMES: readonly string[] = LEVELS;

export function isLogLevel(name: string): name is LogLevel {
  return LOG_LEVEL_NAMES.includes(name);
}

export interface LoggerOptions {
  /** Takes one line, its line end included. */
  readonly write: (text: string) => void;
  readonly level: LogLevel;
  /** Lines for a person, else one JSON object per line. */
  readonly human: boolean;
  readonly redact: Redact;
  readonly now?: () => Date;
}

/** The command's own log. Every line passes through `redact`, whoever wrote it. */
export function createLogger(options: LoggerOptions, bound: object = {}): Logger {
  const { write, level, human, redact, now = () => new Date() } = options;
  const log = (lineLevel: LogLevel, fields: object, message: string): void => {
    if (LEVELS.indexOf(lineLevel) < LEVELS.indexOf(level)) return;
    const all = plain({ ...bound, ...fields }, level === 'debug');
    const line = human
      ? humanLine(now(), lineLevel, { message, fields: all })
      : JSON.stringify({ time: now().toISOString(), level: lineLevel, message, ...all });
    write(`${redact(line)}\n`);
  };
  return {
    debug: (fields, message) => log('debug', fields, message),
    info: (fields, message) => log('info', fields, message),
    warn: (fields, message) => log('warn', fields, message),
    error: (fields, message) => log('error', fields, message),
    child: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

function humanLine(
  time: Date,
  level: LogLevel,
  { message, fields }: { message: string; fields: Readonly<Record<string, unknown>> },
): string {
  const details = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return terminalSafe(`${time.toISOString().slice(11, 23)} ${level.padEnd(5)} ${message}${details.join('')}`);
}

/** Field values as JSON can write them. Errors become their code and message; stacks are for `debug` only. */
function plain(fields: object, stacks: boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plainValue(value, stacks)]));
}

function plainValue(value: unknown, stacks: boolean): unknown {
  if (value instanceof Error) {
    return {
      ...(isTidingsError(value) ? { code: value.code } : { name: value.name }),
      message: value.message,
      ...(stacks ? { stack: value.stack } : {}),
    };
  }
  if (typeof value === 'bigint') return String(value);
  // Positions and the like: their text is what they stand for.
  if (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    value.toString !== Object.prototype.toString
  ) {
    return (value as Position).toString();
  }
  return value;
}
