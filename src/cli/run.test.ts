import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../test/support/changes.ts';
import { testCli } from '../../test/support/cli-context.ts';
import { TidingsError } from '../core/errors.ts';
import type { Finding } from '../core/finding.ts';
import type { ChangeBatch } from '../core/source.ts';
import { signature } from './help.ts';
import { createRedact } from './redact.ts';
import { COMMANDS, runCli } from './run.ts';
import { secretsOf } from './source-arguments.ts';

async function run(
  args: readonly string[],
  options: Parameters<typeof testCli>[0] = {},
): Promise<{ code: number; out: string; err: string }> {
  const cli = testCli(options);
  const context = { ...cli.context, redact: createRedact(secretsOf(args, cli.context.env)) };
  const code = await runCli(args, context);
  return { code, out: cli.stdout.text, err: cli.stderr() };
}

describe('usage errors exit with 2, name the thing and say what to write instead', () => {
  test.each([
    [['tial'], 'there is no command "tial"', 'Did you mean tidings tail?'],
    [['tail'], 'tidings tail needs <url>', 'mysql://root@127.0.0.1'],
    [['tail', 'mysql://h', 'x'], 'an argument too many', '--help'],
    [['tail', 'nonsense'], '"nonsense" is not a URL', 'mysql://user@host:port'],
    [['tail', 'redis://h'], 'no source for "redis:" URLs', 'mysql://user@host:port'],
    [['tail', 'mysql:///x'], 'names no host', 'mysql://user@host:port'],
    [['tail', 'mysql://h', '--form', 'json'], 'unknown option --form', 'Did you mean --format?'],
    [['tail', 'mysql://h', '--frmo', 'now'], 'unknown option --frmo', 'Did you mean --from?'],
    [['tail', 'mysql://h', '--xyzzy'], 'unknown option --xyzzy', '--help'],
    [['tail', 'mysql://h', '--from', '--until', 'now'], '--from needs a value', 'earliest'],
    [['tail', 'mysql://h', '--from'], '--from needs a value', 'earliest'],
    [['tail', 'mysql://h', '--from='], '--from needs a value', 'earliest'],
    [['tail', 'mysql://h', '--from', 'now', '--from', 'now'], '--from is given twice', 'once'],
    [['tail', 'mysql://h', '--help=x'], '--help takes no value', '--help'],
    [['tail', 'mysql://h', '--count', '0'], '--count "0" is not a whole number', '--count 10'],
    [['tail', 'mysql://h', '--count', '-1'], '--count "-1" is not a whole number', '--count 10'],
    [['tail', 'mysql://h', '--server-id', '4294967296'], '--server-id "4294967296"', '--server-id 10'],
    [['tail', 'mysql://h', '--format', 'xml'], 'there is no format "xml"', 'json, keys, debezium, maxwell'],
    [['tail', 'mysql://h', '--log-level', 'loud'], 'there is no log level "loud"', 'debug, info, warn, error'],
    [['tail', 'mysql://h', '--tables', 'a.b,,c.d'], '--tables has an empty pattern', 'commas'],
    [['tail', 'mysql://h', '--columns', 'a.b'], '--columns "a.b" is not of the form', 'shop.orders=id,total'],
    [['doctor'], 'tidings doctor needs <url>', 'mysql://root@127.0.0.1'],
    [
      ['checkpoint'],
      'tidings checkpoint needs to be told what to do',
      'tidings checkpoint get or tidings checkpoint set',
    ],
    [['checkpoint', 'put'], 'tidings checkpoint needs to be told', 'tidings checkpoint set'],
    [['chekpoint', 'get'], 'there is no command "chekpoint"', 'Did you mean tidings checkpoint?'],
    [['checkpoint', 'get'], 'tidings checkpoint get needs <relay>', 'http://127.0.0.1:8400'],
    [['streams', 'relay:8400'], '"relay:8400" is not the address of a relay', 'http://host:8400'],
    [['streams', 'http://u:secret@h'], 'holds a user or a password', 'TIDINGS_TOKEN'],
    [['groups', 'http://h'], 'tidings groups needs --stream', '--help'],
    [['checkpoint', 'set', 'http://h', '--stream', 's', '--group', 'g'], 'needs --to', '--help'],
    [
      ['checkpoint', 'set', 'http://h', '--stream', 's', '--group', 'g', '--to', 'yesterday'],
      '--to "yesterday" is no place in a stream',
      '2026-11-20T09:15:02Z',
    ],
    [
      ['checkpoint', 'set', 'http://h', '--stream', 's', '--group', 'g', '--to', '5', '--partitions', '3-1'],
      '--partitions "3-1" is no list',
      '0-15,20',
    ],
    [['consume', 'http://h'], 'tidings consume needs --stream', '--help'],
    [['consume', 'http://h', '--stream', 's', '--member', 'm'], '--member needs --group', 'group'],
    [
      ['consume', 'http://h', '--stream', 's', '--group', 'g', '--checkpoint-file', 'f'],
      '--checkpoint-file does not go with --group',
      'kept by the relay',
    ],
    [['consume', 'http://h', '--stream', 's', '--ops', 'insert,remove'], 'no operation "remove"', 'delete'],
    [
      ['consume', 'http://h', '--stream', 's', '--where', 'a = 1'],
      '--where "a = 1" is not of the form',
      'shop.orders:',
    ],
    [['consume', 'http://h', '--stream', 's', '--where', 'a:b', '--where', 'a:c'], 'two conditions for a', 'and'],
    [
      ['consume', 'http://h', '--stream', 's', '--from', '2026-11-20'],
      '--from "2026-11-20" is no place',
      'with its zone',
    ],
    [['consume', 'http://h', '--stream', 's', '--format', 'xml'], 'there is no format "xml"', 'json, keys'],
    [['replay', 'http://h', '--stream', 's'], 'tidings replay needs --from', '--help'],
    [['replay', 'http://h', '--stream', 's', '--from', '1', '--to', 'earliest'], '--to earliest', 'SCN'],
    [['replay', 'http://h', '--stream', 's', '--from', '1', '--yes'], '--yes is for --group', 'nothing is changed'],
    [
      ['replay', 'http://h', '--stream', 's', '--from', '1', '--group', 'g', '--to', '2'],
      '--to does not go with',
      'leave',
    ],
    [['replay', 'http://h', '--stream', 's', '--from', '1', '--group', 'g'], 'nobody to ask', '--yes'],
    [['run', 'no/such.yaml', 'x'], 'an argument too many', '--help'],
    [['run'], 'there is no configuration in this directory', 'tidings.yaml'],
    [['validate'], 'there is no configuration in this directory', 'tidings.yaml'],
  ])('%j', async (args, message, remedy) => {
    const { code, out, err } = await run(args);
    const [first, ...hint] = err.split('\n');
    expect(first).toMatch(/^error CONFIG_INVALID: /);
    expect(first).toContain(message);
    expect(hint.join('\n')).toContain(remedy);
    expect({ code, out }).toEqual({ code: 2, out: '' });
  });
});

test('tidings checkpoint --help shows what there is', async () => {
  const { code, out } = await run(['checkpoint', '--help']);
  expect(code).toBe(0);
  expect(out).toMatch(/checkpoint get[^]*checkpoint set/);
  expect(out).not.toContain('tail');
});

describe('errors of the source', () => {
  const failing = (error: Error): MemorySource => {
    class Failing extends MemorySource {
      // oxlint-disable-next-line require-yield -- it fails before the first batch
      override async *batches(): AsyncIterableIterator<ChangeBatch, void, undefined> {
        throw error;
      }
    }
    return new Failing([]);
  };

  test('are printed with code, message, hint and causes, without a stack', async () => {
    const error = new TidingsError('BINLOG_CORRUPT', 'the event is broken', {
      hint: 'Look at it.',
      cause: new Error('short'),
    });
    const { code, err } = await run(['tail', 'mysql://h'], { source: failing(error) });
    expect(err).toBe('error BINLOG_CORRUPT: the event is broken\n  Look at it.\n  cause: short\n');
    expect(code).toBe(1);
  });

  test('show their stack when the log level is debug', async () => {
    const { err } = await run(['tail', 'mysql://h', '--log-level', 'debug'], { source: failing(new Error('x')) });
    expect(err).toContain('run.test.ts');
  });

  test('that are the fault of an option exit with 2', async () => {
    const { code } = await run(['tail', 'mysql://h', '--from', 'nonsense'], {
      source: failing(new TidingsError('CONFIG_INVALID', '--from "nonsense" is no position')),
    });
    expect(code).toBe(2);
  });

  test('never show a password, wherever it was given and whoever wrote the message', async () => {
    const says = 'cannot reach mysql://root:p%40ss%2F1@h as p@ss/1';
    const { err } = await run(['tail', 'mysql://root:p%40ss%2F1@h', '--log-level', 'debug'], {
      source: failing(new Error(says)),
    });
    expect(err).not.toMatch(/p@ss|p%40ss/);
    expect(err).toContain('mysql://root:***@h');
    const fromEnv = await run(['tail', 'mysql://root@h'], {
      source: failing(new Error('denied: s3cret')),
      env: { MYSQL_PWD: 's3cret' },
    });
    expect(fromEnv.err).not.toContain('s3cret');
  });

  test.each([
    'mysql://root:secret@h:99999',
    'mysql://root:se cret@h:x',
    'mysql://root:se"cr\'et@h:x',
    'mysql//root:secret@h',
  ])('a URL that cannot be used does not show its password: %s', async (url) => {
    const { code, err } = await run(['tail', url]);
    expect(code).toBe(2);
    expect(err).not.toMatch(/cret|se"cr/);
  });

  test('escape what a terminal would act on', async () => {
    const { err } = await run(['tail', 'mysql://h'], { source: failing(new Error('bad \u001b[2J name')) });
    expect(err).toBe('error: bad \\u{1b}[2J name\n');
  });
});

describe('help and version', () => {
  test('--version prints the version', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, out: '1.2.3\n', err: '' });
  });

  test.each([['--help'], ['-h']])('%s lists the commands on stdout', async (flag) => {
    const { code, out, err } = await run([flag]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const text = out.replaceAll(/\s+/g, ' ');
    for (const { spec } of COMMANDS) expect(text).toContain(`${spec.name} ${spec.summary}`);
  });

  test('no command prints the help on stderr and exits with 2', async () => {
    const { code, out, err } = await run([]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: tidings');
  });

  test.each(COMMANDS.map(({ spec }) => [spec.name, spec] as const))(
    '%s --help shows every option, and needs no arguments',
    async (name, spec) => {
      const { code, out } = await run([...name.split(' '), '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`Usage: tidings ${name}`);
      for (const option of spec.options) expect(out).toContain(signature(option));
    },
  );

  test('docs/reference/cli.md has every command and option', () => {
    const page = readFileSync(new URL('../../docs/reference/cli.md', import.meta.url), 'utf8');
    for (const { spec } of COMMANDS) {
      expect(page).toContain(`## tidings ${spec.name}`);
      for (const option of spec.options) expect(page).toContain(`\`${signature(option)}\``);
    }
  });
});

describe('doctor', () => {
  const finding = (level: Finding['level'], code: string, cure: string | null = null): Finding => ({
    level,
    code,
    message: `about ${code}`,
    cure,
  });

  test('prints errors first, each with its cure, and fails when there is one', async () => {
    const findings = [
      finding('ok', 'A'),
      finding('warning', 'B', 'SET GLOBAL b = 1;'),
      finding('error', 'C', 'log_bin = ON\nserver_id = 1'),
    ];
    expect(await run(['doctor', 'mysql://h'], { findings })).toEqual({
      code: 1,
      out:
        'error    C  about C\n         cure: log_bin = ON\n         cure: server_id = 1\n' +
        'warning  B  about B\n         cure: SET GLOBAL b = 1;\n' +
        'ok       A  about A\n' +
        '1 error, 1 warning, 1 ok\n',
      err: '',
    });
  });

  test('warnings alone do not fail', async () => {
    expect((await run(['doctor', 'mysql://h'], { findings: [finding('warning', 'B')] })).code).toBe(0);
  });

  test('passes the options on', async () => {
    const cli = testCli();
    await runCli(['doctor', 'mysql://h', '--tables', 'a.b', '--server-id', '9'], cli.context);
    expect(cli.requests[0]).toMatchObject({ url: 'mysql://h', tables: ['a.b'], serverId: 9 });
  });
});
