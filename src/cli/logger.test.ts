import { expect, test } from 'vitest';
import { TidingsError } from '../core/errors.ts';
import { createLogger, type LoggerOptions } from './logger.ts';
import { createRedact } from './redact.ts';

function logs(options: Partial<LoggerOptions> = {}): { log: ReturnType<typeof createLogger>; text: () => string } {
  let text = '';
  const log = createLogger({
    write: (line) => void (text += line),
    level: 'info',
    human: false,
    redact: createRedact(['hunter2']),
    now: () => new Date('2026-11-20T09:15:02.123Z'),
    ...options,
  });
  return { log, text: () => text };
}

test('a line is one JSON object with the fields of its logger', () => {
  const { log, text } = logs();
  log.child({ source: 'mysql' }).warn({ position: { toString: () => 'f:4' }, bytes: 12n, list: [1] }, 'reconnecting');
  expect(text()).toBe(
    '{"time":"2026-11-20T09:15:02.123Z","level":"warn","message":"reconnecting","source":"mysql","position":"f:4","bytes":"12","list":[1]}\n',
  );
});

test('a line for a person is one line, whatever it contains', () => {
  const { log, text } = logs({ human: true });
  log.info({ table: 'a\n\u001b[31mb', n: 5 }, 'connected');
  expect(text()).toBe('09:15:02.123 info  connected table=a\\n\\u{1b}[31mb n=5\n');
});

test('levels below the chosen one say nothing', () => {
  const { log, text } = logs({ level: 'warn' });
  log.debug({}, 'a');
  log.info({}, 'b');
  log.warn({}, 'c');
  log.error({}, 'd');
  expect(text().match(/"message":"."/g)).toEqual(['"message":"c"', '"message":"d"']);
});

test('errors show code and message, and their stack only at debug', () => {
  const error = new TidingsError('BINLOG_CORRUPT', 'broken');
  const { log, text } = logs();
  log.error({ error }, 'x');
  expect(text()).toContain('"error":{"code":"BINLOG_CORRUPT","message":"broken"}');
  const debug = logs({ level: 'debug' });
  debug.log.error({ error }, 'x');
  expect(debug.text()).toContain('"stack":');
});

test('secrets are taken out of messages and fields', () => {
  const { log, text } = logs();
  log.info({ url: 'mysql://root:other@h', error: new Error('hunter2 was refused') }, 'hunter2');
  expect(text()).not.toMatch(/hunter2|other/);
});
