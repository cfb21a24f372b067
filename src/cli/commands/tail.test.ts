import { describe, expect, test } from 'vitest';
import { batch, column, MemorySource, part, position, rowBatch, table } from '../../../test/support/changes.ts';
import { MemoryOutput, testCli, type TestCli } from '../../../test/support/cli-context.ts';
import { TidingsError } from '../../core/errors.ts';
import type { ChangeBatch, Entry, RowBatch } from '../../core/source.ts';
import { OutputClosedError } from '../output.ts';
import { runTail } from './tail.ts';

const URL = 'mysql://root@127.0.0.1';
const items = table('shop.items', [column('id', 'int'), column('note', 'varchar')]);

function insert(...ids: readonly number[]): RowBatch {
  return rowBatch(items, 'insert', { after: ids.map((id) => ({ id, note: 'x' })) });
}

/** One transaction of these rows, from `start` to `end`. */
function transaction(
  ids: readonly number[],
  [start, end]: readonly [string, string | null],
  begins = true,
): ReturnType<typeof part> {
  return part([insert(...ids)], {
    begins,
    transaction: { start: position(start) },
    end: end === null ? null : position(end),
  });
}

const keysOf = (cli: TestCli): string[] => cli.stdout.lines;
const keyLines = (...ids: readonly number[]): string[] => ids.map((id) => `items_write ${id}`);
/** The position that the end was reported with. */
const resumeOf = (cli: TestCli): unknown =>
  cli
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { message: string; position?: string })
    .findLast(({ message }) => message.startsWith('stopped'))?.position;

async function tailKeys(
  batches: readonly ChangeBatch[],
  args: readonly string[] = [],
): Promise<TestCli & { code: number }> {
  const cli = testCli({ source: new MemorySource(batches) });
  const code = await runTail([URL, '--format', 'keys', ...args], cli.context);
  return { ...cli, code };
}

const two = [
  batch([transaction([1], ['a', 'b']), transaction([2, 3, 4], ['b', 'c'])]),
  batch([transaction([5], ['c', 'd'])]),
];

describe('the end', () => {
  test('prints everything, reports the end of the last transaction, and exits 0 when the source ends', async () => {
    const cli = await tailKeys(two);
    expect(cli.code).toBe(0);
    expect(keysOf(cli)).toEqual(keyLines(1, 2, 3, 4, 5));
    expect(resumeOf(cli)).toBe('d');
  });

  test('a batch without transactions moves the position', async () => {
    const cli = await tailKeys([batch([transaction([1], ['a', 'b'])]), batch([], position('z'))]);
    expect(resumeOf(cli)).toBe('z');
  });

  test('an error is thrown after what came before it was printed, with the position behind it', async () => {
    class Failing extends MemorySource {
      override async *batches(): AsyncIterableIterator<ChangeBatch, void, undefined> {
        yield* super.batches();
        throw new TidingsError('BINLOG_CORRUPT', 'broken');
      }
    }
    const source = new Failing(two);
    const cli = testCli({ source });
    await expect(runTail([URL, '--format', 'keys'], cli.context)).rejects.toThrow('broken');
    expect(keysOf(cli)).toEqual(keyLines(1, 2, 3, 4, 5));
    expect(resumeOf(cli)).toBe('d');
    expect(source.closed).toBe(true);
  });

  test('a value that cannot be encoded prints the lines before it and resumes at its transaction', async () => {
    const numbers = table('shop.items', [column('id', 'double')]);
    const broken = rowBatch(numbers, 'insert', { after: [{ id: 8 }, { id: Number.NaN }] });
    const source = new MemorySource([
      batch([
        transaction([1], ['a', 'b']),
        part([broken], { transaction: { start: position('b') }, end: position('c') }),
      ]),
    ]);
    const cli = testCli({ source });
    await expect(runTail([URL], cli.context)).rejects.toThrow('no exact form');
    expect(cli.stdout.lines.map((line) => (JSON.parse(line) as { key: { id: number } }).key.id)).toEqual([1, 8]);
    expect(resumeOf(cli)).toBe('b');
  });
});

describe('--count', () => {
  test('inside a transaction: exactly n lines, and the position before that transaction', async () => {
    const cli = await tailKeys(two, ['--count', '3']);
    expect(keysOf(cli)).toEqual(keyLines(1, 2, 3));
    expect(resumeOf(cli)).toBe('b');
    expect(cli.code).toBe(0);
  });

  test('at the end of a transaction: the position behind it', async () => {
    const cli = await tailKeys(two, ['--count', '4']);
    expect(keysOf(cli)).toEqual(keyLines(1, 2, 3, 4));
    expect(resumeOf(cli)).toBe('c');
  });

  test('asks for no further batch once it has enough', async () => {
    const source = new MemorySource(two);
    await runTail([URL, '--count', '4', '--format', 'keys'], testCli({ source }).context);
    expect(source.handedOver).toBe(1);
  });
});

describe('stopping', () => {
  test('while idle: ends at once, with everything printed', async () => {
    const source = new MemorySource(two, { hold: true });
    const cli = testCli({ source });
    const run = runTail([URL, '--format', 'keys'], cli.context);
    await cli.stdout.until((text) => text.includes('write 5'));
    cli.interrupt();
    expect(await run).toBe(0);
    expect(keysOf(cli)).toEqual(keyLines(1, 2, 3, 4, 5));
    expect(resumeOf(cli)).toBe('d');
    expect(source.closed).toBe(true);
  });

  test('inside a transaction: prints it to its end, and nothing behind it', async () => {
    const source = new MemorySource([
      batch([transaction([1], ['a', 'b']), transaction([2], ['b', null])], position('b')),
      batch([transaction([3], ['b', null], false)], position('b')),
      batch([transaction([4], ['b', 'c'], false), transaction([5], ['c', 'd'])]),
    ]);
    const cli = testCli({ source });
    cli.stdout.hold();
    const run = runTail([URL, '--format', 'keys'], cli.context);
    await cli.stdout.until((text) => text.includes('write 2'));
    cli.interrupt();
    cli.stdout.release();
    expect(await run).toBe(0);
    expect(keysOf(cli)).toEqual(keyLines(1, 2, 3, 4));
    expect(resumeOf(cli)).toBe('c');
    expect(cli.stderr()).toContain('stopping behind the current transaction');
  });

  test('before anything was read: reads nothing', async () => {
    const source = new MemorySource(two);
    const cli = testCli({ source });
    cli.interrupt();
    expect(await runTail([URL], cli.context)).toBe(0);
    expect(source.handedOver).toBe(0);
  });

  test('a reader that goes away is a quiet end', async () => {
    class Closed extends MemoryOutput {
      override write(): Promise<void> {
        return Promise.reject(new OutputClosedError('gone'));
      }
    }
    const source = new MemorySource(two);
    const cli = testCli({ source, stdout: new Closed() });
    expect(await runTail([URL], cli.context)).toBe(0);
    expect(cli.stderr()).toBe('');
    expect(source.closed).toBe(true);
  });
});

describe('output', () => {
  test('a slow reader holds the source back', async () => {
    const source = new MemorySource(two);
    const cli = testCli({ source });
    cli.stdout.hold();
    const run = runTail([URL], cli.context);
    await cli.stdout.until((text) => text !== '');
    // Give the loop every chance to run on: it must not.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    expect(source.handedOver).toBe(1);
    cli.stdout.release();
    await run;
    expect(source.handedOver).toBe(2);
  });

  test('each batch is written when it is there, however few lines it has', async () => {
    const cli = await tailKeys(two);
    expect(cli.stdout.writes).toEqual([`${keyLines(1, 2, 3, 4).join('\n')}\n`, `${keyLines(5).join('\n')}\n`]);
  });

  test('a large batch is written in pieces', async () => {
    const parts = Array.from({ length: 50 }, (_, index) =>
      transaction(
        Array.from({ length: 1000 }, (__, id) => id),
        [`${index}`, `${index + 1}`],
      ),
    );
    const cli = await tailKeys([batch(parts)]);
    expect(cli.stdout.lines).toHaveLength(50_000);
    expect(cli.stdout.writes.length).toBeGreaterThan(5);
    expect(Math.max(...cli.stdout.writes.map((text) => text.length))).toBeLessThan(100_000);
  });

  test('without a terminal the default is JSON', async () => {
    const cli = testCli({ source: new MemorySource(two) });
    await runTail([URL], cli.context);
    expect(JSON.parse(cli.stdout.lines[0] ?? '')).toMatchObject({ op: 'insert', db: 'shop', table: 'items', pos: 'b' });
  });

  test('a transaction that comes again after a lost connection is announced on stderr', async () => {
    const again = part([insert(1)], { restarted: true, transaction: { start: position('a') } });
    const cli = testCli({
      source: new MemorySource([batch([transaction([1], ['a', null])], position('a')), batch([again])]),
    });
    await runTail([URL, '--format', 'keys'], cli.context);
    expect(keysOf(cli)).toEqual(keyLines(1, 1));
    expect(cli.stderr()).toContain('"level":"warn","message":"the connection broke inside this transaction');
  });
});

describe('on a terminal', () => {
  const orders = table('shop.orders', [column('id', 'int'), column('status', 'varchar'), column('blob', 'blob')]);
  const entries: readonly Entry[] = [
    rowBatch(orders, 'insert', { after: [{ id: 1, status: 'new', blob: new Uint8Array([1, 2]) }] }),
    rowBatch(orders, 'update', {
      before: [{ id: 1, status: 'new', blob: null }],
      after: [{ id: 1, status: 'paid', blob: null }],
    }),
    rowBatch(orders, 'delete', { before: [{ id: 1, status: 'paid', blob: null }] }),
    { type: 'schema', database: 'shop', table: 'orders', sql: 'ALTER TABLE\n  orders ADD x INT' } as const,
  ];
  const print = async (
    columns: number,
    { env = {}, args = [] as readonly string[], rows = entries } = {},
  ): Promise<string> => {
    const cli = testCli({
      source: new MemorySource([batch([part(rows)])]),
      stdout: new MemoryOutput({ columns }),
      env,
    });
    await runTail([URL, ...args], cli.context);
    return cli.stdout.text;
  };

  test('lines are short and show what changed', async () => {
    expect(await print(100, { env: { NO_COLOR: '1' } })).toBe(
      "09:15:02.123 + shop.orders 1  status 'new'  blob 0x0102\n" +
        "09:15:02.123 ~ shop.orders 1  status 'new' → 'paid'\n" +
        "09:15:02.123 - shop.orders 1  status 'paid'  blob NULL\n" +
        '09:15:02.123 # shop  ALTER TABLE orders ADD x INT\n',
    );
  });

  test('lines are cut to the width of the terminal', async () => {
    const lines = (await print(30, { env: { NO_COLOR: '1' } })).split('\n');
    expect(lines[0]).toBe('09:15:02.123 + shop.orders 1 …');
    expect(Math.max(...lines.map((line) => line.length))).toBe(30);
  });

  test('colours are used, unless NO_COLOR asks for none', async () => {
    expect(await print(100)).toContain('\u001b[33m~ \u001b[0m');
    expect(await print(100, { env: { NO_COLOR: '1' } })).not.toContain('\u001b');
  });

  const evil = '\u001b[2J\u009b31m\u0007\r\n\u202etxt';
  const attack = [
    rowBatch(table('shop.o\u001b[31m', [column('id\u0007', 'varchar'), column('j', 'json')]), 'insert', {
      after: [{ 'id\u0007': evil, j: `{"a": "\u009b31m"}` }],
    }),
    { type: 'schema', database: 'shop', table: null, sql: `CREATE TABLE x COMMENT '${evil}'` } as const,
  ];

  test.each([
    [[]],
    [['--format', 'json']],
    [['--format', 'keys']],
    [['--format', 'debezium']],
    [['--format', 'maxwell']],
  ])('nothing in names, rows or statements reaches the terminal as a control character %j', async (args) => {
    const text = await print(500, { env: { NO_COLOR: '1' }, args, rows: attack });
    expect(text).not.toBe('');
    // oxlint-disable-next-line no-control-regex -- it is what must not be there
    expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });
});

describe('what is passed to the source', () => {
  const requestOf = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    const cli = testCli({ source: new MemorySource([]), env });
    await runTail(args, cli.context);
    const { log: _log, ...request } = cli.requests[0] ?? { url: '' };
    return request;
  };

  test('only the options that were given', async () => {
    expect(await requestOf([URL])).toEqual({ url: URL, json: 'text' });
    expect(await requestOf([URL, '--format', 'debezium'])).toEqual({ url: URL, json: 'text', statements: true });
  });

  test('all of them', async () => {
    const args = [URL, '--tables', 'shop.*, crm.users', '--tables=/^a{1,2}\\/,/', '--exclude', 'shop.log'];
    const more = [
      '--columns',
      'shop.orders=id,total;shop.items=id',
      '--from',
      'earliest',
      '--until',
      'now',
      '--server-id',
      '77',
    ];
    expect(await requestOf([...args, ...more])).toEqual({
      url: URL,
      json: 'text',
      tables: ['shop.*', 'crm.users', '/^a{1,2}\\/,/'],
      exclude: ['shop.log'],
      columns: { 'shop.orders': ['id', 'total'], 'shop.items': ['id'] },
      from: 'earliest',
      until: 'now',
      serverId: 77,
    });
  });

  test('a password from the environment, unless the URL has one', async () => {
    const env = { TIDINGS_PASSWORD: 'a%/b', MYSQL_PWD: 'other' };
    expect(await requestOf([URL], env)).toMatchObject({ url: 'mysql://root:a%25%2Fb@127.0.0.1' });
    expect(await requestOf(['mysql://root:own@h'], env)).toMatchObject({ url: 'mysql://root:own@h' });
    expect(await requestOf([URL], { MYSQL_PWD: 'other' })).toMatchObject({ url: 'mysql://root:other@127.0.0.1' });
  });
});
