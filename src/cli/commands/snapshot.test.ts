import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiStub, stubProblem } from '../../../test/support/api-stub.ts';
import { MemoryOutput, testCli } from '../../../test/support/cli-context.ts';
import { TemporaryDirectory } from '../../../test/support/relay/temporary-directory.ts';
import { runCli } from '../run.ts';

const SNAPSHOTS = '/v1/streams/shop/snapshots';
const STREAM = ['--stream', 'shop'];

let relay: ApiStub;

beforeEach(async () => {
  relay = await ApiStub.start();
});

afterEach(() => relay[Symbol.asyncDispose]());

async function snapshot(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const cli = testCli();
  const [action = '', ...rest] = args;
  const code = await runCli(['snapshot', action, relay.url, ...rest], cli.context);
  return { code, out: cli.stdout.text, err: cli.stderr() };
}

const SUMMARY = {
  id: 3,
  state: 'running',
  reason: 'request',
  patterns: ['shop.orders', 'shop.lines'],
  where: 'id > 5',
  keyCount: null,
  group: null,
  truncate: false,
  limits: { parallel: null, rowsPerSecond: null, threadsRunning: null, hours: null },
  created: '2026-11-20T09:14:34.123Z',
  ended: null,
  error: null,
  rows: 1_250_000,
  estimate: 5_000_000,
  percent: 25,
  rowsPerSecond: 49_870,
  secondsLeft: 76,
  waitsFor: null,
  waitsBecause: null,
  tableCount: 2,
  tablesLeft: 1,
};
const failure = { code: 'SNAPSHOT_KEY_MISSING', message: 'shop.lines has no key', hint: 'Give it one.' };
const DETAILS = {
  ...SUMMARY,
  tables: [
    { database: 'shop', table: 'lines', state: 'failed', rows: 0, estimate: 10, error: failure },
    { database: 'shop', table: 'orders', state: 'reading', rows: 1_250_000, estimate: 4_999_990, error: null },
  ],
};
const DONE = {
  ...DETAILS,
  state: 'done',
  percent: 100,
  rowsPerSecond: null,
  secondsLeft: null,
  tables: DETAILS.tables.slice(1).map((table) => ({ ...table, state: 'done' })),
};

describe('tidings snapshot list', () => {
  test('prints a line for each, and what is wrong below', async () => {
    const waiting = {
      ...SUMMARY,
      id: 12,
      patterns: null,
      where: null,
      reason: 'gap',
      truncate: true,
      rows: 0,
      estimate: null,
      percent: null,
      rowsPerSecond: null,
      secondsLeft: null,
      waitsFor: 'source',
    };
    const because = 'db2:3306 is 37 s behind; db3:3306: it is no replica';
    const lagging = { ...SUMMARY, id: 11, where: null, waitsFor: 'replica', waitsBecause: because };
    const error = { code: 'SNAPSHOT_CONDITION_INVALID', message: 'the condition is wrong', hint: 'Write another.' };
    const bootstrap = { ...waiting, id: 13, reason: 'bootstrap', group: 'search', truncate: false };
    const failed = { ...waiting, id: 2, state: 'failed', waitsFor: null, error };
    relay.answer(`GET ${SNAPSHOTS}`, { body: [failed, SUMMARY, lagging, waiting, bootstrap] });
    const { code, out } = await snapshot('list', ...STREAM);
    expect(code).toBe(0);
    expect(out)
      .toBe(`SNAPSHOT  STATE           WHAT                                       ROWS    DONE  ROWS/S  LEFT  CREATED
       2  failed          all tables (gap, truncate)                    0       -       -     -  2026-11-20T09:14:34Z
       3  running         shop.orders,shop.lines (where)        1 250 000  25.0 %  49 870  76 s  2026-11-20T09:14:34Z
      11  waits: replica  shop.orders,shop.lines                1 250 000  25.0 %  49 870  76 s  2026-11-20T09:14:34Z
      12  waits: source   all tables (gap, truncate)                    0       -       -     -  2026-11-20T09:14:34Z
      13  waits: source   all tables (bootstrap, group search)          0       -       -     -  2026-11-20T09:14:34Z
snapshot 2: SNAPSHOT_CONDITION_INVALID: the condition is wrong
  Write another.
snapshot 11 waits: db2:3306 is 37 s behind; db3:3306: it is no replica
`);
  });

  test('--json prints all that the relay says', async () => {
    relay.answer(`GET ${SNAPSHOTS}`, { body: [{ ...SUMMARY, more: 1 }] });
    expect(JSON.parse((await snapshot('list', ...STREAM, '--json')).out)).toEqual([{ ...SUMMARY, more: 1 }]);
  });
});

describe('tidings snapshot show', () => {
  test('prints the tables, and what is wrong with them', async () => {
    relay.answer(`GET ${SNAPSHOTS}/3`, { body: DETAILS });
    const { code, out } = await snapshot('show', '3', ...STREAM);
    expect(code).toBe(0);
    expect(out).toContain(`
TABLE        STATE         ROWS  ESTIMATED
shop.lines   failed           0         10
shop.orders  reading  1 250 000  4 999 990
shop.lines: SNAPSHOT_KEY_MISSING: shop.lines has no key
  Give it one.
`);
  });

  test('a name from the source never reaches the terminal as a command to it', async () => {
    const [table] = DETAILS.tables;
    const evil = { ...table, table: 'a\u001b[2Jb', error: { ...failure, message: 'x\u001b[2J' } };
    relay.answer(`GET ${SNAPSHOTS}/3`, { body: { ...DETAILS, tables: [evil] } });
    expect((await snapshot('show', '3', ...STREAM)).out).not.toContain('\u001b');
  });
});

describe('tidings snapshot start', () => {
  test.each([
    [[], {}],
    [['--tables', 'shop.orders,`a,b`.*', '--tables', 'crm.*'], { tables: ['shop.orders', '`a,b`.*', 'crm.*'] }],
    [['--where', "status = 'new'"], { where: "status = 'new'" }],
    [['--truncate'], { truncate: true }],
    [
      ['--parallel', '4', '--rows-per-second', '20000', '--threads-running', '16', '--hours', '22:00-05:30'],
      { limits: { parallel: 4, rowsPerSecond: 20_000, threadsRunning: 16, hours: '22:00-05:30' } },
    ],
    [['--replica-lag-seconds', '30'], { limits: { replicaLagSeconds: 30 } }],
  ])('asks for what the options say: %j', async (args, body) => {
    relay.answer(`POST ${SNAPSHOTS}`, { status: 201, body: DETAILS });
    const { code, out, err } = await snapshot('start', ...STREAM, ...args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('3  running');
    expect(relay.asked).toEqual([{ request: `POST ${SNAPSHOTS}`, body }]);
  });

  test.each([
    [['--parallel', '0'], '--parallel "0" cannot be used', 'Give a whole number from 1 to 16.'],
    [['--parallel', '17'], '--parallel "17" cannot be used', 'from 1 to 16'],
    [['--parallel', 'many'], '--parallel "many" cannot be used', 'from 1 to 16'],
    [['--rows-per-second', '0'], '--rows-per-second "0" cannot be used', 'from 1 to 1000000000'],
    [['--rows-per-second', '1.5'], '--rows-per-second "1.5" cannot be used', 'from 1 to 1000000000'],
    [['--threads-running=-1'], '--threads-running "-1" cannot be used', 'from 1 to 100000'],
    [['--replica-lag-seconds', '0'], '--replica-lag-seconds "0" cannot be used', 'from 1 to 1000000'],
    [['--hours', 'at night'], '--hours "at night" cannot be used', 'such as 22:00-05:30'],
    [['--hours', '05:00-05:00'], '--hours "05:00-05:00" cannot be used', 'two different times'],
    [['--hours', '22:00-25:00'], '--hours "22:00-25:00" cannot be used', 'in UTC'],
    [['--tables', 'a.b,,c.d'], '--tables has an empty pattern in its list', 'single commas'],
    [['--truncate', '--where', '1'], '--truncate does not go with --where', 'Leave one of them out.'],
    [['--where', '1', '--where', '2'], '--where is given twice', 'Give it once.'],
    [['--paralel', '4'], 'unknown option --paralel', 'Did you mean --parallel?'],
    [['--truncate=yes'], '--truncate takes no value', 'Write --truncate alone.'],
  ])('%j is a usage error, and nothing is asked of the relay', async (args, message, hint) => {
    const { code, err } = await snapshot('start', ...STREAM, ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).toContain(hint);
    expect(relay.asked).toEqual([]);
  });

  test('what the relay refuses is said in its words', async () => {
    relay.answer(`POST ${SNAPSHOTS}`, { status: 409, body: stubProblem('SNAPSHOT_UNSUPPORTED', 'it cannot read') });
    const { code, err } = await snapshot('start', ...STREAM);
    expect(code).toBe(1);
    expect(err).toBe('error SNAPSHOT_UNSUPPORTED: it cannot read\n  The hint of the relay.\n');
  });
});

describe('tidings snapshot start --keys', () => {
  const TABLE = [...STREAM, '--tables', 'shop.orders'];

  async function start(stdin: string, ...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    using directory = new TemporaryDirectory();
    writeFileSync(join(directory.path, 'keys.ndjson'), stdin);
    relay.answer(`POST ${SNAPSHOTS}`, { status: 201, body: { ...DETAILS, where: null, keyCount: 2 } });
    const cli = testCli({ stdin, cwd: directory.path });
    const code = await runCli(['snapshot', 'start', relay.url, ...TABLE, ...args], cli.context);
    return { code, out: cli.stdout.text, err: cli.stderr() };
  }

  const LINES = '7\n18446744073709551615\n\n  "it\\n"\n[1.5,"AP8="]\r\n';
  const SENT = '[7,18446744073709551615,"it\\n",[1.5,"AP8="]]';

  test.each([
    ['a file', LINES, 'keys.ndjson'],
    ['stdin', LINES, '-'],
    ['the list itself', '', SENT],
  ])('asks for the rows that %s names, with all digits of their keys', async (_name, stdin, named) => {
    const { code, out, err } = await start(stdin, '--keys', named);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(relay.texts).toEqual([`{"tables":["shop.orders"],"keys":${SENT}}`]);
    expect(out).toContain('shop.orders,shop.lines (2 keys)');
  });

  test.each([
    ['a file that is not there', '', ['--keys', 'none'], 'there is no such file'],
    ['a directory', '', ['--keys', '.'], 'the file cannot be read: EISDIR'],
    ['a line that is no JSON', '7\n\nsecret\n', ['--keys', '-'], 'line 3 is no JSON'],
    ['a list that is no JSON', '', ['--keys', '[7,'], '--keys is no JSON list'],
    ['an empty file', '\n', ['--keys', '-'], 'the list of keys is empty'],
    ['a key that can be none', '7\n{"id":"secret"}\n', ['--keys', '-'], 'key 2 of the list is none'],
    ['too many bytes', `"${'x'.repeat(2_000_001)}"`, ['--keys', '-'], '--keys has more than 2000000 bytes'],
    ['too many keys', '7\n8\n'.repeat(5001), ['--keys', 'keys.ndjson'], 'the list has 10002 keys'],
    ['another table', '', ['--keys', '[7]', '--tables', 'shop.lines'], '--keys needs the one table'],
    ['a condition', '', ['--keys', '[7]', '--where', '1'], '--keys does not go with --where'],
    ['the wish to empty the table', '', ['--keys', '[7]', '--truncate'], '--keys does not go with --truncate'],
  ])('%s is refused before anything is sent, and no value is shown', async (_name, stdin, args, message) => {
    const { code, err } = await start(stdin, ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).not.toContain('secret');
    expect(relay.asked).toEqual([]);
  });

  test('without --tables it is not clear whose keys they are', async () => {
    const { code, err } = await snapshot('start', ...STREAM, '--keys', '[7]');
    expect({ code, asked: relay.asked }).toEqual({ code: 2, asked: [] });
    expect(err).toContain('--keys needs the one table');
  });

  test('told to stop while it waits for stdin, it ends', async () => {
    const cli = testCli();
    const stdin = new PassThrough();
    const running = runCli(['snapshot', 'start', relay.url, ...TABLE, '--keys', '-'], { ...cli.context, stdin });
    stdin.write('7\n');
    await expect.poll(() => stdin.readableLength).toBe(0);
    cli.interrupt();
    expect(await running).toBe(130);
    expect(stdin.destroyed).toBe(true);
    expect(relay.asked).toEqual([]);
  });
});

describe('tidings snapshot pause, resume and cancel', () => {
  test.each(['pause', 'resume', 'cancel'])('%s asks the relay, and prints how it is then', async (action) => {
    relay.answer(`POST ${SNAPSHOTS}/3/${action}`, { body: { ...DETAILS, state: 'paused' } });
    const { code, out } = await snapshot(action, '3', ...STREAM);
    expect(code).toBe(0);
    expect(out).toContain('3  paused');
    expect((await snapshot(action, '3', ...STREAM, '--json')).out).toContain('"state": "paused"');
    expect(relay.asked.map(({ request }) => request)).toEqual(Array(2).fill(`POST ${SNAPSHOTS}/3/${action}`));
  });

  test.each(['show', 'pause', 'resume', 'cancel'])(
    '%s needs the number of a snapshot, and the stream',
    async (action) => {
      for (const [args, message] of [
        [STREAM, `tidings snapshot ${action} needs <id>`],
        [['last', ...STREAM], '"last" is not the number of a snapshot'],
        [['0', ...STREAM], '"0" is not the number of a snapshot'],
        [['1000000000000000', ...STREAM], 'is not the number of a snapshot'],
        [['3'], `tidings snapshot ${action} needs --stream`],
      ] as const) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const { code, err } = await snapshot(action, ...args);
        expect(code).toBe(2);
        expect(err).toContain(message);
      }
      expect(relay.asked).toEqual([]);
    },
  );

  test.each(['show', 'pause', 'resume', 'cancel'])('%s of one that there is not says so', async (action) => {
    const answer = { status: 404, body: stubProblem('SNAPSHOT_UNKNOWN', 'the stream has no snapshot 4') };
    relay.answer(`GET ${SNAPSHOTS}/4`, answer);
    relay.answer(`POST ${SNAPSHOTS}/4/${action}`, answer);
    const { code, err } = await snapshot(action, '4', ...STREAM);
    expect(code).toBe(1);
    expect(err).toContain('error SNAPSHOT_UNKNOWN: the stream has no snapshot 4');
  });
});

describe('--wait', () => {
  test('start follows the snapshot that it has started, and succeeds when it is done', async () => {
    relay.answer(`POST ${SNAPSHOTS}`, { status: 201, body: DETAILS });
    relay.answer(`GET ${SNAPSHOTS}/3`, { body: DONE });
    const { code, out, err } = await snapshot('start', ...STREAM, '--wait', '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    // stdout has the result alone.
    expect(JSON.parse(out)).toEqual(DONE);
  });

  test.each([
    [new MemoryOutput(), 79],
    [new MemoryOutput({ columns: 0 }), 79],
    [new MemoryOutput({ columns: 50 }), 49],
  ])('a terminal gets a bar that fits into it, wherever stdout goes', async (stdout, width) => {
    relay.answer(`GET ${SNAPSHOTS}/3`, { body: DETAILS }, { body: DETAILS }, { body: DONE });
    const { context } = testCli({ stdout });
    const written: string[] = [];
    const stderr = { isTerminal: true, write: (text: string): void => void written.push(text) };
    expect(await runCli(['snapshot', 'show', relay.url, '3', ...STREAM, '--wait'], { ...context, stderr })).toBe(0);
    const [bar = ''] = written;
    expect(bar.replace('\r\u001b[K', '')).toMatch(/^\[#{6}\.{18}\] {2}25\.0 % {2}1 250 000/);
    expect(bar.replace('\r\u001b[K', '').length).toBeLessThanOrEqual(width);
    expect(written.at(-1)).toBe('\r\u001b[K');
    expect(stdout.text).not.toContain('\u001b');
  });

  test.each(['failed', 'cancelled'])('a snapshot that is %s fails the command', async (state) => {
    relay.answer(`GET ${SNAPSHOTS}/3`, { body: { ...DONE, state } });
    const { code, out } = await snapshot('show', '3', ...STREAM, '--wait');
    expect(code).toBe(1);
    expect(out).toContain(`3  ${state}`);
  });

  test('told to stop it leaves the snapshot alone, and does not look like success', async () => {
    relay.answer(`GET ${SNAPSHOTS}/3`, { body: DETAILS });
    const cli = testCli({ stdout: new MemoryOutput() });
    const { context } = cli;
    const stderr = {
      isTerminal: false,
      write: (text: string): void => {
        context.stderr.write(text);
        if (text.includes('25.0 %')) cli.interrupt();
      },
    };
    const code = await runCli(['snapshot', 'show', relay.url, '3', ...STREAM, '--wait'], { ...context, stderr });
    expect(code).toBe(130);
    expect(cli.stdout.text).toBe('');
    expect(cli.stderr()).toContain('snapshot 3 goes on without this command');
    expect(relay.asked.every(({ request }) => request.startsWith('GET'))).toBe(true);
  });
});

test('tidings snapshot alone says what it can do', async () => {
  const cli = testCli();
  expect(await runCli(['snapshot'], cli.context)).toBe(2);
  expect(cli.stderr()).toContain('tidings snapshot start or tidings snapshot list or tidings snapshot show');
});
