import { nearest } from '../base/nearest.ts';
import type { StreamOptions } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { ConnectOptions } from './connect.ts';

/** What an option may be. The compiler says it to those who have one; everybody else is told here, before anything is sent. */
interface OptionRule {
  /** In words, behind "it takes". */
  readonly takes: string;
  readonly fits: (value: unknown) => boolean;
  /** A text that does not fit is shown. Not where it may be a secret that was put in the wrong place (I10). @default false */
  readonly shown?: boolean;
}

type Rules<T> = Readonly<Record<keyof T & string, OptionRule>>;

/** What timers of Node can wait for. */
const WAIT_MAX_MS = 2 ** 31 - 1;
const SHOWN_CHARS = 60;
const LOG_METHODS = ['debug', 'info', 'warn', 'error', 'child'] as const;

const text: OptionRule = {
  takes: 'text that is not empty',
  fits: (value) => typeof value === 'string' && value !== '',
};
const toggle: OptionRule = { takes: 'true or false', fits: (value) => typeof value === 'boolean', shown: true };
const callback: OptionRule = { takes: 'a function', fits: (value) => typeof value === 'function' };
const wait: OptionRule = {
  takes: `milliseconds, a number from 1 to ${WAIT_MAX_MS}`,
  fits: (value) => typeof value === 'number' && value >= 1 && value <= WAIT_MAX_MS,
};
const texts: OptionRule = { takes: 'a list of texts', fits: isTexts };
const log: OptionRule = {
  takes: `an object with ${LOG_METHODS.join(', ')}`,
  fits: (value) => isObject(value) && LOG_METHODS.every((method) => typeof value[method] === 'function'),
};

const STREAM_OPTIONS: Rules<StreamOptions> = {
  group: text,
  member: text,
  tables: texts,
  ops: oneOfEach('insert', 'update', 'delete', 'upsert'),
  sessionTimeoutMs: wait,
  columns: {
    takes: "table patterns, each with a list of columns: { 'shop.orders': ['id', 'total'] }",
    fits: (value) => isMap(value) && Object.values(value).every((names) => isTexts(names) && names.length > 0),
  },
  where: {
    takes: `table patterns, each with a condition: { 'shop.orders': "status = 'paid'" }`,
    fits: (value) => isMap(value) && Object.values(value).every((condition) => text.fits(condition)),
  },
  from: {
    takes: 'earliest, latest, an SCN or a Date',
    shown: true,
    fits: (value) =>
      value === 'earliest' ||
      value === 'latest' ||
      (Number.isSafeInteger(value) && (value as number) >= 0) ||
      (value instanceof Date && !Number.isNaN(value.getTime())),
  },
  bootstrap: oneOf('never', 'auto', 'always'),
  checkpoints: {
    takes: 'a store with the methods load and save, such as fileCheckpoints(path)',
    fits: (value) => isObject(value) && typeof value['load'] === 'function' && typeof value['save'] === 'function',
  },
  commit: oneOf('manual', 'auto'),
  json: oneOf('parsed', 'text'),
  untilEnd: toggle,
  onAssigned: callback,
  onRevoked: callback,
  log,
  signal: {
    takes: 'an AbortSignal',
    fits: (value) =>
      isObject(value) && typeof value['aborted'] === 'boolean' && typeof value['addEventListener'] === 'function',
  },
};

const CONNECT_OPTIONS: Rules<ConnectOptions> = {
  // Whether a header can carry it is looked at where it is put into one.
  token: { takes: 'text', fits: (value) => typeof value === 'string' },
  tls: { takes: 'an object with ca, cert, key, servername or rejectUnauthorized', fits: isMap },
  log,
  requestTimeoutMs: wait,
  idleTimeoutMs: wait,
  reconnect: {
    takes: '{ delayMinMs, delayMaxMs }, milliseconds of which the second are not less than the first',
    fits: (value) => {
      if (!isMap(value)) return false;
      const { delayMinMs: least, delayMaxMs: most } = value;
      return (
        typeof least === 'number' && typeof most === 'number' && least >= 0 && most >= least && most <= WAIT_MAX_MS
      );
    },
  },
  verify: toggle,
};

/** @throws TidingsError CONFIG_INVALID naming the first option that is none, or cannot be what it is */
export function checkStreamOptions(options: unknown): void {
  check(options, { rules: STREAM_OPTIONS, whose: "a stream's" });
}

/** @throws TidingsError CONFIG_INVALID as above */
export function checkConnectOptions(options: unknown): void {
  check(options, { rules: CONNECT_OPTIONS, whose: "a client's" });
}

/** @throws TidingsError CONFIG_INVALID */
export function checkStreamName(name: unknown): void {
  if (!text.fits(name)) {
    throw new TidingsError('CONFIG_INVALID', `a stream's name is text that is not empty, not ${found(name)}`);
  }
}

/** What an own CheckpointStore has loaded. Drivers give large integers as text or bigint. @throws TidingsError CHECKPOINT_INVALID */
export function loadedScn(value: unknown): number | null {
  if (value === null || value === undefined) return null;
  const isDigits = typeof value === 'bigint' || (typeof value === 'string' && /^\d+$/.test(value));
  const scn = isDigits ? Number(value) : value;
  if (Number.isSafeInteger(scn) && (scn as number) >= 0) return scn as number;
  throw new TidingsError('CHECKPOINT_INVALID', `the checkpoint store has loaded ${found(value)}, which is no SCN`, {
    hint: '`load` resolves with the number that `save` was given last, or with null when there is none.',
  });
}

function check(
  options: unknown,
  { rules, whose }: { readonly rules: Readonly<Record<string, OptionRule>>; readonly whose: string },
): void {
  if (!isMap(options)) {
    throw new TidingsError('CONFIG_INVALID', `${whose} options are an object, not ${found(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) throw unknownOption(name, Object.keys(rules));
    if (rule.fits(value)) continue;
    throw new TidingsError(
      'CONFIG_INVALID',
      `the option \`${name}\` is ${found(value, rule)}: it takes ${rule.takes}`,
      {
        details: { option: name },
      },
    );
  }
}

function unknownOption(name: string, known: readonly string[]): TidingsError {
  const near = nearest(name, known);
  return new TidingsError('CONFIG_INVALID', `there is no option \`${name}\``, {
    hint: near === undefined ? `The options are: ${known.join(', ')}.` : `Did you mean \`${near}\`?`,
    details: { option: name },
  });
}

function oneOf(...values: readonly string[]): OptionRule {
  return { takes: values.join(' or '), fits: (value) => values.some((known) => known === value), shown: true };
}

function oneOfEach(...values: readonly string[]): OptionRule {
  return {
    takes: `a list of: ${values.join(', ')}`,
    fits: (value) => isTexts(value) && value.every((each) => values.includes(each)),
  };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => text.fits(each));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && !Array.isArray(value);
}

function found(value: unknown, { shown = false }: Partial<OptionRule> = {}): string {
  if (value === null) return 'null';
  if (value === '') return 'an empty text';
  if (typeof value === 'string') return shown ? JSON.stringify(value.slice(0, SHOWN_CHARS)) : 'a text';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list with something else in it';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'a Date without a time' : 'a Date';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
