import { expect, test } from 'vitest';
import { MysqlSink } from './mysql-sink.ts';
import { mysqlSinkConfigSchema } from './config.ts';

test('a sink needs a URL with a database, and says all that is wrong with its options at once', () => {
  expect(() => new MysqlSink({ url: 'mysql://root:secret@db.internal' })).toThrow('names no database');
  expect(() => new MysqlSink({ url: 'mysql://a/b', schema: 'x' as never, statementBytesMax: 1 })).toThrow(
    /schema: .*; statementBytesMax: /,
  );
});

test('the configuration has the same options, with the same defaults', () => {
  expect(mysqlSinkConfigSchema.parse({ url: 'mysql://a/b' })).toEqual({
    url: 'mysql://a/b',
    schema: 'evolve',
    dropColumns: false,
    answerTimeoutMs: 60_000,
    statementBytesMax: 262_144,
  });
  const wrong = mysqlSinkConfigSchema.safeParse({ url: 'mysql://root:secret@a' });
  expect(JSON.stringify(wrong.error?.issues)).toContain('names no database');
  expect(JSON.stringify(wrong.error?.issues)).not.toContain('secret');
});

test('columns cannot be dropped where tables are not changed', () => {
  for (const schema of ['ignore', 'stop'] as const) {
    expect(() => new MysqlSink({ url: 'mysql://a/b', schema, dropColumns: true })).toThrow(
      `dropColumns: with schema ${schema} no table is changed`,
    );
  }
});
